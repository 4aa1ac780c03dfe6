package storetest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// RunAudit holds a home of the audit log, which is that of the users, to the
// contract of auth.AuditStore.
func RunAudit(t *testing.T, open func(t *testing.T, hear func(auth.News)) Stores) {
	runContracts(t, open, audits...)
}

func (h *home) audit() auth.AuditStore { return h.Users.(auth.AuditStore) }

// read lists entries without their ids, page by page.
func (h *home) read(t *testing.T, f auth.AuditFilter) (all []auth.AuditEntry) {
	t.Helper()
	for range 100 {
		page, err := h.audit().Audit(t.Context(), f)
		if err != nil {
			t.Fatalf("Audit: %v", err)
		}
		for _, e := range page {
			f.Before, e.ID = e.ID, 0
			all = append(all, e)
		}
		if len(page) < f.Limit {
			return all
		}
	}
	t.Fatal("the list has no end")
	return nil
}

func anyAct(random *rand.Rand) auth.Act {
	return []auth.Act{auth.ActLoginFailed, auth.ActUserChanged, auth.ActGroupChanged}[random.IntN(3)]
}

// anyEntry makes an entry that differs from the others.
func anyEntry(random *rand.Rand, n int) auth.AuditEntry {
	e := auth.AuditEntry{
		At: epoch.Add(time.Duration(n) * time.Minute), Act: anyAct(random),
		Source:    []string{auth.SourceAPI, auth.SourceAdmin}[random.IntN(2)],
		UserAgent: fmt.Sprint("agent/", n),
	}
	if who := random.IntN(4); who > 0 {
		e.ActorID, e.ActorName = int64(who), fmt.Sprint("user", who)
	}
	if whom := random.IntN(4); whom > 0 {
		e.TargetID, e.TargetName, e.Detail = int64(whom), fmt.Sprint("user", whom), `{"is_staff":true}`
	}
	if random.IntN(2) == 0 {
		e.Address = netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(3))})
	}
	return e
}

func isSelected(f *auth.AuditFilter, e *auth.AuditEntry) bool {
	group := strings.HasPrefix(string(e.Act), "group")
	return (f.UserID == 0 || !group && f.UserID == e.TargetID) && (f.GroupID == 0 || group && f.GroupID == e.TargetID) &&
		(f.Act == "" || f.Act == e.Act) && (f.User == "" || f.User == e.ActorName || f.User == e.TargetName) &&
		(!f.Address.IsValid() || f.Address == e.Address) && (f.Source == "" || f.Source == e.Source) &&
		(f.From.IsZero() || !e.At.Before(f.From)) && (f.To.IsZero() || e.At.Before(f.To))
}

