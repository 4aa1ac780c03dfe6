package postern

import (
	"context"
	"time"

	"github.com/postern-auth/postern/internal/admin"
	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/django"
	"github.com/postern-auth/postern/internal/drf"
	"github.com/postern-auth/postern/internal/guard"
)

// throttles of logins are shared by all ways to log in.
type throttles struct {
	loginByAddress *guard.Throttle
	loginByAccount *guard.AccountThrottle
}

// adminSite makes the admin site, nil if there is to be none.
func (d *Directory) adminSite(t throttles) (*admin.Admin, error) {
	c := &d.config
	if c.NoAdmin {
		return nil, nil
	}
	signer, err := django.NewTimestampSigner(append([]string{c.SecretKey}, c.SecretKeyFallbacks...), "postern.admin")
	if err != nil {
		return nil, err
	}
	return admin.New(admin.Options{
		Realm: d.realm,
		Mask:  c.mask,
		Sign:  func(text string) string { return signer.Sign(text, c.Now()) },
		Unsign: func(signed string, maxAge time.Duration) (string, error) {
			return signer.UnsignWithin(signed, maxAge, c.Now())
		},
		Now:             c.Now,
		UsernameProblem: usernameProblem,
		EmailProblem:    emailProblem,
		NormalizeEmail:  drf.NormalizeEmail,
		LoginByAddress:  t.loginByAddress,
		LoginByAccount:  t.loginByAccount,
		Nodes:           d.nodes,
		Weaknesses:      c.weaknessLines,
		API:             c.apiPage(),
	})
}

// apiPage is where a person looks at the API, "" if it has no pages.
func (c *Config) apiPage() string {
	switch {
	case !c.NoBrowsableAPI:
		return "/api/user/"
	case !c.NoAPIDocs:
		return "/api/docs/"
	}
	return ""
}

// nodes lists the processes that serve from the same database.
func (d *Directory) nodes(ctx context.Context) ([]admin.Node, error) {
	found, err := d.stores.database.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	now := d.config.Now()
	nodes := make([]admin.Node, len(found))
	for i := range found {
		n := &found[i]
		nodes[i] = admin.Node{Name: n.Name, Version: n.Version, Started: n.Started, Seen: n.Seen, Problems: n.Problems, Silent: now.Sub(n.Seen) > silentAfter}
	}
	return nodes, nil
}

// weaknessLines are what is weak in the configuration, without mere advice.
func (c *Config) weaknessLines() []string {
	var lines []string
	for _, w := range c.Weaknesses() {
		if !w.Advice {
			lines = append(lines, w.String())
		}
	}
	return lines
}

// acting is the context of an act of this package's user, for the audit log.
func (d *Directory) acting(ctx context.Context) context.Context {
	actor := auth.Actor{Source: auth.SourceProgram}
	if d.config.Operator != "" {
		actor.Source, actor.Name = auth.SourceCommand, d.config.Operator
	}
	return auth.WithActor(ctx, actor)
}

// AuditEntry is one line of the audit log: who did what to whom, when and from
// where. It never holds a password, a key or a token.
type AuditEntry struct {
	ID         int64
	At         time.Time
	Act        string // such as "login" or "user_deactivated"
	ActorID    int64  // 0: nobody who is known
	ActorName  string // a username, or the operator at a command
	TargetID   int64  // the user or group; 0: none that is known
	TargetName string
	Source     string // "api", "admin", "cli" or "go"
	Address    string // of the client, "" when there is none
	UserAgent  string
	Detail     string // an object of JSON, or ""
}

// AuditQuery selects entries of the audit log, newest first.
type AuditQuery struct {
	Act      string // "" for all; see [AuditActs]
	Username string // of the actor or the target, exactly; "" for all
	Since    time.Time
	BeforeID int64 // only ids below it: the page after
	Limit    int   // maximum number of entries; 0 means 100
}

// AuditActs are the acts that the audit log tells apart.
func AuditActs() []string {
	acts := make([]string, len(auth.Acts))
	for i, act := range auth.Acts {
		acts[i] = string(act)
	}
	return acts
}

// Audit lists the entries of the audit log that q selects; ErrUnavailable.
func (d *Directory) Audit(ctx context.Context, q AuditQuery) ([]AuditEntry, error) {
	found, err := d.realm.Audit(ctx, auth.AuditFilter{
		Act: auth.Act(q.Act), User: q.Username, From: q.Since, Before: q.BeforeID, Limit: q.Limit,
	})
	if err != nil {
		return nil, err
	}
	entries := make([]AuditEntry, len(found))
	for i := range found {
		e := &found[i]
		entries[i] = AuditEntry{
			ID: e.ID, At: e.At, Act: string(e.Act), ActorID: e.ActorID, ActorName: e.ActorName,
			TargetID: e.TargetID, TargetName: e.TargetName, Source: e.Source, UserAgent: e.UserAgent, Detail: e.Detail,
		}
		if e.Address.IsValid() {
			entries[i].Address = e.Address.String()
		}
	}
	return entries, nil
}
