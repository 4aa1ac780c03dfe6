package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/auth"
)

func (h *home) mustList(t *testing.T, f auth.UserFilter) []auth.User {
	t.Helper()
	users, err := h.Users.Users(t.Context(), f)
	if err != nil {
		t.Fatalf("Users(%+v): %v", f, err)
	}
	return users
}

var lists = []contract{
	{"a list of nobody is empty and no error", func(t *testing.T, h *home) {
		for _, f := range []auth.UserFilter{{}, {Newest: true}, {Search: "x"}, {Active: ptr(true)}, {Superior: true}, {After: ptr[int64](7)}} {
			if users := h.mustList(t, f); len(users) != 0 {
				t.Errorf("Users(%+v) = %v", f, usernames(users))
			}
		}
	}},
	{"a list has whole users in the order of their ids", func(t *testing.T, h *home) {
		want := []auth.User{*h.stored(t, "c", superuser), *h.stored(t, "a", nil), *h.stored(t, "b", inactiveSuperuser)}
		same(t, h.mustList(t, auth.UserFilter{}), want)
	}},
	{"a list goes on after an id, in both directions", func(t *testing.T, h *home) {
		var made []*auth.User
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			made = append(made, h.stored(t, name, nil))
		}
		for _, c := range []struct {
			filter auth.UserFilter
			want   string
		}{
			{auth.UserFilter{After: &made[1].ID}, "cde"},
			{auth.UserFilter{After: &made[1].ID, Limit: 2}, "cd"},
			{auth.UserFilter{After: &made[4].ID}, ""},
			{auth.UserFilter{Newest: true}, "edcba"},
			{auth.UserFilter{Newest: true, Limit: 2}, "ed"},
			{auth.UserFilter{Newest: true, After: &made[3].ID, Limit: 2}, "cb"},
			{auth.UserFilter{Newest: true, After: &made[0].ID}, ""},
			{auth.UserFilter{Limit: 1}, "a"},
			{auth.UserFilter{Limit: 100}, "abcde"},
		} {
			if got := strings.Join(usernames(h.mustList(t, c.filter)), ""); got != c.want {
				t.Errorf("Users(%+v) = %q, want %q", c.filter, got, c.want)
			}
		}
	}},
	{"a list is of a hundred unless it says otherwise", func(t *testing.T, h *home) {
		for i := range 103 {
			h.stored(t, fmt.Sprint("user", i), nil)
		}
		for limit, want := range map[int]int{0: 100, 101: 101, 1000: 103} {
			if got := len(h.mustList(t, auth.UserFilter{Limit: limit})); got != want {
				t.Errorf("%d users with the limit %d, want %d", got, limit, want)
			}
		}
	}},
	{"a search finds parts of names and addresses, whatever the case", func(t *testing.T, h *home) {
		address := func(email string) func(*auth.User) { return func(u *auth.User) { u.Email = email } }
		h.stored(t, "Alice", address("a@one.example"))
		h.stored(t, "bob", address("ALICE@two.example"))
		h.stored(t, "malice", address(""))
		h.stored(t, "Ольга", address("o@three.example"))
		h.stored(t, "100%", address("per_cent@four.example"))
		h.stored(t, `back\slash`, address("it's@four.example"))
		for search, want := range map[string][]string{
			"alice":                  {"Alice", "bob", "malice"},
			"ALI":                    {"Alice", "bob", "malice"},
			"льг":                    {"Ольга"},
			"@":                      {"Alice", "bob", "Ольга", "100%", `back\slash`},
			".example":               {"Alice", "bob", "Ольга", "100%", `back\slash`},
			"%":                      {"100%"},
			"_":                      {"100%"},
			`\`:                      {`back\slash`},
			`\%`:                     nil,
			"'":                      {`back\slash`},
			"r_c":                    {"100%"},
			"a%e":                    nil,
			"al_ce":                  nil,
			"bob\x00":                nil,
			"\x00":                   nil,
			"\xff":                   nil,
			"nobody":                 nil,
			" ":                      nil,
			strings.Repeat("%", 1e5): nil,
			strings.Repeat("a", 300): nil,
		} {
			got := usernames(h.mustList(t, auth.UserFilter{Search: search}))
			if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
				t.Errorf("search for %.20q (-want +got):\n%s", search, diff)
			}
		}
	}},
	{"a list may be of the active, the inactive or the active superusers only", func(t *testing.T, h *home) {
		h.stored(t, "plain", func(u *auth.User) { u.Email = "" })
		h.stored(t, "off", func(u *auth.User) { u.IsActive = false })
		h.stored(t, "root", func(u *auth.User) { u.IsSuperuser, u.Email = true, "r@r.org" })
		h.stored(t, "off root", inactiveSuperuser)
		h.stored(t, "staff", func(u *auth.User) { u.IsStaff = true })
		for _, c := range []struct {
			filter auth.UserFilter
			want   []string
		}{
			{auth.UserFilter{}, []string{"plain", "off", "root", "off root", "staff"}},
			{auth.UserFilter{Active: ptr(true)}, []string{"plain", "root", "staff"}},
			{auth.UserFilter{Active: ptr(false)}, []string{"off", "off root"}},
			{auth.UserFilter{Superior: true}, []string{"root"}},
			{auth.UserFilter{Superior: true, Active: ptr(false)}, nil},
			{auth.UserFilter{Active: ptr(true), Search: "a", Newest: true}, []string{"staff", "plain"}},
			{auth.UserFilter{Active: ptr(false), Search: "root"}, []string{"off root"}},
		} {
			same(t, usernames(h.mustList(t, c.filter)), c.want)
		}
	}},
}