var audits = []contract{
	{"entries come back as they were written, newest first, as the filter says", func(t *testing.T, h *home) {
		random := rand.New(rand.NewPCG(7, 8))
		var written []auth.AuditEntry
		for n := 0; n < 60; n += 6 {
			var batch []auth.AuditEntry
			for i := range 6 {
				batch = append(batch, anyEntry(random, n+i))
			}
			if err := h.audit().WriteAudit(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			written = append(written, batch...)
		}
		slices.Reverse(written)
		if err := h.audit().WriteAudit(t.Context(), nil); err != nil {
			t.Errorf("nothing to write: %v", err)
		}
		for range 40 {
			f := auth.AuditFilter{Limit: 1 + random.IntN(20)}
			if random.IntN(3) == 0 {
				f.Act = anyAct(random)
			}
			if random.IntN(2) == 0 {
				f.User = fmt.Sprint("user", random.IntN(5))
			}
			if random.IntN(3) == 0 {
				f.Address = netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(3))})
			}
			switch random.IntN(4) {
			case 0:
				f.UserID = 1 + random.Int64N(4)
			case 1:
				f.GroupID = 1 + random.Int64N(4)
			}
			if random.IntN(3) == 0 {
				f.Source = auth.SourceAdmin
			}
			if random.IntN(3) == 0 {
				f.From, f.To = epoch.Add(10*time.Minute), epoch.Add(50*time.Minute)
			}
			var want []auth.AuditEntry
			for i := range written {
				if isSelected(&f, &written[i]) {
					want = append(want, written[i])
				}
			}
			same(t, h.read(t, f), want)
		}
		for _, name := range []string{"nobody", "user' or 1=1 --", "user\x00", "us%"} {
			if found := h.read(t, auth.AuditFilter{User: name, Limit: 100}); len(found) > 0 {
				t.Errorf("%q has %d entries", name, len(found))
			}
		}
	}},
	{"what clients send is kept, whatever it is", func(t *testing.T, h *home) {
		e := auth.AuditEntry{
			At: epoch, Act: auth.ActLoginFailed, Source: auth.SourceAPI, Address: netip.MustParseAddr("2001:db8::7"),
			UserAgent: strings.Repeat("ü", 250) + `'"<>`, TargetName: "ada",
		}
		if err := h.audit().WriteAudit(t.Context(), []auth.AuditEntry{e}); err != nil {
			t.Fatal(err)
		}
		same(t, h.read(t, auth.AuditFilter{Limit: 10}), []auth.AuditEntry{e})
		e.UserAgent = "no\x00text\xff"
		if err := h.audit().WriteAudit(t.Context(), []auth.AuditEntry{e}); err != nil {
			t.Errorf("an agent that is no text: %v", err)
		}
	}},
	{"entries are counted up to a limit, and old ones leave", func(t *testing.T, h *home) {
		var entries []auth.AuditEntry
		for n := range 20 {
			entries = append(entries, auth.AuditEntry{At: epoch.Add(time.Duration(n) * time.Minute), Act: auth.Acts[n%2], Source: auth.SourceAPI})
		}
		if err := h.audit().WriteAudit(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		count := func(from, to, limit, want int) {
			t.Helper()
			n, err := h.audit().CountAudit(t.Context(), auth.Acts[0], epoch.Add(time.Duration(from)*time.Minute), epoch.Add(time.Duration(to)*time.Minute), limit)
			if err != nil || n != want {
				t.Errorf("%d entries, %v; want %d", n, err, want)
			}
		}
		count(0, 20, 100, 10)
		count(2, 6, 100, 2)
		count(0, 20, 3, 3)
		for _, want := range []int{4, 4, 2, 0} {
			if n, err := h.audit().SweepAudit(t.Context(), epoch.Add(10*time.Minute), 4); err != nil || n != want {
				t.Errorf("%d entries swept, %v; want %d", n, err, want)
			}
		}
		same(t, len(h.read(t, auth.AuditFilter{Limit: 100})), 10)
	}},
	{"a login is written down in the commit that begins its session, or not at all", func(t *testing.T, h *home) {
		u := h.stored(t, "ada", nil)
		start := &auth.Start{Session: h.session(u.ID), Audit: &auth.AuditEntry{At: epoch, Act: auth.ActLogin, ActorID: u.ID, ActorName: "ada", Source: auth.SourceAPI}}
		if h.Apart { // the log and the sessions have no commit in common, and the store must say so
			if err := h.Sessions.Start(t.Context(), start); err != nil || start.Audited {
				t.Errorf("%v, written down: %v", err, start.Audited)
			}
			same(t, h.read(t, auth.AuditFilter{Limit: 10}), []auth.AuditEntry{})
			return
		}
		if err := h.Sessions.Start(t.Context(), start); err != nil || !start.Audited {
			t.Fatalf("%v, written down: %v", err, start.Audited)
		}
		fresh := h.user("bob")
		start = &auth.Start{Session: h.session(0), NewUser: fresh, Audit: &auth.AuditEntry{At: epoch, Act: auth.ActRegister, ActorName: "bob", Source: auth.SourceAPI}}
		if err := h.Sessions.Start(t.Context(), start); err != nil || !start.Audited {
			t.Fatalf("%v, written down: %v", err, start.Audited)
		}
		again := h.user("bob")
		start = &auth.Start{Session: h.session(0), NewUser: again, Audit: &auth.AuditEntry{At: epoch, Act: auth.ActRegister, ActorName: "bob", Source: auth.SourceAPI}}
		wantError(t, "Start", h.Sessions.Start(t.Context(), start), auth.ErrUsernameTaken)
		same(t, h.read(t, auth.AuditFilter{Limit: 10}), []auth.AuditEntry{
			{At: epoch, Act: auth.ActRegister, ActorID: fresh.ID, ActorName: "bob", Source: auth.SourceAPI},
			{At: epoch, Act: auth.ActLogin, ActorID: u.ID, ActorName: "ada", Source: auth.SourceAPI},
		})
	}},
}
