// Package redisstore is the home of sessions in Redis or Valkey, version 7 or
// newer: one server, one watched by Sentinel, or a Cluster. The users stay in
// an SQL database.
//
// A session is a hash of its own that expires by itself; beside it a sorted
// set for each user names the user's sessions. No command touches keys of two
// slots, so what needs both is done in an order that is right wherever it
// stops: see start.go. Sessions that others end are heard by SUBSCRIBE: see
// listen.go.
package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/dburl"
)

var _ auth.SessionStore = (*Store)(nil)

// Users is what the store needs of the home of the users.
type Users interface {
	UserByID(ctx context.Context, id int64) (*auth.User, error)
	CreateUser(ctx context.Context, u *auth.User) error
	DeleteUser(ctx context.Context, id int64) error
	auth.LoginStore
}

// Options are the bounds of a store; zero values mean the defaults.
type Options struct {
	// Wait is how long an act without a deadline of its own may take; default 5 s.
	Wait time.Duration
	// Replicas is how many replicas must have a write before it is
	// acknowledged (WAIT), so that a failover does not lose it; default 0.
	Replicas int
	// replicaWait is how long a write waits for its replicas; default
	// defaultReplicaWait.
	replicaWait time.Duration
	// News, if set, is told of each session that this store ends, after its
	// end and before that is acknowledged, and of those that others end when
	// that is heard.
	News func(auth.News)
	// Heartbeat, if set, is called about five times a second with a time up
	// to which all that anyone has ended has been told to News. While the
	// news can't be heard, it is not called.
	Heartbeat func(began time.Time)
	// Observe, if set, is called with the time that the server took for an
	// operation, without the time of the users' database: "read" (of one
	// session), "list" or "commit"; writes is 1.
	Observe func(operation string, writes int, took time.Duration)
	// Now is the clock of Heartbeat; default time.Now.
	Now func() time.Time
	// Log is told when the news can't be heard, and when they can again.
	// Default: none.
	Log *slog.Logger
}

const (
	defaultWait = 5 * time.Second
	dialTimeout = 3 * time.Second
	// writeTimeout is how long a connection may be without an answer.
	writeTimeout = 3 * time.Second
	// defaultReplicaWait leaves time to say so before writeTimeout.
	defaultReplicaWait = time.Second
)

// Store holds sessions. Safe for concurrent use.
type Store struct {
	client valkey.Client
	users  Users
	name   string // the addresses, for errors: without credentials
	o      Options

	listening context.CancelFunc
	listened  chan struct{} // closed when the listener has ended
}

// CheckURL returns what is wrong with a URL for Open, without its password.
func CheckURL(url string) error {
	_, err := parseURL(url)
	return err
}

// Open connects to the servers that url names:
//
//	redis://USER:PASSWORD@HOST:6379/DB                  one server
//	redis://USER:PASSWORD@HOST:6379?addr=HOST2:6379     nodes of a Cluster
//	redis://USER:PASSWORD@HOST:26379?master_set=NAME    Sentinels, more by addr
//
// rediss:// uses TLS, with the certificate authorities of the system or of the
// parameter ca_file. Every master is asked for its version and the user's
// rights. The error names the way out and holds no password; it wraps
// auth.ErrUnavailable when no server can be reached.
func Open(ctx context.Context, url string, users Users, o Options) (*Store, error) {
	o.setDefaults()
	option, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	s := &Store{users: users, name: strings.Join(option.InitAddress, ", "), o: o, listened: make(chan struct{})}
	if s.client, err = valkey.NewClient(option); err != nil {
		return nil, explain(s.name, err)
	}
	err = s.Ping(ctx)
	if err == nil {
		err = s.examine(ctx)
	}
	if err != nil {
		s.client.Close()
		return nil, explain(s.name, err)
	}
	s.listen(ctx)
	return s, nil
}

func (o *Options) setDefaults() {
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	if o.replicaWait == 0 {
		o.replicaWait = defaultReplicaWait
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.News == nil {
		o.News = func(auth.News) {}
	}
	if o.Observe == nil {
		o.Observe = func(string, int, time.Duration) {}
	}
}

func parseURL(raw string) (valkey.ClientOption, error) {
	canonical, err := dburl.Redis(raw)
	if err != nil {
		return valkey.ClientOption{}, err
	}
	u, err := url.Parse(canonical)
	if err != nil { // which would quote the URL
		return valkey.ClientOption{}, errors.New("can't be read")
	}
	option, err := valkey.ParseURL(canonical)
	if err != nil {
		return valkey.ClientOption{}, fmt.Errorf("can't be used: %s", strings.TrimPrefix(err.Error(), "valkey: "))
	}
	if err := useCA(&option, u.Query().Get("ca_file")); err != nil {
		return valkey.ClientOption{}, err
	}
	option.DisableCache = true // recall is the only memory
	option.ClientName = "postern"
	option.ClientSetInfo = valkey.DisableClientSetInfo // Redis 7.0 knows no such command, so none can be allowed it
	if option.TLSConfig != nil {
		option.TLSConfig.ServerName = "" // each server shows a certificate for its own address
	}
	if option.Dialer.Timeout == 0 {
		option.Dialer.Timeout = dialTimeout
	}
	if option.ConnWriteTimeout == 0 {
		option.ConnWriteTimeout = writeTimeout
	}
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.TLSConfig, option.Sentinel.Dialer = option.TLSConfig, option.Dialer
	}
	return option, nil
}

// useCA trusts the certificate authorities of a file and no others.
func useCA(option *valkey.ClientOption, file string) error {
	if file == "" {
		return nil
	}
	if option.TLSConfig == nil {
		return errors.New("has the parameter ca_file, but no TLS; write rediss://")
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("has a ca_file that can't be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("has a ca_file, %s, without a certificate in it", file)
	}
	option.TLSConfig.RootCAs = pool
	option.TLSConfig.MinVersion = tls.VersionTLS12
	return nil
}

// Ping reports whether the server, or each master of a Cluster, answers; its
// error wraps auth.ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	nodes, err := s.masters(ctx)
	if err == nil && len(nodes) == 0 {
		err = errors.New("no master is known")
	}
	if err != nil {
		return fmt.Errorf("ping the session store: %w", unavailable(err))
	}
	return nil
}

// TryWrite reports whether a server takes writes: it asks one master, drawn by
// chance, to overwrite a key that there isn't. A server that is out of memory,
// can't save to its disk, lacks replicas or is itself a replica refuses that.
// The error wraps auth.ErrUnavailable.
func (s *Store) TryWrite(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	command := s.client.B().Set().Key(probe + ":" + rand.Text()).Value("").Xx().Build()
	if err := s.client.Do(ctx, command).Error(); err != nil && !valkey.IsValkeyNil(err) {
		return fmt.Errorf("write to the session store: %w", unavailable(err))
	}
	return nil
}

// Close ends the listener and the connections. Acts that come later return
// auth.ErrUnavailable.
func (s *Store) Close() error {
	s.listening()
	<-s.listened
	s.client.Close()
	return nil
}

// bounded gives an act a deadline if it has none.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.o.Wait)
}

// since tells Observe of an operation that began then.
func (s *Store) since(began time.Time, operation string) {
	s.o.Observe(operation, 1, time.Since(began))
}
