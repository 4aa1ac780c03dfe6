package postern

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/password"
	"github.com/postern-auth/postern/internal/redact"
)

// A Django may run on the same database. Then new hashes follow those that it
// makes, so that neither program rewrites what the other has written.

const (
	// recentLogins is how many hashes of the latest logins are looked at.
	recentLogins = 1000
	// lookEvery is the pause between two looks.
	lookEvery = time.Minute
	// lookAtMost is how long one look may take.
	lookAtMost = 30 * time.Second
)

// projectStore is what a database tells about a Django project in it.
type projectStore interface {
	IsDjangoProject(ctx context.Context) (bool, error)
	RecentHashes(ctx context.Context, limit int) ([]string, error)
}

// neighbour follows the hashes of the Django that may run on the database.
type neighbour struct {
	store   projectStore
	options password.Options
	hashing *password.Hashing
	config  *Config
	log     *slog.Logger

	looking sync.Mutex
	project bool
	choice  password.Choice

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// meetNeighbour looks once, and in a server again every minute until close.
func meetNeighbour(ctx context.Context, c *Config, store projectStore, h *password.Hashing, isServer bool) (*neighbour, error) {
	n := &neighbour{store: store, options: c.Passwords.hashing(nil), hashing: h, config: c, log: c.Log}
	if err := n.look(ctx); err != nil {
		return nil, err
	}
	ctx, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	if isServer {
		n.stopped.Go(func() { n.keepLooking(ctx) })
	}
	return n, nil
}

func (n *neighbour) close() {
	n.stop()
	n.stopped.Wait()
}

func (n *neighbour) keepLooking(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := n.look(ctx); err != nil && ctx.Err() == nil {
			n.log.LogAttrs(ctx, slog.LevelWarn, "could not look for a Django on the database; new password hashes stay as they are", slog.Any("error", err))
		}
	}
}

// look chooses what new hashes are made with. Its error says that the database
// did not answer; then all stays as it is.
func (n *neighbour) look(ctx context.Context) error {
	n.looking.Lock()
	defer n.looking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookAtMost)
	defer cancel()
	project, choice, err := chooseHashes(ctx, n.store, n.options)
	if err != nil {
		return err
	}
	began := project && !n.project
	changed := !choice.Equal(n.choice)
	n.project, n.choice = project, choice
	n.hashing.Prefer(choice)
	if began {
		if warning := cookieWarning(n.config); warning != "" {
			n.log.LogAttrs(ctx, slog.LevelWarn, warning)
		}
	}
	switch {
	case !changed:
	case !project:
		n.log.LogAttrs(ctx, slog.LevelInfo, "the database is no longer that of a Django project; new password hashes are made as the settings say")
	case began:
		n.log.LogAttrs(ctx, slog.LevelInfo, "a Django project has migrated this database; new password hashes are made as it makes them",
			slog.String("hasher", choice.String()), slog.String("reason", choice.Reason))
	default:
		n.log.LogAttrs(ctx, slog.LevelInfo, "new password hashes are made differently from now on, as the Django project makes them",
			slog.String("hasher", choice.String()), slog.String("reason", choice.Reason))
	}
	return nil
}

// chooseHashes returns the zero Choice if no Django has migrated the database.
func chooseHashes(ctx context.Context, store projectStore, o password.Options) (project bool, _ password.Choice, err error) {
	if project, err = store.IsDjangoProject(ctx); err != nil || !project {
		return false, password.Choice{}, err
	}
	sample, err := store.RecentHashes(ctx, recentLogins)
	if err != nil {
		return false, password.Choice{}, err
	}
	return true, password.Choose(o, sample), nil
}

// cookieWarning says which cookies a Django on the same host name would take
// for its own, "" for none.
func cookieWarning(c *Config) string {
	var same, settings []string
	if c.Cookie.Name == defaultSessionCookie {
		same, settings = append(same, defaultSessionCookie), append(settings, "POSTERN_SESSION_COOKIE_NAME")
	}
	if c.CSRF.Cookie.Name == defaultCSRFCookie {
		same, settings = append(same, defaultCSRFCookie), append(settings, "POSTERN_CSRF_COOKIE_NAME")
	}
	if len(same) == 0 {
		return ""
	}
	return fmt.Sprintf("a Django project has migrated this database; if its Django serves on the same host name as Postern, each deletes the cookies of the other, for both name them %s: set %s to other names",
		strings.Join(same, " and "), strings.Join(settings, " and "))
}

// refuseForeignUsers is a *ConfigError for a database whose users are not in
// auth_user; found says where they are, "" is no error.
func refuseForeignUsers(c *Config, found string, err error) error {
	if err != nil || found == "" {
		return err
	}
	return &ConfigError{Setting: "POSTERN_DATABASE_URL", Value: redact.URL(c.Database),
		Problem: "is the database of a Django project, but " + found + "; Postern reads and writes auth_user only: give it a database of its own, or change the project to users in auth_user"}
}
