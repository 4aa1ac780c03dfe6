package pgstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/clock"
)

// How a replica is asked. A standby is behind its primary by as much as it
// likes, so its answer counts only when it is proved to be as new as it has to
// be: docs/postgresql.md, "Read replicas", has the argument. A watcher asks
// the primary, several times a second and after each piece of news, how far
// its log has got, which is a mark; and the standby, how far it has followed.
// A read of the standby counts if it has reached a mark that is younger than
// maxMarkAge and was made after all the news that this store has told so far.
// In doubt, and whenever it does not say yes, the primary is asked.
const (
	watchEvery = 200 * time.Millisecond
	// watchPause is the least time between two questions, however much news
	// there is.
	watchPause = 20 * time.Millisecond
	// maxMarkAge bounds by how much a read may be behind: half of what a
	// memory of sessions may be (recall.MaxSilence).
	maxMarkAge = 500 * time.Millisecond
	maxMarks   = 8
	// replicaWait is how long a read may take before the primary is asked.
	replicaWait = 250 * time.Millisecond
	// toldAfter is for how long a replica is of no use before the log says so.
	toldAfter = 5 * time.Second
)

// The history of a primary is known by its timeline, whose number two servers
// may share that were promoted apart, and a token written under it. A standby
// that has the token follows that history. The token's transaction, like each
// one of makeMark, has a number, so that its commit puts on the disk, and on
// the way to the standbys, all that was written before.
const (
	makeMark = `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, pg_current_xact_id()::text,
		('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint`
	insertToken = `insert into postern_timeline (timeline, token) values ($1::bigint, $2::text) on conflict do nothing`
	selectToken = `select token from postern_timeline where timeline = $1::bigint`
	// hasReached is asked before the rows are read, in a statement of its own:
	// what it says of a moment is true of every later snapshot. (Each statement
	// has one of its own, unless someone has set another isolation.)
	hasReached = `select current_setting('transaction_isolation') = 'read committed'
		and pg_is_in_recovery() and pg_last_wal_replay_lsn() >= ('0/0'::pg_lsn + $1::bigint)
		and exists (select from postern_timeline where timeline = $2::bigint and token = $3::text)`
	// selectReplayed is 0 for a standby of another history.
	selectReplayed = `select case when exists (select from postern_timeline where timeline = $1::bigint and token = $2::text)
		then coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0)::bigint else 0 end`
)

// mark is a place in the primary's log.
type mark struct {
	lsn      int64
	timeline int64
	token    string
	news     uint64    // what had been told when it was begun
	began    time.Time // before it was made
}

// replica is the standby of a store.
type replica struct {
	store  *Store
	pool   *pgxpool.Pool
	name   string
	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}

	mu       sync.Mutex
	news     uint64 // pieces of news that were told
	marks    []mark // the oldest first
	replayed int64  // as far as the standby had followed
	answered time.Time

	tokens map[int64]string // of timelines; the watcher's own
}

// openReplica starts to watch a standby. One that is away is no error: it is
// used once it can be.
func (s *Store) openReplica(ctx context.Context) error {
	config, err := parseReplicaURL(s.o.ReplicaURL, s.o.MaxConns)
	if err != nil {
		return fmt.Errorf("the URL of the replica %w", err)
	}
	r := &replica{store: s, name: nameOf(config.ConnConfig), wake: make(chan struct{}, 1), ended: make(chan struct{}), tokens: make(map[int64]string)}
	if r.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), config); err != nil {
		return fmt.Errorf("open replica %s: %w", r.name, err)
	}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.replica = r
	go func() {
		defer close(r.ended)
		r.watch(ctx)
	}()
	return nil
}

// CheckReplicaURL returns what is wrong with a URL for Options.ReplicaURL,
// without its password.
func CheckReplicaURL(url string) error {
	_, err := parseReplicaURL(url, 0)
	return err
}

// parseReplicaURL is parseURL for servers that take no writes. One that was
// promoted is no replica any more.
func parseReplicaURL(url string, maxConns int) (*pgxpool.Config, error) {
	config, err := parseURL(url, maxConns)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsStandby
	return config, nil
}

func (r *replica) close() {
	r.cancel()
	<-r.ended
	r.pool.Close()
}

