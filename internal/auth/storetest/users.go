package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

var users = []contract{
	{"a user comes back with every column as it was stored", func(t *testing.T, h *home) {
		u := &auth.User{
			Username:  "Zoë+@x.y-_" + strings.Repeat("é", 140),
			Email:     "o'hara%_\\\"@exämple.com",
			FirstName: "Ольга",
			LastName:  "🦊 O'Hara; --",
			Password:  "argon2$argon2id$v=19$m=19456,t=2,p=1$" + strings.Repeat("x", 91),
			IsActive:  true, IsStaff: true, IsSuperuser: true,
			LastLogin:  epoch.Add(time.Hour),
			DateJoined: epoch,
		}
		if err := h.Users.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		if u.ID <= 0 {
			t.Fatalf("ID = %d, want a positive one", u.ID)
		}
		byName, err := h.Users.UserByName(t.Context(), u.Username)
		if err != nil {
			t.Fatal(err)
		}
		same(t, byName, u)
		same(t, h.mustGet(t, u.ID), u)
	}},
	{"the flags are kept apart", func(t *testing.T, h *home) {
		for i, change := range []func(*auth.User){
			func(u *auth.User) { u.IsActive = false },
			func(u *auth.User) { u.IsStaff = true },
			func(u *auth.User) { u.IsSuperuser = true },
		} {
			u := h.stored(t, string(rune('a'+i)), change)
			same(t, h.mustGet(t, u.ID), u)
		}
	}},
	{"a user that never logged in has no last login", func(t *testing.T, h *home) {
		u := h.stored(t, "new", nil)
		if got := h.mustGet(t, u.ID).LastLogin; !got.IsZero() {
			t.Errorf("LastLogin = %v, want none", got)
		}
	}},
	{"times of users are kept to the microsecond, in UTC", func(t *testing.T, h *home) {
		for _, at := range []time.Time{
			time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			time.Date(2026, 1, 2, 3, 4, 5, 120_000_000, time.UTC),
			time.Date(2026, 1, 2, 3, 4, 5, 1_000, time.UTC),
			time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
			time.Date(2026, 7, 1, 0, 30, 0, 0, time.FixedZone("", 2*3600)),
		} {
			u := h.stored(t, at.String(), func(u *auth.User) { u.DateJoined, u.LastLogin = at, at })
			got := h.mustGet(t, u.ID)
			same(t, got, u)
			if got.DateJoined.Location() != time.UTC || got.LastLogin.Location() != time.UTC {
				t.Errorf("times in %v and %v", got.DateJoined.Location(), got.LastLogin.Location())
			}
		}
		fine := h.stored(t, "fine", func(u *auth.User) { u.DateJoined = epoch.Add(999 * time.Nanosecond) })
		if got := h.mustGet(t, fine.ID).DateJoined; !got.Equal(epoch) {
			t.Errorf("DateJoined = %v, want %v", got, epoch)
		}
	}},
	{"a sample of passwords has the first of every stretch of ids", func(t *testing.T, h *home) {
		want := func(step int64, limit int, want ...string) {
			t.Helper()
			got, err := h.Users.PasswordSample(t.Context(), step, limit)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		}
		want(1, 10)
		var all, quarters []string
		stretch := int64(-1)
		for i := range 30 {
			u := h.stored(t, fmt.Sprint("user", i), func(u *auth.User) { u.Password = fmt.Sprint("hash ", i) })
			if i%10 > 5 { // ids have gaps
				if err := h.Users.DeleteUser(t.Context(), u.ID); err != nil {
					t.Fatal(err)
				}
				continue
			}
			all = append(all, u.Password)
			if u.ID/4 != stretch {
				stretch = u.ID / 4
				quarters = append(quarters, u.Password)
			}
		}
		want(1, 100, all...)
		want(1, 7, all[:7]...)
		want(4, 100, quarters...)
		want(1<<62, 100, all[0])
	}},
	{"a user is found by exactly its name", func(t *testing.T, h *home) {
		want := h.stored(t, "Alice", nil)
		got, err := h.Users.UserByName(t.Context(), "Alice")
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
		for _, name := range []string{"alice", "ALICE", "Alice ", " Alice", "Alic", "Alice\x00", "A%", "Al_ce", "Álice", ""} {
			u, err := h.Users.UserByName(t.Context(), name)
			if u != nil {
				t.Errorf("UserByName(%q) = %+v", name, u)
			}
			wantError(t, "UserByName", err, auth.ErrNoUser)
		}
	}},
	{"an id that no user has is no user", func(t *testing.T, h *home) {
		u := h.stored(t, "only", nil)
		for _, id := range []int64{0, -1, u.ID + 1, 1 << 62} {
			_, err := h.Users.UserByID(t.Context(), id)
			wantError(t, "UserByID", err, auth.ErrNoUser)
		}
	}},
	{"a name is given once", func(t *testing.T, h *home) {
		first := h.stored(t, "name", nil)
		second := h.user("name")
		wantError(t, "CreateUser", h.Users.CreateUser(t.Context(), second), auth.ErrUsernameTaken)
		if second.ID != 0 {
			t.Errorf("the refused user has the id %d", second.ID)
		}
		same(t, h.mustGet(t, first.ID), first)
		all, err := h.Users.Users(t.Context(), auth.UserFilter{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, usernames(all), []string{"name"})
	}},
	{"names that differ in case are different", func(t *testing.T, h *home) {
		lower, upper := h.stored(t, "same", nil), h.stored(t, "SAME", nil)
		same(t, h.mustGet(t, lower.ID).Username, "same")
		same(t, h.mustGet(t, upper.ID).Username, "SAME")
	}},
	{"an e-mail address may be shared, or missing", func(t *testing.T, h *home) {
		for _, name := range []string{"a", "b"} {
			h.stored(t, name, func(u *auth.User) { u.Email = "shared@example.com" })
			h.stored(t, name+name, func(u *auth.User) { u.Email = "" })
		}
	}},
	{"the id of a deleted user is not given again", func(t *testing.T, h *home) {
		gone := h.stored(t, "gone", nil)
		if err := h.Users.DeleteUser(t.Context(), gone.ID); err != nil {
			t.Fatal(err)
		}
		if next := h.stored(t, "next", nil); next.ID <= gone.ID {
			t.Errorf("id %d after %d was deleted", next.ID, gone.ID)
		}
	}},
}
