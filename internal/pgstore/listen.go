package pgstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postern-auth/postern/internal/auth"
)

// How the news is heard. One connection listens on two channels: postern_news,
// where triggers tell what was committed, and one of this listener's own. Every
// pingEvery a ping is sent to the latter through the pool, with the time at
// which it began. PostgreSQL tells a listener what was committed in the order
// of the commits, whatever the channel: a ping that is heard proves that all
// news of what was committed before it began has been heard.
const (
	newsChannel = "postern_news"
	pingChannel = "postern_ping_"
	pingEvery   = 200 * time.Millisecond
	// deafAfter is how long nothing may be heard before the connection is
	// given up: it may be cut without either end knowing.
	deafAfter = time.Second
	// retryAtMost is the longest pause before the next attempt to listen.
	retryAtMost = time.Second
	// maxPings is how many pings may be under way.
	maxPings = 16
)

// newsTriggers are what has to be there for news to be told; see migration 3.
var newsTriggers = []string{
	"postern_news_user_changed", "postern_news_user_deleted", "postern_news_users_truncated",
	"postern_news_session_deleted", "postern_news_sessions_truncated",
}

// selectNewsTriggers counts those that are enabled for every writer.
const selectNewsTriggers = `select count(*), pg_is_in_recovery() from pg_trigger
	where tgname = any($1::text[]) and tgenabled in ('O', 'A')
	and tgrelid in (to_regclass('auth_user'), to_regclass('postern_session'))`

// Without synchronous_commit, which is set for this transaction only, a ping
// waits for no disk and no standby.
const sendPing = `begin; set local synchronous_commit = off; select pg_notify('%s', '%s'); commit`

// listener hears the news of one store.
type listener struct {
	store  *Store
	config *pgx.ConnConfig
	// channel is where this listener's pings go.
	channel string

	mu    sync.Mutex
	sent  uint64
	pings map[uint64]time.Time // began, of those that were not heard yet
}

// listen starts the listener, if anyone wants to hear.
func (s *Store) listen(ctx context.Context, url string) error {
	if s.o.Heartbeat == nil {
		s.listening = func() {}
		close(s.listened)
		return nil
	}
	if s.o.ListenURL != "" {
		url = s.o.ListenURL
	}
	config, err := parseURL(url, 1)
	if err != nil {
		return fmt.Errorf("the URL to listen at %w", err)
	}
	name := make([]byte, 8)
	rand.Read(name)
	l := &listener{store: s, config: config.ConnConfig, channel: pingChannel + hex.EncodeToString(name), pings: make(map[uint64]time.Time)}
	ctx, s.listening = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(s.listened)
		l.run(ctx)
	}()
	return nil
}

// run listens until ctx ends, on one connection after the other.
func (l *listener) run(ctx context.Context) {
	log := l.store.o.Log
	told := false
	for failures := 0; ctx.Err() == nil; failures++ {
		err := l.session(ctx, func() {
			if told {
				log.LogAttrs(ctx, slog.LevelInfo, "the news of the database is heard again")
			}
			told, failures = false, 0
		})
		if ctx.Err() != nil {
			return
		}
		if !told && !errors.Is(err, errNotMigrated) {
			log.LogAttrs(ctx, slog.LevelWarn, "the news of the database is not heard: every check reads it", slog.Any("error", err))
			told = true
		}
		select {
		case <-time.After(min(retryAtMost, 50*time.Millisecond<<min(failures, 10))):
		case <-ctx.Done():
		}
	}
}

// session listens on one connection until it is lost, or ctx ends; heard is
// called at the first ping that is heard.
func (l *listener) session(ctx context.Context, heard func()) error {
	conn, err := l.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer closeQuickly(conn)
	// What was told before this connection listened is lost.
	l.store.o.News(auth.News{})

	var pinging sync.WaitGroup
	pinging.Go(func() { l.keepPinging(ctx) })
	defer pinging.Wait()
	defer cancel()

	last := time.Now()
	for {
		n, err := l.wait(ctx, conn, last.Add(deafAfter))
		if err != nil {
			return err
		}
		if n.Channel == newsChannel {
			l.store.o.News(parseNews(n.Payload))
			continue
		}
		if began, ok := l.took(n.Payload); ok {
			l.store.o.Heartbeat(began)
			last = time.Now()
			heard()
		}
	}
}

