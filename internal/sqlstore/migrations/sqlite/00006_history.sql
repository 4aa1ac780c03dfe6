-- The history of a user or a group: what was done to it, whatever it was
-- called then.

-- +goose Up
CREATE INDEX "postern_audit_target_id" ON "postern_audit" ("target_id", "id") WHERE "target_id" <> 0;
