package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/postern-auth/postern/internal/password"
	"github.com/postern-auth/postern/internal/ratelog"
)

// Options is what a Realm is made of. Users, Sessions, Hashing, Gate and
// SecretKeys must be set; the rest has defaults.
type Options struct {
	Users    UserStore
	Sessions SessionStore
	// Replica, if set, is asked before Sessions who holds a session.
	Replica Replica
	// What an administrator asks of the same stores; needed for Steward only.
	Roster        Roster
	Groups        GroupStore
	SessionRoster SessionRoster
	// Audit is where acts are written down, nil for nowhere; for how long is
	// AuditAge, 0 for ever.
	Audit    AuditStore
	AuditAge time.Duration
	Hashing  *password.Hashing
	Gate     *password.Gate
	// Validators judge new passwords; with WarnOnly they log and let pass.
	Validators []password.Validator
	WarnOnly   bool
	// SecretKeys bind sessions to passwords: the key in use, then its
	// fallbacks (SECRET_KEY, SECRET_KEY_FALLBACKS).
	SecretKeys []string
	Policy     Policy
	// Memory, if set, spares most checks the way to the store.
	Memory Memory
	// Answer renders a user once for the checks of its sessions: Known.Answer.
	Answer func(*User) []byte
	// HashWait, if set, is told how long admitted hashing waited at the gate.
	HashWait func(time.Duration)
	// Step, if set, is called as a step of an act begins ("wait to hash",
	// "hash"), and the function it returns as the step ends: for traces.
	Step func(ctx context.Context, name string) (end func())
	// KeepHouse has the realm write last-seen times and delete expired
	// sessions in the background.
	KeepHouse bool
	Now       func() time.Time // default time.Now
	Rand      io.Reader        // default crypto/rand
	Log       *slog.Logger     // default: discard
}

// Realm is one population of users with their sessions and the rules for
// both. Its methods are the acts. Safe for concurrent use.
type Realm struct {
	users         UserStore
	sessions      SessionStore
	replica       Replica // nil: none
	roster        Roster
	groups        GroupStore
	sessionRoster SessionRoster
	audit         AuditStore
	auditAge      time.Duration
	failed        failures
	refusals      *ratelog.Limiter // of rules of the database
	hashing       *password.Hashing
	gate          *password.Gate
	validators    []password.Validator
	warnOnly      bool
	keys          []string
	policy        Policy
	touchEvery    time.Duration
	memory        Memory
	answer        func(*User) []byte
	hashWait      func(time.Duration)
	step          func(context.Context, string) func()
	now           func() time.Time
	rand          io.Reader
	log           *slog.Logger
	seen          *seen
	stop          context.CancelFunc
	stopped       chan struct{}
}

const (
	// populationSample is how many users' hashes at most tell password.Hashing
	// what a password check costs in this realm; see
	// password.Hashing.SetPopulation.
	populationSample = 1000
	// populationEvery is how often they are read: whenever the time since 1970
	// is a multiple of it, so that all nodes do so at the same moment.
	populationEvery = 10 * time.Minute
)

// New returns a realm and starts its work in the background. Close ends it.
func New(ctx context.Context, o Options) (*Realm, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Realm{
		users: o.Users, sessions: o.Sessions, replica: o.Replica,
		roster: o.Roster, groups: o.Groups, sessionRoster: o.SessionRoster,
		audit: o.Audit, auditAge: o.AuditAge,
		hashing: o.Hashing, gate: o.Gate,
		validators: o.Validators, warnOnly: o.WarnOnly, keys: o.SecretKeys, policy: o.Policy,
		touchEvery: o.Policy.TouchEvery(), memory: o.Memory, answer: o.Answer,
		hashWait: o.HashWait, step: o.Step,
		now: o.Now, rand: o.Rand, log: o.Log,
		seen:     newSeen(),
		refusals: ratelog.New(refusedEvery, o.Now),
		stopped:  make(chan struct{}),
	}
	if err := r.sampleHashes(ctx); err != nil {
		return nil, err
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = cancel
	if o.KeepHouse {
		go r.keepHouse(background)
	} else {
		close(r.stopped)
	}
	return r, nil
}

// sampleHashes shows hashes from all parts of the user table to the hashers, so
// that an unknown name costs what a known one does. It is all of them, or those
// at every second id, or every fourth and so on: with the same table every
// node reads the same ones.
func (r *Realm) sampleHashes(ctx context.Context) error {
	for step := int64(1); ; step *= 2 {
		hashes, err := r.users.PasswordSample(ctx, step, populationSample+1)
		if err != nil {
			return fmt.Errorf("sample the password hashes: %w", err)
		}
		if len(hashes) <= populationSample || step == 1<<62 {
			r.hashing.SetPopulation(hashes)
			return nil
		}
	}
}

// untilSample is the time until the next moment to read the hashes, at least a
// second: a timer may end a little before the wall clock is there.
func untilSample(now time.Time) time.Duration {
	return max(time.Second, populationEvery-time.Duration(now.UnixNano()%int64(populationEvery)))
}

// Policy returns the rules for the life of sessions.
func (r *Realm) Policy() Policy { return r.policy }

// Close stops the work in the background and writes what is pending. The
// stores stay open: they belong to the caller.
func (r *Realm) Close(ctx context.Context) error {
	r.stop()
	select {
	case <-r.stopped:
	case <-ctx.Done():
		return fmt.Errorf("close the realm: %w", ctx.Err())
	}
	return r.Flush(ctx)
}

// hash runs the work of hashing a new password through the gate, without the
// white space around it; from is the address that asks for it.
func (r *Realm) hash(ctx context.Context, from netip.Addr, plain string) (encoded string, err error) {
	gateErr := r.admit(ctx, from, func() { encoded, err = r.hashing.Hash(password.Trim(plain)) })
	if err := errors.Join(gateErr, err); err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return encoded, nil
}
