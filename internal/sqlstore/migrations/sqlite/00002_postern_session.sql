-- The sessions. A session is named by the SHA-256 of its key (id), so that the
-- table opens no session. Times are microseconds since 1970, UTC.
--
-- user_id is deliberately no foreign key: Django deletes users, flushes and
-- rebuilds auth_user without knowing this table, and must not be stopped by it.
-- A session whose user is gone is no session, and is swept.

-- +goose Up
CREATE TABLE "postern_session" (
    "id" blob NOT NULL PRIMARY KEY,
    "user_id" integer NOT NULL,
    "auth_hash" text NOT NULL,
    "csrf_secret" text NOT NULL,
    "created" integer NOT NULL,
    "last_seen" integer NOT NULL,
    "expires" integer NOT NULL,
    "address" text NOT NULL,
    "user_agent" text NOT NULL
) WITHOUT ROWID;
CREATE INDEX "postern_session_user_id_created" ON "postern_session" ("user_id", "created");
CREATE INDEX "postern_session_expires" ON "postern_session" ("expires");
