package postern

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/guard"
)

// Throttle limits attempts before any hashing. What is over a rate gets 429
// with Retry-After. An address is an IPv4 address or an IPv6 /64. The counts
// live in the memory of the process, or in the session store, for all nodes
// together, if that is a Redis or Valkey.
type Throttle struct {
	// Off lets every attempt through: for tests.
	Off bool
	// Login is how often an address may try to log in. Default 60 a minute.
	Login Rate
	// LoginAccount is how often all unrecognised clients together may try to
	// log in to one account, and how often each recognised device may: an
	// address from which the account was logged in to in the last 30 days, or a
	// live session of its user. An unrecognised client that is refused gets a
	// slot in the account's wait list, so that its owner gets in on a new
	// device while others guess. Default 10 a minute.
	LoginAccount Rate
	// Register is how often an address may register. Default 100 a minute.
	Register Rate
}

// Rate is a number of attempts in a time.
type Rate struct {
	Attempts int
	Per      time.Duration
}

// ParseRate reads a rate such as "10/m": a number of attempts a second, minute,
// hour or day (s, m, h, d).
func ParseRate(s string) (Rate, error) {
	number, unit, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(number)
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	if err != nil || n < 1 || n > 1_000_000 || per == 0 {
		return Rate{}, fmt.Errorf(`%q is not a rate; write attempts and unit, such as "10/m" (s, m, h or d)`, s)
	}
	return Rate{Attempts: n, Per: per}, nil
}

// String writes a rate as ParseRate reads it.
func (r Rate) String() string {
	for _, unit := range []struct {
		name string
		per  time.Duration
	}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}} {
		if r.Per == unit.per {
			return fmt.Sprintf("%d/%s", r.Attempts, unit.name)
		}
	}
	return fmt.Sprintf("%d in %s", r.Attempts, r.Per)
}

// throttle returns the throttle of a rate, nil when throttling is off. Other
// nodes have a part in it unless shared is nil.
func (c *Config) throttle(r Rate, shared guard.Shared) *guard.Throttle {
	t := guard.NewThrottle(c.throttleRate(r), c.Now)
	t.Share(shared)
	return t
}

func (c *Config) accountThrottle(r Rate, waitlist guard.SharedWaitlist, devices guard.Shared) *guard.AccountThrottle {
	a := guard.NewAccountThrottle(c.throttleRate(r), c.Now)
	a.Share(waitlist, devices)
	return a
}

func (c *Config) throttleRate(r Rate) guard.Rate {
	if c.Throttle.Off {
		return guard.Rate{}
	}
	return guard.Rate{Attempts: r.Attempts, Per: r.Per}
}