// wait returns the next notification, or an error once it takes until deaf.
func (l *listener) wait(ctx context.Context, conn *pgx.Conn, deaf time.Time) (*pgconn.Notification, error) {
	ctx, cancel := context.WithDeadline(ctx, deaf)
	defer cancel()
	n, err := conn.WaitForNotification(ctx)
	if errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) {
		return nil, fmt.Errorf("no ping was heard for %s", deafAfter)
	}
	return n, err
}

// connect opens a connection that listens to a primary whose triggers tell.
func (l *listener) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return nil, err
	}
	if err := l.subscribe(ctx, conn); err != nil {
		closeQuickly(conn)
		return nil, err
	}
	return conn, nil
}

var (
	errNoTriggers  = errors.New("the database has no triggers that tell news; run postern migrate")
	errNotMigrated = errors.New("the database is not migrated yet")
	errStandby     = errors.New("the server is a standby")
)

// A listener of a new server may come before the migration: then there is
// nothing to hear yet.
const (
	selectIsVersioned  = `select to_regclass('postern_migration') is not null`
	selectHasNewsSteps = `select exists (select 1 from postern_migration where version_id = $1::bigint and is_applied)`
)

// checkMigrated asks before the triggers are looked for, since the step makes
// them in one transaction.
func checkMigrated(ctx context.Context, conn *pgx.Conn) error {
	var migrated bool
	err := conn.QueryRow(ctx, selectIsVersioned).Scan(&migrated)
	if err == nil && migrated {
		err = conn.QueryRow(ctx, selectHasNewsSteps, newsVersion).Scan(&migrated)
	}
	if err == nil && !migrated {
		return errNotMigrated
	}
	return err
}

func (l *listener) subscribe(ctx context.Context, conn *pgx.Conn) error {
	for _, channel := range []string{newsChannel, l.channel} {
		if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
			return err
		}
	}
	var (
		triggers  int
		isStandby bool
	)
	if err := checkMigrated(ctx, conn); err != nil {
		return err
	}
	if err := conn.QueryRow(ctx, selectNewsTriggers, newsTriggers).Scan(&triggers, &isStandby); err != nil {
		return err
	}
	switch {
	case isStandby:
		return errStandby
	case triggers < len(newsTriggers):
		return errNoTriggers
	}
	return nil
}

func closeQuickly(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = conn.Close(ctx) // it is given up either way
}

// keepPinging sends pings until ctx ends. One that fails proves nothing, and
// the connection is given up if none is heard.
func (l *listener) keepPinging(ctx context.Context) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		l.ping(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (l *listener) ping(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, deafAfter)
	defer cancel()
	conn, err := l.store.pool.Acquire(ctx)
	if err != nil {
		return
	}
	defer conn.Release()
	number := l.begin()
	results := conn.Conn().PgConn().Exec(ctx, fmt.Sprintf(sendPing, l.channel, strconv.FormatUint(number, 10)))
	if err := results.Close(); err != nil {
		// The transaction may be half done: this connection is no one else's.
		closeQuickly(conn.Conn())
	}
}

// begin notes that a ping begins now.
func (l *listener) begin() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.pings[l.sent] = l.store.o.Now()
	delete(l.pings, l.sent-maxPings)
	return l.sent
}

// took returns when a ping that was heard began.
func (l *listener) took(payload string) (began time.Time, ok bool) {
	number, err := strconv.ParseUint(payload, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	began, ok = l.pings[number]
	delete(l.pings, number)
	return began, ok
}

// parseNews reads the payload of a notification. What can't be read may mean
// anything.
func parseNews(payload string) auth.News {
	if digits, ok := strings.CutPrefix(payload, "s"); ok && len(digits) == hex.EncodedLen(len(auth.SessionID{})) {
		var id auth.SessionID
		if _, err := hex.Decode(id[:], []byte(digits)); err == nil {
			return auth.News{Session: id}
		}
	}
	if digits, ok := strings.CutPrefix(payload, "u"); ok {
		if id, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return auth.News{User: id}
		}
	}
	return auth.News{}
}
