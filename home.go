package postern

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/dburl"
	"github.com/postern-auth/postern/internal/pgstore"
	"github.com/postern-auth/postern/internal/recall"
	"github.com/postern-auth/postern/internal/redisstore"
	"github.com/postern-auth/postern/internal/sqlstore"
)

// home is the database of the users, and of the sessions unless they have a
// store of their own.
type home interface {
	auth.UserStore
	auth.SessionStore
	auth.Sweeper
	auth.LoginStore
	auth.Roster
	auth.GroupStore
	auth.SessionRoster
	auth.AuditStore
	auth.NodeStore
	schema
	projectStore
	// ForeignUsers says why auth_user is not the table of the users.
	ForeignUsers(ctx context.Context) (string, error)
	Ping(context.Context) error
	CountSessions(context.Context) (int64, error)
	Close() error
}

// sessionHome is a store for sessions alone.
type sessionHome interface {
	auth.SessionStore
	auth.SessionRoster
	// Take and TakeSlot count an attempt for the throttles of all nodes.
	Take(ctx context.Context, key string, interval, burst time.Duration) (wait time.Duration, err error)
	TakeSlot(ctx context.Context, key, device, network string, w redisstore.Waitlist, queue bool) (wait time.Duration, settled bool, err error)
	Ping(context.Context) error
	Close() error
	// TryWrite reports whether writes are taken.
	TryWrite(context.Context) error
}

// stores are where users and sessions live.
type stores struct {
	database home
	sessions sessionHome // nil: in the database, too
	replica  replica     // nil: none
}

// replica is a copy of the database, or of its users, that session checks ask
// first.
type replica interface {
	auth.Replica
	// CheckReplica says why it is not asked now.
	CheckReplica(context.Context) error
}

