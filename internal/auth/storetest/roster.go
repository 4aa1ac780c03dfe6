package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// RunRoster holds what administration reads and writes to the contracts of
// auth.Roster and auth.GroupStore, which the store of the users must implement.
func RunRoster(t *testing.T, open func(t *testing.T, hear func(auth.News)) Stores) {
	for _, group := range []struct {
		name  string
		tests []contract
	}{
		{"lists", rosterLists},
		{"edits", edits},
		{"bulk", bulks},
		{"groups", groups},
		{"permissions", permissions},
	} {
		t.Run(group.name, func(t *testing.T) { runContracts(t, open, group.tests...) })
	}
}

// RunLists holds the lists of users and sessions alone to their contracts,
// for a store that is made to read them in other ways than it does small ones.
func RunLists(t *testing.T, open func(t *testing.T, hear func(auth.News)) Stores) {
	runContracts(t, open, rosterLists[0], sessionRosters[0])
}

func runContracts(t *testing.T, open func(t *testing.T, hear func(auth.News)) Stores, tests ...contract) {
	for _, c := range tests {
		t.Run(c.says, func(t *testing.T) {
			h := new(home)
			h.Stores = open(t, h.hear)
			c.holds(t, h)
		})
	}
}

func (h *home) roster() auth.Roster     { return h.Users.(auth.Roster) }
func (h *home) groups() auth.GroupStore { return h.Users.(auth.GroupStore) }

func (h *home) mustPage(t *testing.T, l auth.UserList) *auth.UserPage {
	t.Helper()
	page, err := h.roster().ListUsers(t.Context(), l)
	if err != nil {
		t.Fatalf("ListUsers(%+v): %v", l, err)
	}
	return page
}

// crowd stores users who differ in everything that a list may ask for.
func (h *home) crowd(t *testing.T, n int) (users []auth.User, members map[int64]bool, group int64) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	of := func(all ...string) string { return all[random.IntN(len(all))] }
	group = h.mustGroup(t, "crowd")
	members = make(map[int64]bool)
	for i := range n {
		name := of("ann", "Ann", "bob", "BEN", "cy", "a_n", "z%") + fmt.Sprint(random.IntN(20), "-", i)
		u := h.stored(t, name, func(u *auth.User) {
			u.Email = of("", "ann@x.org", "Bob@x.org", "cy@y.org")
			u.FirstName, u.LastName = of("", "", "Anna", "bert"), of("", "", "Smith", "ANNING")
			u.Password = of("argon2$x", "md5$a$b", "!unusable", "plain")
			u.IsActive, u.IsStaff, u.IsSuperuser = random.IntN(3) > 0, random.IntN(4) == 0, random.IntN(6) == 0
			u.DateJoined = epoch.Add(time.Duration(random.IntN(5)) * time.Hour).Truncate(time.Duration(1+random.IntN(2)*999_999) * time.Microsecond)
			if random.IntN(3) > 0 {
				u.LastLogin = epoch.Add(time.Duration(random.IntN(5)) * time.Hour)
			}
		})
		if random.IntN(3) == 0 {
			members[u.ID] = true
			h.mustEdit(t, u.ID, auth.UserEdit{Groups: &[]int64{group}})
		}
		users = append(users, *u)
	}
	return users, members, group
}

// anyList asks for something or other.
func anyList(random *rand.Rand, group int64) auth.UserList {
	flag := func() *bool {
		if random.IntN(4) > 0 {
			return nil
		}
		return ptr(random.IntN(2) == 0)
	}
	at := func() time.Time {
		if random.IntN(5) > 0 {
			return time.Time{}
		}
		return epoch.Add(time.Duration(random.IntN(5)) * time.Hour)
	}
	l := auth.UserList{
		Active: flag(), Staff: flag(), Superuser: flag(),
		JoinedFrom: at(), JoinedTo: at(), LastLoginFrom: at(), LastLoginTo: at(),
		NeverLoggedIn: random.IntN(8) == 0,
		Sort:          auth.UserSort(random.IntN(5)), Descending: random.IntN(2) == 0, Limit: 1 + random.IntN(9),
	}
	if random.IntN(3) == 0 {
		searches := []string{"a", "AN", "ann", "smith", "*x.org", "b ann", "*n", "a_", "%", "z%", "nobody", " cy  *y ", "bob@X"}
		l.Search = searches[random.IntN(len(searches))]
	}
	if random.IntN(6) == 0 {
		l.Algorithm = []string{"argon2", "md5", "!", "bcrypt"}[random.IntN(4)]
	}
	if random.IntN(5) == 0 {
		l.Group = group
	}
	return l
}

