-- The processes that serve from this database, as each says of itself now and
-- then.

-- +goose Up
CREATE TABLE postern_node (
    id text NOT NULL PRIMARY KEY,
    name text NOT NULL,
    version text NOT NULL,
    started timestamp with time zone NOT NULL,
    seen timestamp with time zone NOT NULL,
    problems text NOT NULL
);
