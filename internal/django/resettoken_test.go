package django

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func newResetTokens(t *testing.T, timeout time.Duration, keys ...string) *ResetTokens {
	t.Helper()
	r, err := NewResetTokens(keys, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResetTokensAreDjangos(t *testing.T) {
	v := readVectors(t)
	for _, want := range v.ResetTokens {
		now, err := time.Parse("2006-01-02T15:04:05", want.NowUTC)
		if err != nil {
			t.Fatal(err)
		}
		user := ResetUser{ID: want.PK, Password: want.PasswordField, Email: want.Email}
		if want.LastLogin != nil {
			user.LastLogin = *want.LastLogin
		}
		r := newResetTokens(t, DefaultResetTimeout, v.SecretKey)
		if got := r.Make(user, now); got != want.Token {
			t.Errorf("Make = %s, want %s", got, want.Token)
		}
		if !r.Check(user, want.Token, now) {
			t.Errorf("%s is refused", want.Token)
		}
	}
}

func TestAResetTokenIsOver(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	user := ResetUser{ID: 42, Password: "md5$a$b", Email: "jo@example.com", LastLogin: now.Add(-time.Hour)}
	r := newResetTokens(t, time.Hour, "key")
	token := r.Make(user, now)
	for _, test := range []struct {
		name   string
		change func(*ResetUser)
		after  time.Duration
		want   bool
	}{
		{"not at once", func(*ResetUser) {}, 0, true},
		{"not at the last second", func(*ResetUser) {}, time.Hour, true},
		{"not for a clock that is slow", func(*ResetUser) {}, -time.Hour, true},
		{"not when a microsecond of the last login is lost", func(u *ResetUser) { u.LastLogin = u.LastLogin.Add(time.Microsecond) }, 0, true},
		{"not in another time zone", func(u *ResetUser) { u.LastLogin = u.LastLogin.In(time.FixedZone("", 3600)) }, 0, true},
		{"a second later", func(*ResetUser) {}, time.Hour + time.Second, false},
		{"with a new password", func(u *ResetUser) { u.Password = "md5$a$c" }, 0, false},
		{"with a new address", func(u *ResetUser) { u.Email = "jo@example.org" }, 0, false},
		{"with a new login", func(u *ResetUser) { u.LastLogin = now }, 0, false},
		{"for another user", func(u *ResetUser) { u.ID = 4 }, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := user
			test.change(&u)
			if got := r.Check(u, token, now.Add(test.after)); got != test.want {
				t.Errorf("Check = %v", got)
			}
		})
	}
}

func TestAResetTokenOfAFallbackKeyCounts(t *testing.T) {
	now := time.Now()
	token := newResetTokens(t, time.Hour, "old").Make(ResetUser{ID: 1}, now)
	if !newResetTokens(t, time.Hour, "new", "old").Check(ResetUser{ID: 1}, token, now) {
		t.Error("refused")
	}
	if newResetTokens(t, time.Hour, "new", "newer").Check(ResetUser{ID: 1}, token, now) {
		t.Error("accepted without its key")
	}
}

func TestAResetTokenCountsTheWallClock(t *testing.T) {
	r := newResetTokens(t, time.Hour, "key")
	utc := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	there := time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", -5*3600))
	if a, b := r.Make(ResetUser{ID: 1}, utc), r.Make(ResetUser{ID: 1}, there); a != b {
		t.Errorf("%s and %s at noon", a, b)
	}
}

func TestATextThatIsNoResetTokenIsRefused(t *testing.T) {
	r := newResetTokens(t, time.Hour, "key")
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	token := r.Make(ResetUser{ID: 1}, now)
	for _, text := range []string{
		"", "-", "--", token[1:], token[:len(token)-1], token + "-", "-" + token, "0" + token, "+" + token,
		strings.ToUpper(token), token + "0", strings.Replace(token, "-", "_", 1), strings.Replace(token, "-", "--", 1),
		"zzzzzzzzzzzzz-" + token[7:], strings.Repeat("z", 14) + "-" + token[7:], "1y2p0ij32e8e7-", "ж-" + token[7:],
	} {
		if r.Check(ResetUser{ID: 1}, text, now) {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestResetTokensNeedAKey(t *testing.T) {
	for _, keys := range [][]string{nil, {""}, {"key", ""}} {
		if _, err := NewResetTokens(keys, time.Hour); !errors.Is(err, ErrNoKey) {
			t.Errorf("NewResetTokens(%q): %v", keys, err)
		}
	}
}

func FuzzResetToken(f *testing.F) {
	f.Add("dihw00-5d1d6c0fc8c614309e96f0fb882110d9")
	f.Add("-")
	f.Add("dihw00")
	r, err := NewResetTokens([]string{"key"}, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	right := r.Make(ResetUser{ID: 1}, now)
	f.Add(right)
	f.Fuzz(func(t *testing.T, token string) {
		if r.Check(ResetUser{ID: 1}, token, now) && token != right {
			t.Fatalf("%q is accepted", token)
		}
	})
}
