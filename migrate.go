package postern

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/sqlstore"
)

// Migration is one step of the database's schema.
type Migration struct {
	Name    string
	Applied time.Time // zero: pending
	SQL     string    // what it does
}

// Migrate brings the database's schema up to date and returns the steps it
// took. Running it twice, or in two processes at once, is safe.
func Migrate(ctx context.Context, c Config) ([]Migration, error) {
	return migrations(ctx, c, true)
}

// Migrations returns every step of the schema, applied or pending, and
// changes nothing.
func Migrations(ctx context.Context, c Config) ([]Migration, error) {
	return migrations(ctx, c, false)
}

func migrations(ctx context.Context, c Config, apply bool) (_ []Migration, err error) {
	store, err := openStore(ctx, c, nil, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	list := store.Status
	if apply {
		list = store.Migrate
	}
	steps, err := list(ctx)
	if err != nil {
		return nil, err
	}
	return publicMigrations(steps), nil
}

// DatabaseCondition is what [CheckDatabase] found.
type DatabaseCondition struct {
	Exists     bool // false: Open will create the file
	Migrations []Migration
}

// Pending returns the steps of the schema that Migrate, or Open, would take.
func (c *DatabaseCondition) Pending() []Migration {
	var pending []Migration
	for _, m := range c.Migrations {
		if m.Applied.IsZero() {
			pending = append(pending, m)
		}
	}
	return pending
}

// CheckDatabase finds out whether Open can use the database of c, and leaves
// it as it is: is it there or can it be created, can it be written, is its
// schema complete or can Open complete it? The error says what stands
// against it; then the condition may be nil.
func CheckDatabase(ctx context.Context, c Config) (*DatabaseCondition, error) {
	path, err := databasePath(c.Database)
	if err != nil {
		return nil, &ConfigError{Setting: "POSTERN_DATABASE_URL", Value: withoutCredentials(c.Database), Problem: err.Error()}
	}
	inspected, err := sqlstore.InspectSQLite(ctx, path)
	if inspected == nil {
		return nil, err
	}
	found := &DatabaseCondition{Exists: inspected.Exists, Migrations: publicMigrations(inspected.Steps)}
	if pending := len(found.Pending()); err == nil && c.NoMigrate && pending > 0 {
		err = fmt.Errorf("database %s lacks %d of %d steps of its schema, and POSTERN_NO_MIGRATE is set; run postern migrate", path, pending, len(found.Migrations))
	}
	return found, err
}

func publicMigrations(steps []sqlstore.Migration) []Migration {
	migrations := make([]Migration, len(steps))
	for i, s := range steps {
		migrations[i] = Migration{Name: s.Name, Applied: s.Applied, SQL: s.SQL}
	}
	return migrations
}
