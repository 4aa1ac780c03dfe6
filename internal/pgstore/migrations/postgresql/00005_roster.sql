-- What administration reads: indexes, so that lists of a million users can be
-- searched, sorted and gone through, and the permissions of Django's own apps,
-- where "manage.py migrate" has not made them yet.
--
-- The indexes on auth_user are Postern's own, by their names: Django doesn't know
-- them and writes to them like to any other. They are built while others read and
-- write, but for tables so small that nobody would notice. Each paragraph is run
-- by itself. One that the role may not run, because it does not own auth_user, is
-- left to the owner, with a warning: without it lists are right, but slow.

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_username ON auth_user ((lower(username) COLLATE "C"), id);

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_email ON auth_user ((lower(email) COLLATE "C"), id);

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_first_name ON auth_user ((lower(first_name) COLLATE "C")) WHERE first_name <> '';

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_last_name ON auth_user ((lower(last_name) COLLATE "C")) WHERE last_name <> '';

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_joined ON auth_user (date_joined, id);

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_last_login ON auth_user (last_login NULLS FIRST, id);

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_staff ON auth_user (id) WHERE is_staff;

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_superuser ON auth_user (id) WHERE is_superuser;

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_inactive ON auth_user (id) WHERE is_active IS NOT TRUE;

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_user_algorithm ON auth_user ((CASE WHEN left(password, 1) = '!' THEN '!' WHEN strpos(password, '$') = 0 THEN '' ELSE split_part(password, '$', 1) END));

CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_session_created ON postern_session (created, id);

INSERT INTO django_content_type (app_label, model)
SELECT m.app_label, m.model FROM (VALUES
    ('admin', 'logentry'), ('auth', 'permission'), ('auth', 'group'), ('auth', 'user'),
    ('contenttypes', 'contenttype'), ('sessions', 'session')) AS m (app_label, model)
WHERE NOT EXISTS (SELECT 1 FROM django_content_type c WHERE c.app_label = m.app_label AND c.model = m.model);

INSERT INTO auth_permission (content_type_id, codename, name)
SELECT c.id, a.verb || '_' || c.model, 'Can ' || a.verb || ' ' || m.name
FROM (VALUES
    ('admin', 'logentry', 'log entry'), ('auth', 'permission', 'permission'), ('auth', 'group', 'group'), ('auth', 'user', 'user'),
    ('contenttypes', 'contenttype', 'content type'), ('sessions', 'session', 'session')) AS m (app_label, model, name)
JOIN django_content_type c ON c.app_label = m.app_label AND c.model = m.model
CROSS JOIN (VALUES ('add'), ('change'), ('delete'), ('view')) AS a (verb)
WHERE NOT EXISTS (SELECT 1 FROM auth_permission p WHERE p.content_type_id = c.id AND p.codename = a.verb || '_' || c.model)
ORDER BY c.id, a.verb;
