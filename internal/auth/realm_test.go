package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/password"
	"github.com/postern-auth/postern/internal/sqlstore"
)

const good = "tr0ub4dor-x9"

// newRealm returns a realm over a database of its own and a clock that the
// test moves on. Two realms with the same path share it.
func newRealm(t *testing.T, path string, change func(*auth.Options)) (*auth.Realm, *atomic.Int64) {
	t.Helper()
	store, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var offset atomic.Int64
	o := auth.Options{
		Users: store, Sessions: store,
		Hashing:    hashing(t, 64),
		Gate:       password.NewGate(password.GateOptions{}),
		Validators: password.Validators(8),
		SecretKeys: []string{strings.Repeat("k", 50)},
		Policy:     auth.Policy{Age: time.Hour},
		Now:        func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
	}
	if change != nil {
		change(&o)
	}
	realm, err := auth.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(realm.Close(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return realm, &offset
}

func hashing(t *testing.T, memoryKiB int) *password.Hashing {
	t.Helper()
	h, err := password.New(password.Options{Argon2: password.Argon2Cost{MemoryKiB: memoryKiB, Time: 1, Parallelism: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func database(t *testing.T) string { return filepath.Join(t.TempDir(), "postern.sqlite3") }

func TestAnUpgradedHashKeepsTheOtherSessionsAlive(t *testing.T) {
	path := database(t)
	realm, _ := newRealm(t, path, nil)
	first, err := realm.Register(t.Context(), auth.Registration{Username: "user", Password: good}, auth.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	stronger, _ := newRealm(t, path, func(o *auth.Options) { o.Hashing = hashing(t, 128) })
	second, err := stronger.Login(t.Context(), "user", good, auth.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	if got := password.Describe(second.Identity.User.Password); !strings.Contains(got, "m=128") {
		t.Errorf("the hash is %s after the login", got)
	}
	for name, key := range map[string]string{"the other session": first.Key, "the new session": second.Key} {
		if checked, err := stronger.Check(t.Context(), key); err != nil || checked.Username != "user" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := stronger.Login(t.Context(), "user", good, auth.Visit{}); err != nil {
		t.Errorf("with the new hash: %v", err)
	}
}

func TestALoginTakesThePlaceOfTheVisitorsSession(t *testing.T) {
	realm, _ := newRealm(t, database(t), nil)
	first, err := realm.Register(t.Context(), auth.Registration{Username: "user", Password: good}, auth.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := realm.Login(t.Context(), "user", good, auth.Visit{Current: first.Identity.Session.ID})
	if err != nil {
		t.Fatal(err)
	}
	if second.Key == first.Key || second.Identity.Session.CSRFSecret == first.Identity.Session.CSRFSecret {
		t.Error("key or CSRF secret stayed the same")
	}
	if _, err := realm.Check(t.Context(), first.Key); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the former session: %v", err)
	}
	if _, err := realm.Login(t.Context(), "user", "wrong", auth.Visit{Current: second.Identity.Session.ID}); !errors.Is(err, auth.ErrInvalidCredentials) {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := realm.Check(t.Context(), second.Key); err != nil {
		t.Errorf("a failed login ended the session: %v", err)
	}
}

func TestLastSeenIsWrittenBehindAndNeverBringsASessionBack(t *testing.T) {
	realm, offset := newRealm(t, database(t), nil)
	opened, err := realm.Register(t.Context(), auth.Registration{Username: "user", Password: good}, auth.Visit{UserAgent: strings.Repeat("ä", 200)})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(opened.Identity.Session.UserAgent); n > auth.MaxUserAgent {
		t.Errorf("the user agent has %d bytes", n)
	}
	lastSeen := func() time.Time {
		sessions, err := realm.Sessions(t.Context(), auth.SessionFilter{})
		if err != nil || len(sessions) != 1 {
			t.Fatalf("%d sessions, %v", len(sessions), err)
		}
		return sessions[0].LastSeen
	}
	before := lastSeen()
	offset.Store(int64(10 * time.Minute))
	if _, err := realm.Check(t.Context(), opened.Key); err != nil {
		t.Fatal(err)
	}
	if err := realm.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if moved := lastSeen().Sub(before); moved < 9*time.Minute {
		t.Errorf("last seen moved by %s", moved)
	}
	offset.Store(int64(20 * time.Minute))
	if _, err := realm.Check(t.Context(), opened.Key); err != nil {
		t.Fatal(err)
	}
	if err := realm.Logout(t.Context(), opened.Identity.Session.ID); err != nil {
		t.Fatal(err)
	}
	if err := realm.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := realm.Check(t.Context(), opened.Key); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("after the logout: %v", err)
	}
	if err := realm.Logout(t.Context(), opened.Identity.Session.ID); err != nil {
		t.Errorf("a second logout: %v", err)
	}
}

func TestTheAddressesOfAUsersLiveSessionsAreTold(t *testing.T) {
	realm, offset := newRealm(t, database(t), nil)
	at := func(s string) auth.Visit { return auth.Visit{Address: netip.MustParseAddr(s)} }
	if _, err := realm.Register(t.Context(), auth.Registration{Username: "user", Password: good}, at("192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	if _, err := realm.Register(t.Context(), auth.Registration{Username: "other", Password: good}, at("192.0.2.99")); err != nil {
		t.Fatal(err)
	}
	offset.Store(int64(time.Minute))
	later, err := realm.Login(t.Context(), "user", good, at("2001:db8::2"))
	if err != nil {
		t.Fatal(err)
	}
	mustBe := func(when, name string, want ...string) {
		t.Helper()
		addresses, err := realm.SessionAddresses(t.Context(), name)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if got := fmt.Sprint(addresses); got != fmt.Sprint(want) {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	mustBe("two sessions", "user", "2001:db8::2", "192.0.2.1")
	mustBe("a name that nobody has", "nobody")
	if err := realm.Logout(t.Context(), later.Identity.Session.ID); err != nil {
		t.Fatal(err)
	}
	mustBe("after a logout", "user", "192.0.2.1")
	if err := realm.SetActive(t.Context(), "other", false); err != nil {
		t.Fatal(err)
	}
	mustBe("an inactive user", "other")
	offset.Store(int64(365 * 24 * time.Hour))
	mustBe("an expired session", "user")
}

func TestExpiredSessionsAreCleared(t *testing.T) {
	realm, offset := newRealm(t, database(t), nil)
	if _, err := realm.Register(t.Context(), auth.Registration{Username: "user", Password: good}, auth.Visit{}); err != nil {
		t.Fatal(err)
	}
	if n, err := realm.ClearExpired(t.Context()); n != 0 || err != nil {
		t.Errorf("cleared %d, %v", n, err)
	}
	offset.Store(int64(2 * time.Hour))
	if n, err := realm.ClearExpired(t.Context()); n != 1 || err != nil {
		t.Errorf("cleared %d, %v", n, err)
	}
}

func TestWhatIsNoKeyOpensNothing(t *testing.T) {
	realm, _ := newRealm(t, database(t), nil)
	for _, key := range []string{"", "short", strings.Repeat("a", 31), strings.Repeat("a", 32), strings.Repeat("a", 33), strings.Repeat("A", 32), strings.Repeat("-", 32), strings.Repeat("\x00", 32)} {
		if _, err := realm.Check(t.Context(), key); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestAPasswordlessUserCannotLogIn(t *testing.T) {
	realm, _ := newRealm(t, database(t), nil)
	if _, err := realm.CreateUser(t.Context(), auth.NewUser{Username: "machine"}); err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{"", "!", good} {
		if _, err := realm.Login(t.Context(), "machine", plain, auth.Visit{}); !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("%q: %v", plain, err)
		}
	}
}

func TestTheLastSuperuserStays(t *testing.T) {
	realm, _ := newRealm(t, database(t), nil)
	for _, name := range []string{"root", "second"} {
		if _, err := realm.CreateUser(t.Context(), auth.NewUser{Username: name, Password: good, IsStaff: true, IsSuperuser: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := realm.SetActive(t.Context(), "second", false); err != nil {
		t.Fatal(err)
	}
	if err := realm.SetActive(t.Context(), "root", false); !errors.Is(err, auth.ErrLastSuperuser) {
		t.Errorf("deactivate: %v", err)
	}
	if err := realm.DeleteUser(t.Context(), "root"); !errors.Is(err, auth.ErrLastSuperuser) {
		t.Errorf("delete: %v", err)
	}
}

func TestPolicy(t *testing.T) {
	born := time.Unix(1_800_000_000, 0)
	at := func(d time.Duration) time.Time { return born.Add(d) }
	for _, test := range []struct {
		name     string
		policy   auth.Policy
		seen     time.Duration // after birth
		now      time.Duration
		ended    bool
		cookieAt time.Duration // what the cookie lives on at now
	}{
		{"young", auth.Policy{Age: time.Hour}, 0, 59 * time.Minute, false, time.Minute},
		{"expired to the second", auth.Policy{Age: time.Hour}, 0, time.Hour, true, 0},
		{"idle", auth.Policy{Age: time.Hour, Idle: 10 * time.Minute}, 0, 13 * time.Minute, true, 47 * time.Minute},
		{"idle, within what is written behind", auth.Policy{Age: time.Hour, Idle: 10 * time.Minute}, 0, 11 * time.Minute, false, 49 * time.Minute},
		{"sliding", auth.Policy{Age: time.Hour, Sliding: true}, 0, 30 * time.Minute, false, time.Hour},
		{"sliding into the absolute end", auth.Policy{Age: time.Hour, Sliding: true, Absolute: 80 * time.Minute}, 0, 30 * time.Minute, false, 50 * time.Minute},
		{"the absolute end", auth.Policy{Age: time.Hour, Absolute: 30 * time.Minute}, 0, 30 * time.Minute, true, 0},
	} {
		s := auth.Session{Created: born, LastSeen: at(test.seen), Expires: at(test.policy.Age)}
		if got := test.policy.Ended(&s, at(test.now)); got != test.ended {
			t.Errorf("%s: ended is %v", test.name, got)
		}
		if got := test.policy.CookieAge(&s, at(test.now)); got != test.cookieAt {
			t.Errorf("%s: the cookie lives on for %s, want %s", test.name, got, test.cookieAt)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	store, err := sqlstore.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "p.sqlite3"), sqlstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	h, err := password.New(password.Options{Argon2: password.Argon2Cost{MemoryKiB: 64, Time: 1, Parallelism: 1}})
	if err != nil {
		b.Fatal(err)
	}
	realm, err := auth.New(b.Context(), auth.Options{
		Users: store, Sessions: store, Hashing: h, Gate: password.NewGate(password.GateOptions{}),
		SecretKeys: []string{strings.Repeat("k", 50)}, Policy: auth.Policy{Age: time.Hour},
	})
	if err != nil {
		b.Fatal(err)
	}
	opened, err := realm.Register(b.Context(), auth.Registration{Username: "user", Password: good}, auth.Visit{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := realm.Check(b.Context(), opened.Key); err != nil {
			b.Fatal(err)
		}
	}
	_ = realm.Close(b.Context())
}
