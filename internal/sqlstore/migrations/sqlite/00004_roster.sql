-- What administration reads: indexes, so that lists of a million users can be
-- searched, sorted and gone through, and the permissions of Django's own apps,
-- where "manage.py migrate" has not made them yet.
--
-- The indexes on auth_user are Postern's own, by their names: Django doesn't know
-- them and writes to them like to any other. Without them (Django rebuilds a
-- table when it alters a column, and leaves behind what it does not know) lists
-- are right, but slow.

-- +goose Up
CREATE INDEX IF NOT EXISTS "postern_user_username" ON "auth_user" ("username" COLLATE NOCASE);
CREATE INDEX IF NOT EXISTS "postern_user_email" ON "auth_user" ("email" COLLATE NOCASE);
CREATE INDEX IF NOT EXISTS "postern_user_first_name" ON "auth_user" ("first_name" COLLATE NOCASE) WHERE "first_name" <> '';
CREATE INDEX IF NOT EXISTS "postern_user_last_name" ON "auth_user" ("last_name" COLLATE NOCASE) WHERE "last_name" <> '';
CREATE INDEX IF NOT EXISTS "postern_user_joined" ON "auth_user" ("date_joined");
CREATE INDEX IF NOT EXISTS "postern_user_last_login" ON "auth_user" ("last_login");
CREATE INDEX IF NOT EXISTS "postern_user_staff" ON "auth_user" ("is_staff") WHERE "is_staff";
CREATE INDEX IF NOT EXISTS "postern_user_superuser" ON "auth_user" ("is_superuser") WHERE "is_superuser";
CREATE INDEX IF NOT EXISTS "postern_user_inactive" ON "auth_user" ("is_active") WHERE "is_active" IS NOT 1;
CREATE INDEX IF NOT EXISTS "postern_user_algorithm" ON "auth_user" (CASE substr("password", 1, 1) WHEN '!' THEN '!' ELSE substr("password", 1, instr("password", '$') - 1) END);
CREATE INDEX IF NOT EXISTS "postern_session_created" ON "postern_session" ("created");

INSERT INTO "django_content_type" ("app_label", "model")
SELECT "column1", "column2" FROM (VALUES
    ('admin', 'logentry'), ('auth', 'permission'), ('auth', 'group'), ('auth', 'user'),
    ('contenttypes', 'contenttype'), ('sessions', 'session'))
WHERE NOT EXISTS (SELECT 1 FROM "django_content_type" WHERE "app_label" = "column1" AND "model" = "column2");

INSERT INTO "auth_permission" ("content_type_id", "codename", "name")
SELECT c."id", a."column1" || '_' || c."model", 'Can ' || a."column1" || ' ' || m."column3"
FROM (VALUES
    ('admin', 'logentry', 'log entry'), ('auth', 'permission', 'permission'), ('auth', 'group', 'group'), ('auth', 'user', 'user'),
    ('contenttypes', 'contenttype', 'content type'), ('sessions', 'session', 'session')) AS m
JOIN "django_content_type" c ON c."app_label" = m."column1" AND c."model" = m."column2"
CROSS JOIN (VALUES ('add'), ('change'), ('delete'), ('view')) AS a
WHERE NOT EXISTS (SELECT 1 FROM "auth_permission" p WHERE p."content_type_id" = c."id" AND p."codename" = a."column1" || '_' || c."model")
ORDER BY c."id";
