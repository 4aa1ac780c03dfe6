package pgstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// migrationFiles are named VERSION_NAME.sql. Each must leave the schema usable
// for the version of the program before it, which may still be running: what
// that version needs is taken away one version later at the earliest. There is
// no way down: restore a backup instead.
//
//go:embed migrations/postgresql/*.sql
var migrationFiles embed.FS

const (
	migrationFolder = "migrations/postgresql"
	// versionTable is where goose keeps what was applied, and when.
	versionTable = "postern_migration"
	newsVersion  = 3
)

// Migration is a step of the schema.
type Migration struct {
	Version int64
	Name    string    // such as "00002_postern_session"
	Applied time.Time // zero: pending
	SQL     string    // the text of the step, comments included
}

// migrateWait is how long Migrate waits for another process that migrates,
// unless its context says otherwise.
const migrateWait = time.Minute

// One process migrates at a time: who holds the row of this table. A row lock
// is all it takes, so that a pooler and engines without advisory locks do.
const (
	createLock = `create table if not exists postern_migration_lock (id integer not null primary key)`
	insertLock = `insert into postern_migration_lock (id) values (1) on conflict (id) do nothing`
	// Who waited within a statement would hold a snapshot, and an index that
	// the holder of the lock builds concurrently would wait for its end: for ever.
	takeLock = `select id from postern_migration_lock where id = 1 for update nowait`
	// The steps take as long as they take. The holder must hold no snapshot
	// either, as it would between the statements at a higher isolation level.
	lockSettings = `set transaction isolation level read committed;
		set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0`
	lockPause = 100 * time.Millisecond
)

// Migrate brings the schema up to date and returns the steps that it took, in
// their order; none is no error. Each step is applied wholly or not at all. Of
// two processes at once one waits for the other and finds nothing left to do.
// The error wraps auth.ErrUnavailable when the database can't be reached or
// stays locked.
func (s *Store) Migrate(ctx context.Context) ([]Migration, error) {
	var took []int64
	err := s.locked(ctx, func() (err error) {
		took, err = s.applyMigrations(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("migrate database %s: %w", s.name, classify(err))
	}
	all, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(m Migration) bool { return !slices.Contains(took, m.Version) }), nil
}

// locked runs work while no other process does.
func (s *Store) locked(ctx context.Context, work func() error) error {
	if err := s.makeLock(ctx); err != nil {
		return err
	}
	t, err := s.waitForLock(ctx)
	if err != nil {
		return err
	}
	defer t.Rollback(context.WithoutCancel(ctx))
	return work()
}

// waitForLock returns the transaction that holds the lock, once it can be had.
func (s *Store) waitForLock(ctx context.Context) (pgx.Tx, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, migrateWait)
		defer cancel()
	}
	for {
		t, err := s.tryLock(ctx)
		if code(err) != codeLocked {
			return t, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, context.Cause(ctx))
		case <-time.After(lockPause):
		}
	}
}

func (s *Store) tryLock(ctx context.Context) (pgx.Tx, error) {
	t, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	if _, err = t.Exec(ctx, lockSettings, pgx.QueryExecModeSimpleProtocol); err == nil {
		_, err = t.Exec(ctx, takeLock)
	}
	if err != nil {
		return nil, errors.Join(err, ended(t.Rollback(context.WithoutCancel(ctx))))
	}
	return t, nil
}

// makeLock makes the table of the lock, unless it is there. "If not exists" is
// no help against another process that makes it at the same moment: which error
// that gives depends on how far the other has got.
func (s *Store) makeLock(ctx context.Context) (err error) {
	for attempt := range attempts {
		if attempt > 0 && !pause(ctx, attempt) {
			break
		}
		if _, err = s.pool.Exec(ctx, createLock); err == nil {
			_, err = s.pool.Exec(ctx, insertLock)
		}
		if !isCreationRace(err) {
			break
		}
	}
	return err
}

