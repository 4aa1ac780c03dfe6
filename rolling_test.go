package postern_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

// expansion is what a later version may do to the schema while this version
// runs: add. (Taking away waits until this version is gone.)
var expansion = []string{
	`create table postern_later (id integer primary key)`,
	`alter table postern_session add column later text`,
	`alter table auth_user add column later integer not null default 0`,
	`create index postern_later_seen on postern_session (last_seen)`,
	`insert into postern_migration (version_id, is_applied) values (99999, true)`,
}

func TestThisVersionRunsOnTheSchemaOfALaterOne(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		c := testConfig(t)
		runsOnALaterSchema(t, c, func(statement string) {
			db, err := sql.Open("sqlite", strings.TrimPrefix(c.Database, "sqlite:")+"?_busy_timeout=10000")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		c := testConfig(t)
		c.Database = pgtest.Database(t)
		runsOnALaterSchema(t, c, func(statement string) { pgtest.Exec(t, c.Database, statement) })
	})
}

func runsOnALaterSchema(t *testing.T, c postern.Config, change func(statement string)) {
	_, before := startServer(t, c)
	early := newClient(t, before)
	early.register("early")
	for _, statement := range expansion {
		change(statement)
	}

	// A rollback: this version starts anew on the schema of the later one.
	if steps, err := postern.Migrate(t.Context(), c); err != nil || len(steps) > 0 {
		t.Errorf("Migrate = %v, %v, want nothing to do", steps, err)
	}
	c.NoMigrate = true
	_, after := startServer(t, c)
	for name, node := range map[string]string{"one": before, "two": after} {
		late := newClient(t, node)
		late.register(name)
		for _, c := range []*client{early, late} {
			c.on(before).isIn(true)
			c.on(after).isIn(true)
		}
		if status, body := newClient(t, node).login("early", goodPassword); status != 200 {
			t.Errorf("log in: %d %s", status, body)
		}
		if status, body := late.do("POST", "/api/logout/", nil); status != 200 {
			t.Errorf("log out: %d %s", status, body)
		}
	}
}
