package postern

import (
	"context"
	"errors"
	"time"
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
	migrations := make([]Migration, len(steps))
	for i, s := range steps {
		migrations[i] = Migration{Name: s.Name, Applied: s.Applied, SQL: s.SQL}
	}
	return migrations, nil
}