// selects is the model of a list.
func selects(l *auth.UserList, u *auth.User, isMember, narrowed bool) bool {
	is := func(want *bool, is bool) bool { return want == nil || *want == is }
	within := func(at, from, to time.Time) bool {
		return (from.IsZero() && to.IsZero()) || !at.IsZero() && !at.Before(from) && (to.IsZero() || at.Before(to))
	}
	words, possible := auth.SearchWords(l.Search)
	for i, w := range words {
		columns := []string{u.Username, u.Email, u.FirstName, u.LastName}
		if narrowed && i == 0 {
			columns = []string{map[auth.UserSort]string{auth.ByUsername: u.Username, auth.ByEmail: u.Email}[l.Sort]}
		}
		possible = possible && slices.ContainsFunc(columns, func(column string) bool {
			column, text := strings.ToLower(column), strings.ToLower(w.Text)
			return strings.HasPrefix(column, text) || w.Anywhere && strings.Contains(column, text)
		})
	}
	algorithm, _, found := strings.Cut(u.Password, "$")
	if !found {
		algorithm = strings.TrimSuffix(u.Password[:1], "p")
	}
	return possible && is(l.Active, u.IsActive) && is(l.Staff, u.IsStaff) && is(l.Superuser, u.IsSuperuser) &&
		within(u.DateJoined, l.JoinedFrom, l.JoinedTo) && within(u.LastLogin, l.LastLoginFrom, l.LastLoginTo) &&
		(!l.NeverLoggedIn || u.LastLogin.IsZero()) && (l.Algorithm == "" || l.Algorithm == algorithm) && (l.Group == 0 || isMember)
}

func order(l *auth.UserList) func(a, b auth.User) int {
	return func(a, b auth.User) int {
		c := 0
		switch l.Sort {
		case auth.ByUsername:
			c = cmp.Compare(strings.ToLower(a.Username), strings.ToLower(b.Username))
		case auth.ByEmail:
			c = cmp.Compare(strings.ToLower(a.Email), strings.ToLower(b.Email))
		case auth.ByJoined:
			c = a.DateJoined.Compare(b.DateJoined)
		case auth.ByLastLogin:
			c = a.LastLogin.Compare(b.LastLogin)
		}
		if c = cmp.Or(c, cmp.Compare(a.ID, b.ID)); l.Descending {
			return -c
		}
		return c
	}
}

// leaf turns the pages of a list to its end, and back to its beginning.
func (h *home) leaf(t *testing.T, l auth.UserList) (there, back []string, narrowed bool) {
	t.Helper()
	const most = 500
	var home string
	for turns := 0; ; turns++ {
		page := h.mustPage(t, l)
		if len(page.Users) > l.Limit || turns > most {
			t.Fatalf("%d users on page %d of %+v", len(page.Users), turns, l)
		}
		narrowed = page.Narrowed
		there = append(there, usernames(page.Users)...)
		if len(page.Users) > 0 {
			home, back = page.Previous, usernames(page.Users)
		}
		if l.Place = page.Next; l.Place == "" {
			break
		}
	}
	for turns := 0; home != "" && turns < most; turns++ {
		l.Place = home
		page := h.mustPage(t, l)
		back = append(usernames(page.Users), back...)
		home = page.Previous
	}
	return there, back, narrowed
}