// openStores opens and migrates, or looks whether all is there.
func openStores(ctx context.Context, c Config, memory *recall.Memory, i *instruments) (*stores, error) {
	database, err := openHome(ctx, c, memory, i)
	if err != nil {
		return nil, err
	}
	s := &stores{database: database}
	if c.DatabaseReplica != "" {
		s.replica = database.(postgresHome) // as Config.Validate demands
	}
	if c.NoMigrate {
		err = database.Ready(ctx)
	} else {
		_, err = database.migrate(ctx)
	}
	if err == nil && c.SessionStore != "" {
		err = s.openSessions(ctx, c, memory, i)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stores) openSessions(ctx context.Context, c Config, memory *recall.Memory, i *instruments) error {
	o := redisstore.Options{Replicas: c.SessionReplicas, Now: c.Now, Log: c.Log}
	if memory != nil {
		o.News, o.Heartbeat = memory.Hear, memory.Listen("session store")
	}
	store, err := redisstore.Open(ctx, c.SessionStore, i.usersOfSessions(s.database, &c, &o), o)
	if err != nil {
		return err
	}
	s.sessions = store
	if s.replica != nil {
		s.replica = usersReplica{store, s.database.(postgresHome)}
	}
	return nil
}

// usersReplica is the replica when the sessions are elsewhere.
type usersReplica struct {
	sessions *redisstore.Store
	users    postgresHome
}

func (r usersReplica) ReplicaIdentity(ctx context.Context, id auth.SessionID) *auth.Identity {
	return r.sessions.IdentityWith(ctx, id, r.users.ReplicaUser)
}

func (r usersReplica) CheckReplica(ctx context.Context) error { return r.users.CheckReplica(ctx) }

func (s *stores) ofSessions() auth.SessionStore {
	if s.sessions != nil {
		return s.sessions
	}
	return s.database
}

func (s *stores) rosterOfSessions() auth.SessionRoster {
	if s.sessions != nil {
		return s.sessions
	}
	return s.database
}

func (s *stores) close() error {
	var err error
	if s.sessions != nil {
		err = s.sessions.Close()
	}
	return errors.Join(err, s.database.Close())
}

// schema is what a database needs to have tables.
type schema interface {
	// Ready says what is missing.
	Ready(context.Context) error
	// migrate returns the steps that it took.
	migrate(context.Context) ([]Migration, error)
	// steps returns all, applied or pending.
	steps(context.Context) ([]Migration, error)
	// The indexes on auth_user that the admin site is faster with.
	AdminIndexes(context.Context) (made, all int, err error)
	MakeAdminIndexes(context.Context) error
	DropAdminIndexes(context.Context) error
}

type sqliteHome struct{ *sqlstore.Store }

func (h sqliteHome) migrate(ctx context.Context) ([]Migration, error) {
	steps, err := h.Migrate(ctx)
	return publicMigrations(steps), err
}

func (h sqliteHome) steps(ctx context.Context) ([]Migration, error) {
	steps, err := h.Status(ctx)
	return publicMigrations(steps), err
}

func publicMigrations(steps []sqlstore.Migration) []Migration {
	migrations := make([]Migration, len(steps))
	for i, s := range steps {
		migrations[i] = Migration{Name: s.Name, Applied: s.Applied, SQL: s.SQL}
	}
	return migrations
}

type postgresHome struct{ *pgstore.Store }

func (h postgresHome) migrate(ctx context.Context) ([]Migration, error) {
	steps, err := h.Migrate(ctx)
	return publicPostgresMigrations(steps), err
}

func (h postgresHome) steps(ctx context.Context) ([]Migration, error) {
	steps, err := h.Status(ctx)
	return publicPostgresMigrations(steps), err
}

func publicPostgresMigrations(steps []pgstore.Migration) []Migration {
	migrations := make([]Migration, len(steps))
	for i, s := range steps {
		migrations[i] = Migration{Name: s.Name, Applied: s.Applied, SQL: s.SQL}
	}
	return migrations
}

func isPostgres(url string) bool { return dburl.IsPostgres(url) }

// databaseSystem is the database's name in OpenTelemetry's conventions.
func (c *Config) databaseSystem() string {
	if isPostgres(c.Database) {
		return "postgresql"
	}
	return "sqlite"
}

// sessionSystem is the same name of where the sessions are. Valkey is told
// from Redis by nobody: it speaks as Redis does.
func (c *Config) sessionSystem() string {
	if c.SessionStore != "" {
		return "redis"
	}
	return c.databaseSystem()
}

// openHome opens the database, whose news memory hears.
func openHome(ctx context.Context, c Config, memory *recall.Memory, i *instruments) (home, error) {
	if err := errors.Join(databaseMistakes(&c)...); err != nil {
		return nil, err
	}
	store, err := openEngine(ctx, c, memory, i)
	if err != nil {
		return nil, err
	}
	found, err := store.ForeignUsers(ctx)
	if err := refuseForeignUsers(&c, found, err); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

func openEngine(ctx context.Context, c Config, memory *recall.Memory, i *instruments) (home, error) {
	if isPostgres(c.Database) {
		return openPostgres(ctx, c, memory, i)
	}
	path, err := databasePath(c.Database)
	if err != nil {
		return nil, err
	}
	// Before the file is opened to be written, which changes its journal mode.
	// What can't be found out now is asked again.
	if found, err := sqlstore.ForeignUsers(ctx, path); err == nil && found != "" {
		return nil, refuseForeignUsers(&c, found, nil)
	}
	o := sqlstore.Options{Now: c.Now, Log: c.Log}
	if memory != nil {
		o.News, o.Heartbeat = memory.Hear, memory.Listen("database")
	}
	if i != nil {
		o.Observe = i.metrics.Database
	}
	store, err := sqlstore.OpenSQLite(ctx, path, o)
	if err != nil {
		return nil, err
	}
	return sqliteHome{store}, nil
}

func openPostgres(ctx context.Context, c Config, memory *recall.Memory, i *instruments) (postgresHome, error) {
	o := pgstore.Options{ListenURL: c.DatabaseListen, ReplicaURL: c.DatabaseReplica, MaxConns: c.DatabaseConnections, Now: c.Now, Log: c.Log}
	if memory != nil {
		o.News, o.Heartbeat = memory.Hear, memory.Listen("database")
	}
	if i != nil {
		o.Observe = i.metrics.Database
	}
	store, err := pgstore.Open(ctx, c.Database, o)
	if err != nil {
		return postgresHome{}, err
	}
	return postgresHome{store}, nil
}

// databaseMistakes is what is wrong with the settings of the database.
func databaseMistakes(c *Config) mistakes {
	var m mistakes
	// The value of an address that was not understood may be a password.
	check := func(setting string, problem error) {
		if problem != nil {
			m.add(setting, "", problem.Error())
		}
	}
	if isPostgres(c.Database) {
		check("POSTERN_DATABASE_URL", pgstore.CheckURL(c.Database))
	} else {
		_, err := databasePath(c.Database)
		check("POSTERN_DATABASE_URL", err)
	}
	if c.DatabaseListen != "" {
		err := pgstore.CheckURL(c.DatabaseListen)
		if err == nil && !isPostgres(c.Database) {
			err = errors.New("is of use only when POSTERN_DATABASE_URL is a PostgreSQL database; leave it out")
		}
		check("POSTERN_DATABASE_LISTEN", err)
	}
	if c.DatabaseReplica != "" {
		err := pgstore.CheckReplicaURL(c.DatabaseReplica)
		if err == nil && !isPostgres(c.Database) {
			err = errors.New("is of use only when POSTERN_DATABASE_URL is a PostgreSQL database; leave it out")
		}
		check("POSTERN_DATABASE_REPLICA", err)
	}
	if c.SessionStore != "" {
		check("POSTERN_SESSION_STORE", redisstore.CheckURL(c.SessionStore))
	}
	if n := c.SessionReplicas; n < 0 || n > maxReplicas {
		m.add("POSTERN_SESSION_REPLICAS", fmt.Sprint(n), fmt.Sprintf("must be 0 (none is waited for) to %d", maxReplicas))
	}
	if c.SessionReplicas > 0 && c.SessionStore == "" {
		m.add("POSTERN_SESSION_REPLICAS", fmt.Sprint(c.SessionReplicas), "is of use only with a POSTERN_SESSION_STORE; leave it out")
	}
	if n := c.DatabaseConnections; n < 0 || n > maxConnections {
		m.add("POSTERN_DATABASE_CONNECTIONS", fmt.Sprint(n), fmt.Sprintf("must be 0 (a few for each processor) to %d", maxConnections))
	}
	return m
}

const maxReplicas = 100

// maxConnections is more than a PostgreSQL server likes.
const maxConnections = 10_000
