package postern

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/redisstore"
)

const (
	// sharedWait bounds how long an attempt waits for the shared count.
	sharedWait = 250 * time.Millisecond
	// sharedPause is how long nobody asks after a failure, so that only one
	// attempt in a while waits for a server that is away.
	sharedPause = time.Second
)

// sharedCounts has the throttles of all nodes count in the session store. Safe
// for concurrent use.
type sharedCounts struct {
	store    sessionHome
	secret   string
	log      *slog.Logger
	unshared func()       // told of each attempt that could not be shared
	began    time.Time    // what pausedTo counts from
	pausedTo atomic.Int64 // nanoseconds
	away     atomic.Bool
	wait     atomic.Int64 // sharedWait, in nanoseconds; tests have more patience
}

// sharedCounts is nil when the sessions are in the database: then each node
// counts for itself.
func (d *Directory) sharedCounts(unshared func()) *sharedCounts {
	if d.stores.sessions == nil {
		return nil
	}
	s := &sharedCounts{store: d.stores.sessions, secret: d.config.SecretKey, log: d.config.Log, unshared: unshared, began: time.Now()}
	s.wait.Store(int64(sharedWait))
	return s
}

// of returns the counts of one throttle.
func (s *sharedCounts) of(throttle string) guard.Shared {
	if s == nil {
		return nil
	}
	return func(key string, interval, burst time.Duration) (wait time.Duration, ok bool) {
		ok = s.ask(func(ctx context.Context) (err error) {
			wait, err = s.store.Take(ctx, s.hide(throttle, key), interval, burst)
			return err
		})
		return wait, ok
	}
}

// waitlist returns the wait lists of the accounts.
func (s *sharedCounts) waitlist() guard.SharedWaitlist {
	if s == nil {
		return nil
	}
	return func(account, device, network string, r guard.WaitlistRules, queue bool) (wait time.Duration, settled, ok bool) {
		ok = s.ask(func(ctx context.Context) (err error) {
			wait, settled, err = s.store.TakeSlot(ctx, s.hide("waitlist", account), s.hide("device", device), s.hide("network", network), redisstore.Waitlist(r), queue)
			return err
		})
		return wait, settled, ok
	}
}

// ask reports whether the store answered in time.
func (s *sharedCounts) ask(question func(context.Context) error) bool {
	now := time.Since(s.began)
	if int64(now) < s.pausedTo.Load() {
		s.unshared()
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(s.wait.Load()))
	defer cancel()
	if err := question(ctx); err != nil {
		s.pausedTo.Store(int64(time.Since(s.began) + sharedPause))
		s.unshared()
		if !s.away.Swap(true) {
			s.log.LogAttrs(ctx, slog.LevelWarn, "throttles count on this node alone: the session store does not", slog.Any("error", err))
		}
		return false
	}
	if s.away.Swap(false) {
		s.log.LogAttrs(ctx, slog.LevelInfo, "throttles count with the other nodes again")
	}
	return true
}

// hide returns what a key is called in the store: who reads the store learns
// no address, and can't try all of them without the secret key.
func (s *sharedCounts) hide(throttle, key string) string {
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte("postern.throttle\x00" + throttle + "\x00" + key))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
