package auth

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"
	"unicode/utf8"
)

// Act is what an entry of the audit log is about.
type Act string

// The acts that are written down.
const (
	ActLogin           Act = "login"
	ActLoginFailed     Act = "login_failed"
	ActLogout          Act = "logout"
	ActRegister        Act = "register"
	ActPasswordChanged Act = "password_changed"
	ActUserCreated     Act = "user_created"
	ActUserChanged     Act = "user_changed"
	ActUserActivated   Act = "user_activated"
	ActUserDeactivated Act = "user_deactivated"
	ActUserDeleted     Act = "user_deleted"
	ActSessionEnded    Act = "session_ended"
	ActSessionsEnded   Act = "sessions_ended"
	ActGroupCreated    Act = "group_created"
	ActGroupChanged    Act = "group_changed"
	ActGroupDeleted    Act = "group_deleted"
	ActExported        Act = "audit_exported"
	// Somebody gave their own password again, in an open session.
	ActReauthenticated        Act = "reauthenticated"
	ActReauthenticationFailed Act = "reauthentication_failed"
	// Somebody who is known asked for what they lack the permission for.
	ActPermissionDenied Act = "permission_denied"
)

// Acts are all of them, in the order in which people read them.
var Acts = []Act{
	ActLogin, ActLoginFailed, ActLogout, ActRegister, ActPasswordChanged,
	ActUserCreated, ActUserChanged, ActUserActivated, ActUserDeactivated, ActUserDeleted,
	ActSessionEnded, ActSessionsEnded, ActGroupCreated, ActGroupChanged, ActGroupDeleted, ActExported,
	ActReauthenticated, ActReauthenticationFailed, ActPermissionDenied,
}

// The ways by which acts come.
const (
	SourceAPI     = "api"
	SourceAdmin   = "admin"
	SourceCommand = "cli"
	SourceProgram = "go" // a program that this package is mounted in
)

// AuditEntry is who did what to whom, when and from where. It never holds a
// password, a key or a token.
type AuditEntry struct {
	ID         int64 // set by the store, rising with time
	At         time.Time
	Act        Act
	ActorID    int64  // who did it; 0: nobody who is known
	ActorName  string // its username then; of a command, the user of the system
	TargetID   int64  // the user or group that it was done to; 0: none that is known
	TargetName string // its name then
	Source     string // one of the Source constants
	Address    netip.Addr
	UserAgent  string // at most MaxUserAgent bytes
	Detail     string // an object of JSON: what changed, or ""
}

// AuditFilter selects entries, newest first. Zero values select all.
type AuditFilter struct {
	Act      Act
	User     string // the actor's or the target's name, exactly
	UserID   int64  // the user that it was done to
	GroupID  int64  // the group that it was done to
	Address  netip.Addr
	Source   string
	From, To time.Time // from inclusive, to exclusive
	Before   int64     // keyset: ids below it; 0: from the newest
	Limit    int       // maximum number of entries; 0 means 100
}

// AuditStore is the home of the audit log. Every method returns
// ErrUnavailable (wrapped) when the store can't be reached or is too busy.
type AuditStore interface {
	// WriteAudit stores the entries in one commit; their ids are ignored.
	WriteAudit(ctx context.Context, entries []AuditEntry) error
	// Audit lists the entries that f selects; none is no error.
	Audit(ctx context.Context, f AuditFilter) ([]AuditEntry, error)
	// CountAudit counts the entries of an act in a time, up to limit.
	CountAudit(ctx context.Context, act Act, from, to time.Time, limit int) (int, error)
	// SweepAudit removes at most limit entries from before that time, the
	// oldest first, and says how many it removed.
	SweepAudit(ctx context.Context, before time.Time, limit int) (int, error)
}

// Actor is who acts, and from where.
type Actor struct {
	UserID    int64
	Name      string
	Source    string
	Address   netip.Addr
	UserAgent string
}

type actorKey struct{}

// WithActor returns a context whose acts are written down as the actor's.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

func actorOf(ctx context.Context) Actor {
	a, ok := ctx.Value(actorKey{}).(Actor)
	if !ok {
		a.Source = SourceProgram
	}
	return a
}

// entry begins an entry of what the context's actor does now.
func (r *Realm) entry(ctx context.Context, act Act) AuditEntry {
	a := actorOf(ctx)
	return AuditEntry{
		At: r.now(), Act: act, ActorID: a.UserID, ActorName: a.Name,
		Source: a.Source, Address: a.Address, UserAgent: cut(a.UserAgent, MaxUserAgent),
	}
}

// cut shortens a text to at most n bytes, between characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// detail writes what changed as an object of JSON.
func detail(changes map[string]any) string {
	if len(changes) == 0 {
		return ""
	}
	text, err := json.Marshal(changes)
	if err != nil {
		return "" // texts, numbers and switches: it can't fail
	}
	return string(text)
}

// Audit lists entries of the audit log, newest first.
func (r *Realm) Audit(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	if r.audit == nil {
		return nil, nil
	}
	return r.audit.Audit(ctx, f)
}

// CountAudit counts entries of an act in a time, up to limit.
func (r *Realm) CountAudit(ctx context.Context, act Act, from, to time.Time, limit int) (int, error) {
	if r.audit == nil {
		return 0, nil
	}
	return r.audit.CountAudit(ctx, act, from, to, limit)
}
