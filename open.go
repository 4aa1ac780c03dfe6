package postern

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/postern-auth/postern/internal/admin"
	"github.com/postern-auth/postern/internal/api"
	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/browse"
	"github.com/postern-auth/postern/internal/dburl"
	"github.com/postern-auth/postern/internal/django"
	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/metrics"
	"github.com/postern-auth/postern/internal/openapi"
	"github.com/postern-auth/postern/internal/ops"
	"github.com/postern-auth/postern/internal/password"
	"github.com/postern-auth/postern/internal/recall"
)

// maxBody is the largest request body, in bytes.
const maxBody = 1 << 20

// Server answers the five endpoints and the admin site, and protects pages. Safe for concurrent use.
type Server struct {
	*Directory
	guard     *guard.Guard
	api       *api.API
	pages     *browse.Browser      // nil: answers are JSON only
	admin     *admin.Admin         // nil: there is none
	docs      *openapi.Description // nil: there is none
	metrics   *metrics.Metrics
	readiness *ops.Readiness
	counts    *sharedCounts // nil: each node counts for itself
	reporter  *reporter
}

// Open connects the database, migrates it unless c.NoMigrate, and returns a
// server ready to answer. Its error is every mistake of the configuration at
// once (each a *ConfigError), or why the database can't be used. Close the
// server when it is no longer used.
func Open(ctx context.Context, c Config) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	i := newInstruments(c.TracerProvider)
	d, err := openDirectory(ctx, c.withDefaults(), i)
	if err != nil {
		return nil, err
	}
	c = d.config
	i.watch(d)
	writes := &writeTrial{}
	readiness := ops.NewReadiness(c.Log, append(d.checks(), ops.Check{Name: "writes", Run: writes.check})...)
	counts := d.sharedCounts(i.metrics.Unshared)
	logins := throttles{c.throttle(c.Throttle.Login, counts.of("login")), c.accountThrottle(c.Throttle.LoginAccount, counts.waitlist(), counts.of("device"))}
	pages, err := c.browser()
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	docs, err := c.documentation()
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	site, err := d.adminSite(logins)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	settings := c.guardSettings()
	settings.Observe, settings.Refused, settings.Trace = i.metrics.Request, i.metrics.Refused, i.traceRequest()
	return &Server{
		Directory: d,
		guard:     guard.New(settings),
		metrics:   i.metrics,
		pages:     pages,
		admin:     site,
		docs:      docs,
		readiness: readiness,
		counts:    counts,
		reporter:  startReporting(d.stores, readiness, writes, &d.config),
		api: api.New(api.Options{
			Realm:                 d.realm,
			UnauthenticatedStatus: c.UnauthenticatedStatus,
			Mask:                  c.mask,
			Now:                   c.Now,
			LoginByAddress:        logins.loginByAddress,
			LoginByAccount:        logins.loginByAccount,
			RegisterByAddress:     c.throttle(c.Throttle.Register, counts.of("register")),
			LoginOutcome:          i.metrics.Login,
			RegisterOutcome:       i.metrics.Registration,
			Page:                  showWith(pages),
		}),
	}, nil
}

// Handler answers /api/register/, /api/login/, /api/logout/, /api/user/ and
// /api/protected/, their description under /api/schema/ and
// /api/docs/, the admin site under /admin/, unless there is to be none,
// and 404 for every other path.
func (s *Server) Handler() http.Handler {
	return s.guard.Wrap(func(x *guard.Exchange) {
		if s.pages != nil && s.pages.ServeAsset(x) {
			return
		}
		if s.admin != nil && s.admin.Serve(x) {
			return
		}
		if s.docs != nil && s.docs.Serve(x) {
			return
		}
		s.api.Serve(x)
	})
}

// browser makes the pages of the API, nil if there are to be none.
func (c *Config) browser() (*browse.Browser, error) {
	if c.NoBrowsableAPI {
		return nil, nil
	}
	return browse.New(browse.Options{Mask: c.mask, Admin: !c.NoAdmin, Docs: !c.NoAPIDocs})
}

// documentation makes the description of the API, nil if there is to be none.
func (c *Config) documentation() (*openapi.Description, error) {
	if c.NoAPIDocs {
		return nil, nil
	}
	return openapi.New(openapi.Options{
		Version:       thisBuild().Version,
		SessionCookie: c.Cookie.Name, CSRFCookie: c.CSRF.Cookie.Name,
		UnauthenticatedStatus: c.UnauthenticatedStatus,
		Browsable:             !c.NoBrowsableAPI, Admin: !c.NoAdmin,
	})
}

func (c *Config) mask(secret string) (string, error) { return django.Mask(c.Rand, secret) }

func showWith(pages *browse.Browser) func(*guard.Exchange, *api.Page) error {
	if pages == nil {
		return nil
	}
	return func(x *guard.Exchange, p *api.Page) error { return pages.Show(x, (*browse.Answer)(p)) }
}