// applyMigrations takes the pending steps and returns their versions.
func (s *Store) applyMigrations(ctx context.Context) ([]int64, error) {
	// Connections beside the pool's: the lock holds one, and a step that is no
	// transaction needs two more, which a small pool doesn't have.
	db := stdlib.OpenDB(*s.pool.Config().ConnConfig)
	defer db.Close()
	files, err := fs.Sub(migrationFiles, migrationFolder)
	if err != nil {
		return nil, err
	}
	provider, err := s.newProvider(ctx, db, files)
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			return nil, partial.Err
		}
		return nil, err
	}
	versions := make([]int64, len(results))
	for i, r := range results {
		versions[i] = r.Source.Version
	}
	return versions, nil
}

func (s *Store) newProvider(ctx context.Context, db *sql.DB, files fs.FS) (*goose.Provider, error) {
	tells, err := s.canTell(ctx)
	if err != nil {
		return nil, err
	}
	excluded := []string{djangoFile, rosterFile}
	own := []*goose.Migration{
		goose.NewGoMigration(1, &goose.GoFunc{RunTx: createDjangoTables}, nil),
		goose.NewGoMigration(rosterVersion, &goose.GoFunc{RunDB: s.applyRoster}, nil),
	}
	if !tells {
		excluded = append(excluded, "00003_postern_news.sql")
		nothing := &goose.GoFunc{RunTx: func(context.Context, *sql.Tx) error { return nil }}
		own = append(own, goose.NewGoMigration(newsVersion, nothing, nil))
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable),
		goose.WithDisableGlobalRegistry(true),
		goose.WithExcludeNames(excluded),
		goose.WithGoMigrations(own...),
	)
}

// canTell reports whether the engine has LISTEN and triggers. Of those that
// speak PostgreSQL's protocol, CockroachDB has no LISTEN, and YugabyteDB has it
// off unless it is asked for.
func (s *Store) canTell(ctx context.Context) (bool, error) {
	var version string
	if err := s.pool.QueryRow(ctx, `select version()`).Scan(&version); err != nil {
		return false, err
	}
	return !strings.Contains(version, "CockroachDB") && !strings.Contains(version, "-YB-"), nil
}

const selectMigrations = `select version_id, tstamp from postern_migration where is_applied`

// Status returns every step of the schema, applied or pending, and changes
// nothing.
func (s *Store) Status(ctx context.Context) ([]Migration, error) {
	steps, err := migrationSteps()
	if err != nil {
		return nil, err
	}
	applied, err := s.applied(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the migrations of database %s: %w", s.name, err)
	}
	for i := range steps {
		steps[i].Applied = applied[steps[i].Version]
	}
	return steps, nil
}

func (s *Store) applied(ctx context.Context) (map[int64]time.Time, error) {
	applied := make(map[int64]time.Time)
	there, err := s.hasTable(ctx, versionTable)
	if err != nil || !there {
		return applied, err
	}
	err = s.each(ctx, selectMigrations, nil, func(row pgx.Row) error {
		var (
			version int64
			at      time.Time
		)
		if err := row.Scan(&version, &at); err != nil {
			return err
		}
		applied[version] = at.UTC()
		return nil
	})
	return applied, err
}

func (s *Store) hasTable(ctx context.Context, name string) (there bool, err error) {
	err = s.row(ctx, selectTableNamed, []any{name}, func(row pgx.Row) error { return row.Scan(&there) })
	return there, err
}

// migrationSteps reads the embedded files, in the order of their versions.
func migrationSteps() ([]Migration, error) {
	entries, err := migrationFiles.ReadDir(migrationFolder)
	if err != nil {
		return nil, err
	}
	steps := make([]Migration, len(entries))
	for i, entry := range entries {
		text, err := migrationFiles.ReadFile(path.Join(migrationFolder, entry.Name()))
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
			SQL:     gooseMarks.Replace(string(text)),
		}
	}
	return steps, nil
}

