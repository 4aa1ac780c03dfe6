package auth

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// maxFailures is how many failed logins wait to be written down, and how
	// many failed re-authentications; of more in a second only the number is
	// kept. A storm of wrong passwords is not to become a storm of writes.
	maxFailures = 256
	// maxRefusals is the same for refused permissions, before which there is
	// no throttle.
	maxRefusals = 16
	// recordWait bounds how long an act waits for its entry.
	recordWait = 5 * time.Second
)

// record writes down what was done. The act is done by then: when it can't be
// written down, that is logged, without whom it was about.
func (r *Realm) record(ctx context.Context, entries ...AuditEntry) {
	if r.audit == nil || len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWait)
	defer cancel()
	if err := r.audit.WriteAudit(ctx, entries); err != nil {
		r.log.LogAttrs(ctx, slog.LevelError, "an act is missing in the audit log",
			slog.String("act", string(entries[0].Act)), slog.Int("entries", len(entries)), slog.Any("error", err))
	}
}

// on is an entry about a user.
func (r *Realm) on(ctx context.Context, act Act, user *User, changes map[string]any) AuditEntry {
	e := r.entry(ctx, act)
	e.TargetID, e.TargetName, e.Detail = user.ID, user.Username, detail(changes)
	return e
}

// by is an entry about a login or the like, by the user itself.
func (r *Realm) by(ctx context.Context, act Act, user *User, v Visit) *AuditEntry {
	if r.audit == nil {
		return nil
	}
	e := r.entry(ctx, act)
	e.ActorID, e.ActorName = user.ID, user.Username
	e.Address, e.UserAgent = v.Address, cut(v.UserAgent, MaxUserAgent)
	return &e
}

// failures hold what was refused until it is written in one batch. Each act
// has a bound of its own, so that a storm of one hides no other.
type failures struct {
	mu      sync.Mutex
	pending []AuditEntry
	counts  map[Act]int
	dropped map[dropped]int
}

// dropped is what entries that were left out have in common.
type dropped struct {
	act    Act
	source string
}

// add keeps an entry, or counts it if there are too many of its act.
func (f *failures) add(e AuditEntry) {
	bound := maxFailures
	if e.Act == ActPermissionDenied {
		bound = maxRefusals
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts, f.dropped = make(map[Act]int), make(map[dropped]int)
	}
	if f.counts[e.Act] >= bound {
		f.dropped[dropped{e.Act, e.Source}]++
		return
	}
	f.counts[e.Act]++
	f.pending = append(f.pending, e)
}

// recordFailure notes a failed login at an account. An unknown name is not
// kept: people type passwords into the wrong field.
func (r *Realm) recordFailure(ctx context.Context, user *User, v Visit) {
	if r.audit == nil {
		return
	}
	e := r.entry(ctx, ActLoginFailed)
	e.ActorID, e.ActorName = 0, ""
	e.Address, e.UserAgent = v.Address, cut(v.UserAgent, MaxUserAgent)
	if user != nil {
		e.TargetID, e.TargetName = user.ID, user.Username
	}
	r.failed.add(e)
}

// refuse notes that somebody whose password was right may not log in where
// only staff may.
func (r *Realm) refuse(ctx context.Context, user *User, v Visit) {
	if e := r.by(ctx, ActPermissionDenied, user, v); e != nil {
		e.Detail = detail(map[string]any{"reason": "not staff"})
		r.failed.add(*e)
	}
}

// Refused is what somebody who is known was refused for want of a permission.
type Refused struct {
	Page   string // the pattern of its path
	UserID int64  // that it was about, 0 for none
	// Group is the id of the group that it was about, 0 for none.
	Group int64
}

// RecordRefusal notes that the context's actor was refused something. It is
// written down a moment later; of a storm, only a part and the number.
func (r *Realm) RecordRefusal(ctx context.Context, what Refused) {
	if r.audit == nil {
		return
	}
	e := r.entry(ctx, ActPermissionDenied)
	e.TargetID = what.UserID
	changes := map[string]any{"page": what.Page}
	if what.Group != 0 {
		changes["group"] = what.Group
	}
	e.Detail = detail(changes)
	r.failed.add(e)
}

func (f *failures) take() (batch []AuditEntry, left map[dropped]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	batch, left = f.pending, f.dropped
	f.pending, f.counts, f.dropped = nil, nil, nil
	return batch, left
}

// flushFailures writes the failed logins and refusals that wait.
func (r *Realm) flushFailures(ctx context.Context) error {
	batch, left := r.failed.take()
	for of, n := range left {
		batch = append(batch, AuditEntry{At: r.now(), Act: of.act, Source: of.source, Detail: detail(map[string]any{"more": n})})
	}
	if len(batch) == 0 {
		return nil
	}
	if err := r.audit.WriteAudit(ctx, batch); err != nil {
		return fmt.Errorf("write failed logins: %w", err)
	}
	return nil
}

// ClearAudit deletes the entries of the audit log that are older than its
// age, in small batches, and says how many they were.
func (r *Realm) ClearAudit(ctx context.Context) (int, error) {
	if r.audit == nil || r.auditAge <= 0 {
		return 0, nil
	}
	total := 0
	for {
		n, err := r.audit.SweepAudit(ctx, r.now().Add(-r.auditAge), sweepBatch)
		total += n
		if err != nil || n < sweepBatch {
			return total, err
		}
	}
}

// editEntries are what an edit of a user is written down as: one entry for the
// password, one for the state, one for the rest. Texts are not repeated: an
// e-mail address is personal, and outlives its account here.
func (r *Realm) editEntries(ctx context.Context, before *UserCard, e *UserEdit) []AuditEntry {
	var entries []AuditEntry
	if e.Password != nil {
		entries = append(entries, r.on(ctx, ActPasswordChanged, &before.User, nil))
	}
	if e.IsActive != nil {
		entries = append(entries, r.on(ctx, activation(*e.IsActive), &before.User, nil))
	}
	changes := make(map[string]any)
	for name, text := range map[string]*string{"email": e.Email, "first_name": e.FirstName, "last_name": e.LastName} {
		if text != nil {
			changes[name] = "changed"
		}
	}
	if e.Username != nil {
		changes["username"] = *e.Username
	}
	for name, set := range map[string]*bool{"is_staff": e.IsStaff, "is_superuser": e.IsSuperuser} {
		if set != nil {
			changes[name] = *set
		}
	}
	for name, ids := range map[string]*[]int64{"groups": e.Groups, "permissions": e.Permissions} {
		if ids != nil {
			changes[name] = *ids
		}
	}
	if len(changes) > 0 {
		entries = append(entries, r.on(ctx, ActUserChanged, &before.User, changes))
	}
	return entries
}

// incomplete is what an entry adds about an act that failed on its way.
func incomplete(err error) map[string]any {
	if err == nil {
		return nil
	}
	return map[string]any{"incomplete": true}
}

// bulkEntries are one entry for each user.
func (r *Realm) bulkEntries(ctx context.Context, act Act, users []User, changes map[string]any) []AuditEntry {
	if r.audit == nil {
		return nil
	}
	entries := make([]AuditEntry, 0, len(users))
	for i := range users {
		entries = append(entries, r.on(ctx, act, &users[i], changes))
	}
	return entries
}

func (r *Realm) onGroup(ctx context.Context, act Act, id int64, name string, changes map[string]any) AuditEntry {
	e := r.entry(ctx, act)
	e.TargetID, e.TargetName, e.Detail = id, name, detail(changes)
	return e
}
