package postern

import (
	"context"
	"errors"
	"net"
	"net/url"

	"github.com/postern-auth/postern/internal/redisstore"
)

// CheckSessionStore finds out whether Open can use the session store of c, and
// leaves it as it is: do the servers answer, are they new enough, has the user
// every right it needs? The error says what stands against it. Otherwise it
// returns what is weak in how the servers are set up, as
// [Config.Weaknesses] does for the settings. Without a POSTERN_SESSION_STORE
// it returns nothing.
func CheckSessionStore(ctx context.Context, c Config) ([]Weakness, error) {
	if err := errors.Join(databaseMistakes(&c)...); err != nil || c.SessionStore == "" {
		return nil, err
	}
	servers, err := redisstore.Inspect(ctx, c.SessionStore, redisstore.Options{Replicas: c.SessionReplicas})
	if err != nil {
		return nil, err
	}
	var found []Weakness
	for _, rule := range weakStores {
		for _, server := range servers {
			for _, value := range rule.values(&storeServer{server, &c}) {
				found = append(found, rule.weakness(value))
			}
		}
	}
	return found, nil
}

// storeServer is a server and the configuration it is used with.
type storeServer struct {
	redisstore.Condition
	config *Config
}

// weakStores is every rule about a server of the session store. The value
// names the server. Numbers are never used again.
var weakStores = []weakRule[*storeServer]{
	{number: 100, setting: "SESSION_STORE", why: "when memory is short the server drops sessions, and its users are logged out",
		wayOut: "maxmemory-policy noeviction on the server: logins are refused then, and sessions stay",
		values: func(s *storeServer) []string {
			return when(s.Eviction != "noeviction", s.Address+" maxmemory-policy "+s.Eviction)
		}},
	{number: 101, setting: "SESSION_STORE", why: "a crash of the server loses sessions, and an old snapshot brings back those that were ended",
		wayOut: "appendonly yes on the server, with appendfsync always if no end of a session may be lost",
		values: func(s *storeServer) []string { return when(!s.Logs, s.Address+" appendonly no") }},
	{number: 102, setting: "SESSION_REPLICAS", advice: true, why: "there is a replica; if it takes over, the last sessions are lost, and those that were ended last are alive again",
		wayOut: "1: what is acknowledged is on a replica, and without one logins and logouts are answered with 503",
		values: func(s *storeServer) []string { return when(s.Replicas > 0 && s.config.SessionReplicas == 0, 0) }},
}

// storeURL is the URL of the session store, nil for none.
func (c *Config) storeURL() *url.URL {
	u, err := url.Parse(c.SessionStore)
	if err != nil || c.SessionStore == "" {
		return nil
	}
	return u
}

// storeIsPlain reports whether sessions cross a network in the clear.
func (c *Config) storeIsPlain() bool {
	u := c.storeURL()
	if u == nil || u.Scheme != "redis" && u.Scheme != "valkey" {
		return false
	}
	away := !isLoopback(net.JoinHostPort(u.Hostname(), "0"))
	for _, address := range u.Query()["addr"] {
		away = away || !isLoopback(address)
	}
	return away
}

// storeIsOpen reports whether whoever reaches the store may use it.
func (c *Config) storeIsOpen() bool {
	u := c.storeURL()
	if u == nil || u.Scheme == "unix" {
		return false
	}
	password, _ := u.User.Password()
	return password == ""
}

// storeIsAnybody reports whether any certificate is believed.
func (c *Config) storeIsAnybody() bool {
	u := c.storeURL()
	return u != nil && u.Query().Has("skip_verify") && u.Query().Get("skip_verify") != "false"
}
