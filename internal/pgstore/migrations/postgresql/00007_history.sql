-- The history of a user or a group: what was done to it, whatever it was
-- called then. The index is built while others write to the log.

-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY IF NOT EXISTS postern_audit_target_id ON postern_audit (target_id, id) WHERE target_id <> 0;
