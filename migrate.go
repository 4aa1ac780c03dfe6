package postern

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/redact"
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

func migrations(ctx context.Context, c Config, apply bool) (steps []Migration, err error) {
	err = withHome(ctx, c, func(store home) error {
		if apply {
			steps, err = store.migrate(ctx)
		} else {
			steps, err = store.steps(ctx)
		}
		return err
	})
	return steps, err
}

// AdminIndexes says how many of the indexes on auth_user there are that make
// the lists of the admin site fast, and how many there can be. [Migrate] makes
// them, but not on the table of a Django project: there [MakeAdminIndexes] does.
func AdminIndexes(ctx context.Context, c Config) (made, all int, err error) {
	err = withHome(ctx, c, func(store home) error {
		made, all, err = store.AdminIndexes(ctx)
		return err
	})
	return made, all, err
}

// MakeAdminIndexes makes those that are missing. The schema must be up to date.
func MakeAdminIndexes(ctx context.Context, c Config) error {
	return withHome(ctx, c, func(store home) error { return store.MakeAdminIndexes(ctx) })
}

// DropAdminIndexes takes them away. Lists are right without them, and slower.
func DropAdminIndexes(ctx context.Context, c Config) error {
	return withHome(ctx, c, func(store home) error { return store.DropAdminIndexes(ctx) })
}

func withHome(ctx context.Context, c Config, act func(home) error) (err error) {
	store, err := openHome(ctx, c, nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return act(store)
}

// DatabaseCondition is what [CheckDatabase] found.
type DatabaseCondition struct {
	Exists     bool // false: Open will create the file
	Migrations []Migration
	// Replica says why the standby of DatabaseReplica would not be asked as
	// things are; nil: it would, or there is none. Open does not mind.
	Replica error
	// Hashes says how new passwords are hashed, and why, in the database of a
	// Django project, whose hashes are followed; "" in any other.
	Hashes string
	// Warnings is what an operator of such a database should know, and which
	// users can't be read: of the 10,000 with the highest ids the first 20.
	Warnings []string
	// Weaknesses is what is weak in how a PostgreSQL server is set up, as
	// [Config.Weaknesses] has it of the settings.
	Weaknesses []Weakness
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
	if err := errors.Join(databaseMistakes(&c)...); err != nil {
		return nil, err
	}
	inspect := inspectSQLite
	if isPostgres(c.Database) {
		inspect = inspectPostgres
	}
	found, err := inspect(ctx, c)
	if found == nil {
		return nil, err
	}
	if pending := len(found.Pending()); err == nil && c.NoMigrate && pending > 0 {
		err = fmt.Errorf("database %s lacks %d of %d steps of its schema, and POSTERN_NO_MIGRATE is set; run postern migrate", redact.URL(c.Database), pending, len(found.Migrations))
	}
	return found, err
}

func inspectSQLite(ctx context.Context, c Config) (*DatabaseCondition, error) {
	path, err := databasePath(c.Database)
	if err != nil {
		return nil, err
	}
	foreign, err := sqlstore.ForeignUsers(ctx, path)
	if err := refuseForeignUsers(&c, foreign, err); err != nil {
		return nil, err
	}
	inspected, err := sqlstore.InspectSQLite(ctx, path)
	if inspected == nil {
		return nil, err
	}
	found := &DatabaseCondition{Exists: inspected.Exists, Migrations: publicMigrations(inspected.Steps)}
	err = errors.Join(err, found.meet(ctx, &c, inspected))
	found.warnOf(inspected.Unreadable)
	return found, err
}

func inspectPostgres(ctx context.Context, c Config) (_ *DatabaseCondition, err error) {
	url := c.DatabaseReplica
	c.DatabaseReplica = "" // which would be written to
	store, err := openPostgres(ctx, c, nil, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	foreign, err := store.ForeignUsers(ctx)
	if err := refuseForeignUsers(&c, foreign, err); err != nil {
		return nil, err
	}
	steps, err := store.steps(ctx)
	if err != nil {
		return nil, err
	}
	found := &DatabaseCondition{Exists: true, Migrations: steps}
	if err := found.meet(ctx, &c, store); err != nil {
		return found, err
	}
	if len(found.Pending()) == 0 {
		if err := store.Ready(ctx); err != nil {
			return found, err
		}
		unreadable, err := auth.UnreadableUsers(ctx, store)
		if err != nil {
			return found, err
		}
		found.warnOf(unreadable)
	}
	server, err := store.Condition(ctx)
	if err != nil {
		return found, err
	}
	if url != "" {
		found.Replica = store.InspectReplica(ctx, url)
	}
	for _, rule := range weakDatabases {
		for _, value := range rule.values(&databaseServer{server, redact.URL(url), found.Replica}) {
			found.Weaknesses = append(found.Weaknesses, rule.weakness(value))
		}
	}
	return found, nil
}

// warnOf adds warnings of users who can't be read.
func (d *DatabaseCondition) warnOf(users []auth.User) {
	for i := range users {
		u := &users[i]
		d.Warnings = append(d.Warnings, fmt.Sprintf("auth_user, id %d: unreadable %s; the user cannot log in; fix: postern users repair --id %d", u.ID, u.Unreadable, u.ID))
	}
}

// meet finds out about a Django project in the database.
func (d *DatabaseCondition) meet(ctx context.Context, c *Config, store projectStore) error {
	project, choice, err := chooseHashes(ctx, store, c.Passwords.hashing(nil))
	if err != nil || !project {
		return err
	}
	d.Hashes = fmt.Sprintf("%s (%s)", choice, choice.Reason)
	defaults := c.withDefaults()
	if warning := cookieWarning(&defaults); warning != "" {
		d.Warnings = append(d.Warnings, warning)
	}
	return nil
}