// openDirectory expects a configuration with its defaults. A server, which
// has instruments, also keeps house: it writes last-seen times and clears
// expired sessions.
func openDirectory(ctx context.Context, c Config, i *instruments) (*Directory, error) {
	isServer := i != nil
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	ho := c.Passwords.hashing(c.Rand)
	ho.DecoyKey = c.decoyKey()
	hashing, err := password.New(ho)
	if err != nil {
		return nil, fmt.Errorf("set up password hashing: %w", err)
	}
	memory := c.memory(isServer)
	stores, err := openStores(ctx, c, memory, i)
	if err != nil {
		return nil, err
	}
	near, err := meetNeighbour(ctx, &c, stores.database, hashing, isServer)
	if err != nil {
		return nil, errors.Join(err, stores.close())
	}
	o := auth.Options{
		Users: stores.database, Sessions: stores.ofSessions(),
		Roster: stores.database, Groups: stores.database, SessionRoster: stores.rosterOfSessions(),
		Hashing:    hashing,
		Gate:       c.gate(isServer),
		Validators: password.Validators(c.Passwords.MinLength),
		WarnOnly:   c.Passwords.WarnOnly,
		SecretKeys: append([]string{c.SecretKey}, c.SecretKeyFallbacks...),
		Policy: auth.Policy{
			Age: c.Session.Age, Idle: c.Session.IdleTimeout, Absolute: c.Session.AbsoluteAge,
			Sliding: c.Session.SaveEveryRequest, PerUser: c.Session.Limit,
		},
		KeepHouse: isServer,
		Answer:    api.UserAnswer,
		Now:       c.Now, Rand: c.Rand, Log: c.Log,
	}
	if stores.replica != nil {
		o.Replica = stores.replica
	}
	if memory != nil {
		o.Memory = memory
	}
	if c.AuditAge > 0 {
		o.Audit, o.AuditAge = stores.database, c.AuditAge
	}
	i.instrument(&o, &c)
	realm, err := auth.New(ctx, o)
	if err != nil {
		near.close()
		return nil, errors.Join(err, stores.close())
	}
	return &Directory{config: c, realm: realm, stores: stores, memory: memory, gate: o.Gate, near: near}, nil
}

func (c *Config) gate(isServer bool) *password.Gate {
	p := &c.Passwords
	return password.NewGate(password.GateOptions{
		Workers: p.Workers, Queue: p.Queue, Wait: p.QueueWait, LowPriority: isServer && p.LowPriority,
	})
}

// memory is what a server remembers sessions in, nil for none.
func (c *Config) memory(isServer bool) *recall.Memory {
	if !isServer || c.RecallEntries < 0 {
		return nil
	}
	return recall.New(c.RecallEntries, c.Now)
}

// databasePath is the file that "sqlite:PATH" names. Its error is a mistake in
// the setting, and tells of a file that lies where another reading of the URL
// looks for it.
func databasePath(url string) (string, error) {
	file, err := dburl.SQLite(url)
	if err == nil {
		err = file.Check(exists)
	}
	return file.Path, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// hashing returns the room's options.
func (p Passwords) hashing(random io.Reader) password.Options {
	return password.Options{
		Algorithm:        p.Hasher,
		Argon2:           password.Argon2Cost{MemoryKiB: p.Argon2MemoryKiB, Time: p.Argon2Time, Parallelism: p.Argon2Parallelism},
		PBKDF2Iterations: p.PBKDF2Iterations,
		BcryptCost:       p.BcryptCost,
		Scrypt:           password.ScryptCost{N: p.ScryptN, R: p.ScryptR, P: p.ScryptP},
		Rand:             random,
	}
}

// decoyKey is the key for what unknown names cost. It is made from the secret
// key in use, so that all nodes have the same. Its fallbacks play no part.
func (c *Config) decoyKey() []byte {
	mac := hmac.New(sha256.New, []byte(c.SecretKey))
	mac.Write([]byte("postern.decoy"))
	return mac.Sum(nil)
}

var secureModes = map[SecureMode]guard.SecureMode{
	SecureAuto: guard.SecureAuto, SecureAlways: guard.SecureAlways, SecureNever: guard.SecureNever,
}

func (c *Config) guardSettings() guard.Settings {
	return guard.Settings{
		AllowedHosts:   c.AllowedHosts,
		TrustedProxies: c.TrustedProxies,
		TrustUnix:      c.TrustUnixPeers,
		CORS: guard.CORSSettings{
			Origins: c.CORS.AllowedOrigins, Regexes: c.CORS.AllowedOriginRegexes, AllowAll: c.CORS.AllowAllOrigins,
			Headers: c.CORS.AllowHeaders, Methods: c.CORS.AllowMethods, Expose: c.CORS.ExposeHeaders, MaxAge: c.CORS.PreflightMaxAge,
		},
		CSRF: guard.CSRFSettings{
			TrustedOrigins: c.CSRF.TrustedOrigins,
			Age:            c.CSRF.Cookie.Age,
			Cookie: guard.CookieSettings{
				Name: c.CSRF.Cookie.Name, Domain: c.CSRF.Cookie.Domain, Path: c.CSRF.Cookie.Path,
				SameSite: c.CSRF.Cookie.SameSite, Secure: secureModes[c.CSRF.Cookie.Secure], HTTPOnly: c.CSRF.Cookie.HTTPOnly,
			},
		},
		Session: guard.CookieSettings{
			Name: c.Cookie.Name, Domain: c.Cookie.Domain, Path: c.Cookie.Path, SameSite: c.Cookie.SameSite,
			Secure: secureModes[c.Cookie.Secure], HTTPOnly: true, SessionOnly: c.Cookie.ExpireAtBrowserClose,
		},
		Headers: guard.HeaderSettings{
			HSTSSeconds: c.Security.HSTSSeconds, HSTSIncludeSubdomains: c.Security.HSTSIncludeSubdomains,
			HSTSPreload: c.Security.HSTSPreload, SSLRedirect: c.Security.SSLRedirect,
			FrameOptions: c.Security.FrameOptions, ReferrerPolicy: c.Security.ReferrerPolicy,
		},
		MaxBody:  maxBody,
		Explain:  c.ExplainRefusals,
		Log:      c.Log,
		Now:      c.Now,
		NewToken: func() (string, error) { return django.NewSecret(c.Rand) },
	}
}
