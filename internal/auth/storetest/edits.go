package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/postern-auth/postern/internal/auth"
)

func (h *home) mustEdit(t *testing.T, id int64, e auth.UserEdit) {
	t.Helper()
	if err := h.roster().EditUser(t.Context(), id, e); err != nil {
		t.Fatalf("EditUser: %v", err)
	}
}

func (h *home) mustGroup(t *testing.T, name string, permissions ...int64) int64 {
	t.Helper()
	id, err := h.groups().CreateGroup(t.Context(), name, permissions)
	if err != nil {
		t.Fatalf("CreateGroup: %v", err)
	}
	return id
}

func (h *home) mustCard(t *testing.T, id int64) *auth.UserCard {
	t.Helper()
	card, err := h.roster().UserCard(t.Context(), id)
	if err != nil {
		t.Fatalf("UserCard: %v", err)
	}
	return card
}

// mustPermit returns the ids of permissions by their names.
func (h *home) mustPermit(t *testing.T, names ...string) (ids []int64) {
	t.Helper()
	all, err := h.groups().Permissions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		i := slices.IndexFunc(all, func(p auth.Permission) bool { return p.String() == name })
		if i < 0 {
			t.Fatalf("there is no permission %s", name)
		}
		ids = append(ids, all[i].ID)
	}
	return ids
}

// cardOf is a card in short.
func cardOf(card *auth.UserCard) (groups, permissions []string) {
	for i := range card.Groups {
		groups = append(groups, card.Groups[i].Name)
	}
	for i := range card.Permissions {
		permissions = append(permissions, card.Permissions[i].String())
	}
	return groups, permissions
}

var edits = []contract{
	{"an edit changes what it names and nothing else", func(t *testing.T, h *home) {
		other := h.stored(t, "other", nil)
		u := h.stored(t, "user", nil)
		h.stored(t, "root", superuser)
		for _, change := range []struct {
			edit auth.UserEdit
			want func(*auth.User)
		}{
			{auth.UserEdit{}, func(*auth.User) {}},
			{auth.UserEdit{Username: ptr("Ольга")}, func(u *auth.User) { u.Username = "Ольга" }},
			{auth.UserEdit{Username: ptr("Ольга"), Email: ptr("o@x.org")}, func(u *auth.User) { u.Email = "o@x.org" }},
			{auth.UserEdit{FirstName: ptr("F"), LastName: ptr("L'")}, func(u *auth.User) { u.FirstName, u.LastName = "F", "L'" }},
			{auth.UserEdit{FirstName: ptr(""), Email: ptr("")}, func(u *auth.User) { u.FirstName, u.Email = "", "" }},
			{auth.UserEdit{IsStaff: ptr(true), IsSuperuser: ptr(true)}, func(u *auth.User) { u.IsStaff, u.IsSuperuser = true, true }},
			{auth.UserEdit{IsSuperuser: ptr(false), IsActive: ptr(false), Password: ptr("new$")}, func(u *auth.User) { u.IsSuperuser, u.IsActive, u.Password = false, false, "new$" }},
		} {
			h.mustEdit(t, u.ID, change.edit)
			change.want(u)
			same(t, h.mustGet(t, u.ID), u)
		}
		same(t, h.mustGet(t, other.ID), other)
	}},
	{"groups and permissions are set as a whole", func(t *testing.T, h *home) {
		u, other := h.stored(t, "user", nil), h.stored(t, "other", nil)
		b, a := h.mustGroup(t, "b"), h.mustGroup(t, "a")
		view, add := h.mustPermit(t, "auth.view_user")[0], h.mustPermit(t, "auth.add_user")[0]
		h.mustEdit(t, other.ID, auth.UserEdit{Groups: &[]int64{a}, Permissions: &[]int64{view}})
		for _, c := range []struct {
			groups, permissions         []int64
			wantGroups, wantPermissions []string
		}{
			{[]int64{b, a}, []int64{view, view, add}, []string{"a", "b"}, []string{"auth.add_user", "auth.view_user"}},
			{[]int64{b}, []int64{view, add}, []string{"b"}, []string{"auth.add_user", "auth.view_user"}},
			{[]int64{a}, []int64{add}, []string{"a"}, []string{"auth.add_user"}},
			{nil, nil, nil, nil},
		} {
			h.mustEdit(t, u.ID, auth.UserEdit{Groups: &c.groups, Permissions: &c.permissions})
			groups, permissions := cardOf(h.mustCard(t, u.ID))
			same(t, groups, c.wantGroups)
			same(t, permissions, c.wantPermissions)
			h.mustEdit(t, u.ID, auth.UserEdit{FirstName: ptr("x")})
			groups, _ = cardOf(h.mustCard(t, u.ID))
			same(t, groups, c.wantGroups)
		}
		groups, permissions := cardOf(h.mustCard(t, other.ID))
		same(t, groups, []string{"a"})
		same(t, permissions, []string{"auth.view_user"})
	}},
	{"an edit that can't be done changes nothing at all", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		h.stored(t, "taken", nil)
		group := h.mustGroup(t, "group")
		root := h.stored(t, "root", superuser)
		h.mustEdit(t, u.ID, auth.UserEdit{Groups: &[]int64{group}})
		for _, c := range []struct {
			id   int64
			edit auth.UserEdit
			want error
		}{
			{u.ID, auth.UserEdit{Username: ptr("taken"), FirstName: ptr("x"), Groups: &[]int64{}}, auth.ErrUsernameTaken},
			{u.ID, auth.UserEdit{FirstName: ptr("x"), Groups: &[]int64{group + 1}}, auth.ErrNoGroup},
			{u.ID, auth.UserEdit{FirstName: ptr("x"), Groups: &[]int64{}, Permissions: &[]int64{1 << 30}}, auth.ErrNoPermission},
			{1 << 30, auth.UserEdit{FirstName: ptr("x")}, auth.ErrNoUser},
			{1 << 30, auth.UserEdit{IsActive: ptr(false)}, auth.ErrNoUser},
			{root.ID, auth.UserEdit{FirstName: ptr("x"), IsActive: ptr(false)}, auth.ErrLastSuperuser},
			{root.ID, auth.UserEdit{FirstName: ptr("x"), IsSuperuser: ptr(false)}, auth.ErrLastSuperuser},
			{root.ID, auth.UserEdit{FirstName: ptr("x"), SpareSuperuser: true}, auth.ErrSuperuser},
		} {
			wantError(t, "EditUser", h.roster().EditUser(t.Context(), c.id, c.edit), c.want)
			same(t, h.mustGet(t, u.ID), u)
			same(t, h.mustGet(t, root.ID), root)
			groups, _ := cardOf(h.mustCard(t, u.ID))
			same(t, groups, []string{"group"})
		}
	}},
	{"a superuser may be demoted while another one is active", func(t *testing.T, h *home) {
		first, second := h.stored(t, "first", superuser), h.stored(t, "second", superuser)
		h.stored(t, "third", inactiveSuperuser)
		h.mustEdit(t, first.ID, auth.UserEdit{IsSuperuser: ptr(false)})
		wantError(t, "EditUser", h.roster().EditUser(t.Context(), second.ID, auth.UserEdit{IsSuperuser: ptr(false)}), auth.ErrLastSuperuser)
		h.mustEdit(t, second.ID, auth.UserEdit{IsStaff: ptr(false)})
	}},
	{"an edit is told", func(t *testing.T, h *home) {
		for i, edit := range []auth.UserEdit{
			{IsStaff: ptr(true)}, {IsActive: ptr(false)}, {Password: ptr("new$")}, {Username: ptr("other")}, {IsSuperuser: ptr(true)},
		} {
			s := h.started(t, h.stored(t, fmt.Sprint("user", i), nil).ID, nil)
			h.mustTell(t, s, func() error { return h.roster().EditUser(t.Context(), s.UserID, edit) })
		}
	}},
	{"a card of nobody is no user", func(t *testing.T, h *home) {
		_, err := h.roster().UserCard(t.Context(), 7)
		wantError(t, "UserCard", err, auth.ErrNoUser)
	}},
}

