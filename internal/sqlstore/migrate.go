package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// migrationFiles are named VERSION_NAME.sql. There is no way down: restore a
// backup instead.
//
//go:embed migrations/sqlite/*.sql
var migrationFiles embed.FS

// versionTable is where goose keeps what was applied, and when.
const versionTable = "postern_migration"

// Migration is a step of the schema.
type Migration struct {
	Version int64
	Name    string    // such as "00002_postern_session"
	Applied time.Time // to the second; zero: pending
	SQL     string    // the text of the step, comments included
}

// migrateWait is how long Migrate waits for another process that migrates,
// unless its context says otherwise.
const migrateWait = time.Minute

// Migrate brings the schema up to date and returns the steps that it took, in
// their order; none is no error. Either all of them are applied or, with an
// error, none. Of two processes at once one waits for the other and finds
// nothing left to do. The error wraps auth.ErrUnavailable when the database
// stays locked or can't be written.
func (s *Store) Migrate(ctx context.Context) ([]Migration, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, migrateWait)
		defer cancel()
	}
	var took []int64
	err := s.write.doAlone(ctx, func(t *tx) error {
		return t.conn.Raw(func(driverConn any) (err error) {
			took, err = applyMigrations(context.WithoutCancel(ctx), driverConn)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("migrate database %s: %w", s.path, err)
	}
	all, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	var steps []Migration
	for _, m := range all {
		for _, version := range took {
			if m.Version == version {
				steps = append(steps, m)
			}
		}
	}
	return steps, nil
}

// applyMigrations takes the pending steps on a connection that is in a
// transaction already and returns their versions.
func applyMigrations(ctx context.Context, driverConn any) ([]int64, error) {
	db, err := within(driverConn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	files, err := fs.Sub(migrationFiles, "migrations/sqlite")
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithTableName(versionTable),
		goose.WithDisableGlobalRegistry(true),
		goose.WithExcludeNames([]string{djangoFile, rosterFile}),
		goose.WithGoMigrations(
			goose.NewGoMigration(1, &goose.GoFunc{RunTx: createDjangoTables}, nil),
			goose.NewGoMigration(rosterVersion, &goose.GoFunc{RunTx: applyRoster}, nil),
		),
	)
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, err
	}
	versions := make([]int64, len(results))
	for i, r := range results {
		versions[i] = r.Source.Version
	}
	return versions, nil
}

const (
	selectAnyTable   = `select 1 from sqlite_master limit 1`
	selectTableNamed = `select count(*) from sqlite_master where type = 'table' and name = $1`
	// The driver would guess at the form of a time in a timestamp column.
	selectMigrations = `select version_id, cast(tstamp as text) from postern_migration where is_applied = 1`
)

// Status returns every step of the schema, applied or pending, and changes
// nothing.
func (s *Store) Status(ctx context.Context) ([]Migration, error) {
	steps, err := migrationSteps()
	if err != nil {
		return nil, err
	}
	applied, err := s.applied(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the migrations of database %s: %w", s.path, err)
	}
	for i := range steps {
		steps[i].Applied = applied[steps[i].Version]
	}
	return steps, nil
}

// Pending returns the steps that Migrate would take, and changes nothing.
func (s *Store) Pending(ctx context.Context) ([]Migration, error) {
	all, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	var pending []Migration
	for _, m := range all {
		if m.Applied.IsZero() {
			pending = append(pending, m)
		}
	}
	return pending, nil
}

func (s *Store) applied(ctx context.Context) (map[int64]time.Time, error) {
	applied := make(map[int64]time.Time)
	there, err := s.hasTable(ctx, versionTable)
	if err != nil || !there {
		return applied, err
	}
	err = s.lists.each(ctx, selectMigrations, nil, func(row scanner) error {
		r, err := scanRow(row, 2)
		if err != nil {
			return err
		}
		at, _ := r.values[1].time()
		if at.IsZero() { // a time that can't be read must not make an applied step pending
			at = time.Unix(0, 0).UTC()
		}
		if version, ok := r.values[0].int(); ok {
			applied[version] = at
		}
		return nil
	})
	return applied, err
}

func (s *Store) hasTable(ctx context.Context, name string) (bool, error) {
	var n int
	err := s.lists.row(ctx, selectTableNamed, []any{name}).Scan(&n)
	return n > 0, err
}

// migrationSteps reads the embedded files, in the order of their versions.
func migrationSteps() ([]Migration, error) {
	const dir = "migrations/sqlite"
	entries, err := migrationFiles.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	steps := make([]Migration, len(entries))
	for i, entry := range entries {
		text, err := migrationFiles.ReadFile(path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(entry.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", entry.Name(), err)
		}
		steps[i] = Migration{
			Version: version,
			Name:    strings.TrimSuffix(entry.Name(), ".sql"),
			SQL:     strings.ReplaceAll(string(text), "-- +goose Up\n", ""),
		}
	}
	return steps, nil
}

// neededTables are those that the statements of this room name.
var neededTables = []string{
	"auth_user", "auth_user_groups", "auth_user_user_permissions", "postern_session",
	"auth_group", "auth_group_permissions", "auth_permission", "django_content_type",
}

// Ready reports whether the database has the tables that the store needs, in
// the shape that it needs; for a start without Migrate. The error says what
// is missing.
func (s *Store) Ready(ctx context.Context) error {
	var missing []string
	for _, name := range neededTables {
		there, err := s.hasTable(ctx, name)
		if err != nil {
			return fmt.Errorf("look at the tables of database %s: %w", s.path, err)
		}
		if !there {
			missing = append(missing, name)
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		return fmt.Errorf("database %s lacks the table %s; run postern migrate", s.path, missing[0])
	default:
		return fmt.Errorf("database %s lacks the tables %s; run postern migrate", s.path, strings.Join(missing, ", "))
	}
	for _, query := range statements {
		if err := s.lists.prepare(ctx, query); err != nil {
			return fmt.Errorf("database %s has tables of another shape than this version needs; run postern migrate: %w", s.path, err)
		}
	}
	return nil
}