var gooseMarks = strings.NewReplacer("-- +goose NO TRANSACTION\n", "", "-- +goose Up\n", "", "-- +goose StatementBegin\n", "", "-- +goose StatementEnd\n", "")

// neededTables are those that the statements of this room name.
var neededTables = []string{
	"auth_user", "auth_user_groups", "auth_user_user_permissions", "postern_session",
	"auth_group", "auth_group_permissions", "auth_permission", "django_content_type",
	"postern_audit", "postern_node", "postern_timeline",
}

// statements are all that the store runs once it is migrated, for Ready to
// hold against the schema. deleteUserAdminLog is missing: its table may be too.
var statements = []string{
	selectUserByName, selectUserByID, insertUser, updateUser, lockSuperusers, selectUserID,
	deleteUserGroups, deleteUserPermissions, deleteUser, selectUsers, selectNewestUsers,
	selectRecentHashes,
	stampLogin, moveAuthHash, insertSession, pruneSessions, lockUser,
	selectIdentity, deleteSession, deleteSessionsOfUser, touchLastSeen, touchExpires,
	selectSessions, selectSessionsOfUser, countSessions,
	selectSessionPage + sessionsOf + byCreated, selectSessionPage + byCreatedBack, selectSessionPage + bySeen, selectSessionPage + bySeenBack,
	selectSessionStop, selectSessionStopBack, selectManySessions, countLiveSessions,
	pickInactive, pickStaff, pickSuperusers, pickGroup, pickAlgorithm, pickJoined, pickLastLogin, pickNeverLogged,
	pickUsername, pickEmail, pickFirstName, pickLastName,
	editUser, insertUserGroups, deleteOtherGroups, countGroupsAmong,
	insertUserPermissions, deleteOtherPermissions, countPermissionsAmong,
	lockUsers, setActive, selectHasSuperuser, deleteSessionsOfUsers,
	selectPermissions, selectPermissionsOfGroup, selectPermissionsOfUser, selectAllPermissionsOfUser, selectGroupsOfUser,
	selectGroups, selectGroupsBefore, selectGroup, insertGroup, renameGroup, deleteGroup, selectAGroup,
	deleteGroupMembers, deleteGroupPermissions, deleteOtherOfGroup, insertGroupPermissions,
	reportNode, deleteSilentNodes, deleteNode, selectNodes,
	insertAudit, selectAudit, countAudit, sweepAudit,
	sweepExpired.unlocked(), sweepIdle.unlocked(), sweepOrphans.unlocked(),
	makeMark, insertToken, selectToken,
}

// Ready reports whether the database has the tables that the store needs, in
// the shape that it needs; for a start without Migrate. The error says what
// is missing.
func (s *Store) Ready(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var missing []string
	for _, name := range neededTables {
		there, err := s.hasTable(ctx, name)
		if err != nil {
			return fmt.Errorf("look at the tables of database %s: %w", s.name, err)
		}
		if !there {
			missing = append(missing, name)
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		return fmt.Errorf("database %s lacks the table %s; run postern migrate", s.name, missing[0])
	default:
		return fmt.Errorf("database %s lacks the tables %s; run postern migrate", s.name, strings.Join(missing, ", "))
	}
	return s.prepareAll(ctx)
}

// prepareAll has the server read every statement.
func (s *Store) prepareAll(ctx context.Context) error {
	t, err := s.begin(ctx)
	if err != nil {
		return fmt.Errorf("look at the tables of database %s: %w", s.name, classify(err))
	}
	defer t.Rollback(context.WithoutCancel(ctx))
	for _, statement := range statements {
		if _, err := t.Conn().PgConn().Prepare(ctx, "", statement, nil); err != nil {
			if err := classify(err); code(err) == "" {
				return fmt.Errorf("look at the tables of database %s: %w", s.name, err)
			}
			return fmt.Errorf("database %s has tables of another shape than this version needs; run postern migrate: %w", s.name, err)
		}
	}
	return nil
}