// hear notes a piece of news before anyone is told: from now on only what was
// read after it was written counts.
func (r *replica) hear() {
	r.mu.Lock()
	r.news++
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// watch goes on until ctx ends.
func (r *replica) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	useful, told := time.Now(), false
	log := r.store.o.Log
	for {
		err := r.look(ctx)
		switch now := time.Now(); {
		case ctx.Err() != nil:
			return
		case err == nil:
			if useful = now; told {
				log.LogAttrs(ctx, slog.LevelInfo, "the replica is read again", slog.String("replica", r.name))
				told = false
			}
		case !told && now.Sub(useful) > toldAfter:
			log.LogAttrs(ctx, slog.LevelWarn, "the replica is of no use: the primary is read", slog.String("replica", r.name), slog.Any("error", err))
			told = true
		}
		select {
		case <-tick.C:
		case <-r.wake:
			select {
			case <-time.After(watchPause):
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

var errBehind = errors.New("it is behind its primary, or follows another")

// look makes a mark and asks how far the standby is.
func (r *replica) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxMarkAge)
	defer cancel()
	if err := r.makeMark(ctx); err != nil {
		return fmt.Errorf("ask the primary how far it is: %w", err)
	}
	var replayed int64
	latest := r.marks[len(r.marks)-1] // which nobody else changes
	err := r.pool.QueryRow(ctx, selectReplayed, latest.timeline, latest.token).Scan(&replayed)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.answered = time.Time{}
		return err
	}
	r.replayed, r.answered = replayed, time.Now()
	if replayed < r.marks[0].lsn {
		return errBehind
	}
	return nil
}

func (r *replica) makeMark(ctx context.Context) error {
	r.mu.Lock()
	m := mark{news: r.news, began: time.Now()}
	r.mu.Unlock()
	err := pgx.BeginFunc(ctx, r.store.pool, func(t pgx.Tx) (err error) {
		// The disk is waited for, and no standby.
		if _, err := t.Exec(ctx, `set local synchronous_commit = local`); err != nil {
			return err
		}
		var number string
		if err := t.QueryRow(ctx, makeMark).Scan(&m.lsn, &number, &m.timeline); err != nil {
			return err
		}
		if m.token = r.tokens[m.timeline]; m.token == "" {
			m.token, err = tokenOf(ctx, t, m.timeline)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.tokens[m.timeline] = m.token
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.marks); n > 0 && r.marks[n-1].timeline != m.timeline {
		r.marks = nil
	}
	r.marks = append(r.marks, m)
	for len(r.marks) > maxMarks || r.marks[0].news < m.news || clock.Age(r.marks[0].began, m.began) > maxMarkAge {
		r.marks = r.marks[1:]
	}
	return nil
}

// tokenOf returns a timeline's token, which the first to ask makes.
func tokenOf(ctx context.Context, t pgx.Tx, timeline int64) (token string, err error) {
	if err = t.QueryRow(ctx, selectToken, timeline).Scan(&token); !isNoRow(err) {
		return token, err
	}
	if _, err = t.Exec(ctx, insertToken, timeline, rand.Text()); err != nil {
		return "", err
	}
	err = t.QueryRow(ctx, selectToken, timeline).Scan(&token)
	return token, err
}

// needed returns the oldest mark that a read has to have reached, if the
// standby is likely to have.
func (r *replica) needed() (mark, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if clock.Age(r.answered, now) > maxMarkAge {
		return mark{}, false
	}
	for _, m := range r.marks {
		if m.news == r.news && clock.Age(m.began, now) < maxMarkAge {
			return m, r.replayed >= m.lsn
		}
	}
	return mark{}, false
}

// fail has the standby not asked until the watcher has found it well.
func (r *replica) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered = time.Time{}
}

// read reads one row of the standby, and reports whether it did, as of a
// moment that is late enough.
func (r *replica) read(ctx context.Context, query string, key any, scan func(pgx.Row) error) bool {
	m, likely := r.needed()
	if !likely {
		return false
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, replicaWait)
	defer cancel()
	var batch pgx.Batch
	batch.Queue(hasReached, m.lsn, m.timeline, m.token)
	batch.Queue(query, key)
	results := r.pool.SendBatch(ctx, &batch)
	var reached bool
	err := results.QueryRow().Scan(&reached)
	if err == nil && reached {
		err = scan(results.QueryRow())
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	switch {
	case isNoRow(err), err == nil && !reached:
		return false
	case err != nil:
		r.fail()
		return false
	}
	r.store.o.Observe("replica", 1, time.Since(began))
	return true
}

// ReplicaIdentity implements auth.Replica.
func (s *Store) ReplicaIdentity(ctx context.Context, id auth.SessionID) *auth.Identity {
	if s.replica == nil {
		return nil
	}
	var identity auth.Identity
	if !s.replica.read(ctx, selectIdentity, id[:], s.identityInto(&identity, id)) {
		return nil
	}
	return &identity
}

// ReplicaUser is UserByID from the replica, nil if it can't vouch for an
// answer that is new enough: for a home of sessions that is elsewhere.
func (s *Store) ReplicaUser(ctx context.Context, id int64) *auth.User {
	if s.replica == nil {
		return nil
	}
	var user *auth.User
	if !s.replica.read(ctx, selectUserByID, id, func(row pgx.Row) (err error) {
		user, err = s.scanUser(row)
		return err
	}) {
		return nil
	}
	return user
}

// CheckReplica says why the replica is not asked at the moment; nil if it is,
// or if there is none.
func (s *Store) CheckReplica(context.Context) error {
	r := s.replica
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case clock.Age(r.answered, time.Now()) > 2*maxMarkAge:
		return errors.New("the replica, or its primary, does not answer")
	case len(r.marks) == 0 || r.replayed < r.marks[0].lsn:
		return fmt.Errorf("the replica: %w", errBehind)
	}
	return nil
}