var bulks = []contract{
	{"many are shut out and let in at once, and who is nobody is left out", func(t *testing.T, h *home) {
		a, b, other := h.stored(t, "a", nil), h.stored(t, "b", nil), h.stored(t, "other", nil)
		sessionOfA, kept := h.started(t, a.ID, nil), h.started(t, other.ID, nil)
		for _, c := range []struct {
			active bool
			want   int
		}{{true, 0}, {false, 2}, {false, 0}, {true, 2}} {
			n, err := h.roster().SetActive(t.Context(), auth.UserBulk{IDs: []int64{a.ID, b.ID, a.ID, other.ID + 1}, Active: c.active})
			if err != nil || n != c.want {
				t.Errorf("SetActive(%v) = %d, %v, want %d", c.active, n, err, c.want)
			}
			if h.mustGet(t, a.ID).IsActive != c.active || h.mustGet(t, b.ID).IsActive != c.active || !h.mustGet(t, other.ID).IsActive {
				t.Error("it changed others than those")
			}
		}
		h.mustLack(t, sessionOfA.ID)
		h.mustHave(t, kept)
	}},
	{"many are changed or none", func(t *testing.T, h *home) {
		plain, root, second := h.stored(t, "plain", nil), h.stored(t, "root", superuser), h.stored(t, "second", superuser)
		h.stored(t, "off", inactiveSuperuser)
		s := h.started(t, plain.ID, nil)
		for _, c := range []struct {
			bulk auth.UserBulk
			want error
		}{
			{auth.UserBulk{IDs: []int64{plain.ID, root.ID, second.ID}}, auth.ErrLastSuperuser},
			{auth.UserBulk{IDs: []int64{plain.ID, root.ID}, SpareSuperuser: true}, auth.ErrSuperuser},
			{auth.UserBulk{IDs: make([]int64, auth.MaxBulk+1)}, auth.ErrTooMany},
		} {
			_, err := h.roster().SetActive(t.Context(), c.bulk)
			wantError(t, "SetActive", err, c.want)
			same(t, h.mustGet(t, plain.ID), plain)
			same(t, h.mustGet(t, root.ID), root)
			h.mustHave(t, s)
		}
		for _, ids := range [][]int64{{plain.ID, root.ID}, nil} {
			if _, err := h.roster().SetActive(t.Context(), auth.UserBulk{IDs: ids}); err != nil {
				t.Errorf("SetActive(%v) = %v", ids, err)
			}
		}
	}},
	{"a bulk is told", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		h.mustTell(t, s, func() error {
			_, err := h.roster().SetActive(t.Context(), auth.UserBulk{IDs: []int64{s.UserID}})
			return err
		})
	}},
}
