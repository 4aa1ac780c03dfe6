-- The processes that serve from this database, as each says of itself now and
-- then. Times are microseconds since 1970, UTC.

-- +goose Up
CREATE TABLE "postern_node" (
    "id" text NOT NULL PRIMARY KEY,
    "name" text NOT NULL,
    "version" text NOT NULL,
    "started" integer NOT NULL,
    "seen" integer NOT NULL,
    "problems" text NOT NULL
);
