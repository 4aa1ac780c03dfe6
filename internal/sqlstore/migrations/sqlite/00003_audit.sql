-- Who did what to whom, when and from where. Times are microseconds since
-- 1970, UTC. No column refers to another table: an entry outlives what it is
-- about, and names it as it was called then.

-- +goose Up
CREATE TABLE "postern_audit" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "at" integer NOT NULL,
    "act" text NOT NULL,
    "actor_id" integer NOT NULL,
    "actor_name" text NOT NULL,
    "target_id" integer NOT NULL,
    "target_name" text NOT NULL,
    "source" text NOT NULL,
    "address" text NOT NULL,
    "user_agent" text NOT NULL,
    "detail" text NOT NULL
);
CREATE INDEX "postern_audit_act" ON "postern_audit" ("act", "at");
CREATE INDEX "postern_audit_actor" ON "postern_audit" ("actor_name", "id") WHERE "actor_name" <> '';
CREATE INDEX "postern_audit_target" ON "postern_audit" ("target_name", "id") WHERE "target_name" <> '';
CREATE INDEX "postern_audit_address" ON "postern_audit" ("address", "id") WHERE "address" <> '';
