-- The sessions. A session is named by the SHA-256 of its key (id), so that the
-- table opens no session.
--
-- user_id is deliberately no foreign key: Django deletes users, flushes and
-- rebuilds auth_user without knowing this table, and must not be stopped by it.
-- A session whose user is gone is no session, and is swept.
--
-- No index is on last_seen, which changes often: with room left in each page,
-- a sign of life touches no index at all (a heap-only update).

-- +goose Up
CREATE TABLE postern_session (
    id bytea NOT NULL PRIMARY KEY,
    user_id bigint NOT NULL,
    auth_hash text NOT NULL,
    csrf_secret text NOT NULL,
    created timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL,
    expires timestamp with time zone NOT NULL,
    address text NOT NULL,
    user_agent text NOT NULL
);
CREATE INDEX postern_session_user_id_created ON postern_session (user_id, created);
CREATE INDEX postern_session_expires ON postern_session (expires);