var rosterLists = []contract{
	{"a list is what it selects, in its order, page by page and back", func(t *testing.T, h *home) {
		users, members, group := h.crowd(t, 70)
		random := rand.New(rand.NewPCG(3, 4))
		for range 80 {
			l := anyList(random, group)
			there, back, narrowed := h.leaf(t, l)
			want := users[:0:0]
			for i := range users {
				if selects(&l, &users[i], members[users[i].ID], narrowed) {
					want = append(want, users[i])
				}
			}
			slices.SortFunc(want, order(&l))
			if !slices.Equal(there, usernames(want)) {
				t.Errorf("%+v\nlists %q\nwant  %q", l, there, usernames(want))
			}
			if !slices.Equal(back, there) {
				t.Errorf("%+v\nbackwards %q\nforwards  %q", l, back, there)
			}
		}
	}},
	{"a list goes on where it was, whoever comes and goes", func(t *testing.T, h *home) {
		made := map[string]*auth.User{}
		for _, name := range []string{"a", "c", "e", "g"} {
			made[name] = h.stored(t, name, nil)
		}
		l := auth.UserList{Sort: auth.ByUsername, Limit: 2}
		first := h.mustPage(t, l)
		for _, name := range []string{"a", "c"} {
			if err := h.Users.DeleteUser(t.Context(), made[name].ID); err != nil {
				t.Fatal(err)
			}
		}
		h.stored(t, "b", nil)
		h.stored(t, "d", nil)
		l.Place = first.Next
		second := h.mustPage(t, l)
		same(t, usernames(second.Users), []string{"d", "e"})
		l.Place = second.Previous
		same(t, usernames(h.mustPage(t, l).Users), []string{"b"})
	}},
	{"a place of another list, or of none, is refused", func(t *testing.T, h *home) {
		for range 3 {
			h.stored(t, fmt.Sprint("user", h.made), nil)
		}
		next := h.mustPage(t, auth.UserList{Sort: auth.ByUsername, Limit: 1}).Next
		for _, l := range []auth.UserList{
			{Sort: auth.ByEmail, Place: next}, {Sort: auth.ByUsername, Descending: true, Place: next},
			{Place: "x"}, {Place: "{}"}, {Place: strings.Repeat("A", 1e5)}, {Sort: 99}, {Sort: -1},
			{Sort: auth.ByUsername, Place: (&auth.Place{List: "users1", Key: ptr("x"), ID: "one"}).String()},
			{Sort: auth.ByUsername, Place: (&auth.Place{List: "users1", Key: ptr("\x00"), ID: "1"}).String()},
		} {
			_, err := h.roster().ListUsers(t.Context(), l)
			wantError(t, fmt.Sprintf("ListUsers(%.100v)", l), err, auth.ErrBadPlace)
		}
		odd := auth.UserList{Sort: auth.ByJoined, Place: (&auth.Place{List: "users3", Key: ptr("'; drop"), ID: "1"}).String()}
		if page, err := h.roster().ListUsers(t.Context(), odd); err == nil && len(page.Users) > 3 {
			t.Errorf("an odd place lists %v", usernames(page.Users))
		}
	}},
	{"what can't be found is not searched for", func(t *testing.T, h *home) {
		h.stored(t, "a", nil)
		for _, search := range []string{"\x00", "a\x00", "\xff", strings.Repeat("x", 255), "a a a a a a a", "' or 1=1 --"} {
			if page := h.mustPage(t, auth.UserList{Search: search}); len(page.Users) > 0 || page.Next != "" {
				t.Errorf("%.20q finds %v", search, usernames(page.Users))
			}
		}
		for _, search := range []string{"", " ", "*", "* *", "a a a a a a"} {
			if page := h.mustPage(t, auth.UserList{Search: search}); len(page.Users) != 1 {
				t.Errorf("%.20q finds %v", search, usernames(page.Users))
			}
		}
	}},
	{"a page has a hundred users, and two hundred at most", func(t *testing.T, h *home) {
		for i := range 205 {
			h.stored(t, fmt.Sprint("user", i), nil)
		}
		for limit, want := range map[int]int{0: 100, -1: 100, 150: 150, 1e6: 200} {
			if page := h.mustPage(t, auth.UserList{Limit: limit}); len(page.Users) != want || page.Next == "" || page.Previous != "" {
				t.Errorf("%d users with the limit %d, want %d", len(page.Users), limit, want)
			}
		}
	}},
	{"users are counted, those who are selected", func(t *testing.T, h *home) {
		for i := range 12 {
			h.stored(t, fmt.Sprint("user", i), func(u *auth.User) { u.IsStaff = i%3 == 0 })
		}
		for _, c := range []struct {
			list auth.UserList
			want int
		}{{auth.UserList{}, 12}, {auth.UserList{Staff: ptr(true), Limit: 1}, 4}, {auth.UserList{Search: "user1", Sort: auth.ByUsername}, 3}, {auth.UserList{Search: "x"}, 0}} {
			n, err := h.roster().CountUsers(t.Context(), c.list)
			if err != nil || n.N != c.want && !n.More || n.N > c.want {
				t.Errorf("CountUsers(%+v) = %+v, %v, want %d", c.list, n, err, c.want)
			}
		}
	}},
}
