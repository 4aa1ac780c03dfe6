-- Tells the history that a server follows from others: a read replica that has
-- the token of the primary's timeline is a replica of that primary.

-- +goose Up
CREATE TABLE postern_timeline (
    timeline bigint PRIMARY KEY,
    token text NOT NULL
);
