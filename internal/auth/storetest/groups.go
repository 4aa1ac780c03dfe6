package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/auth"
)

func groupNames(groups []auth.Group) (names []string) {
	for i := range groups {
		names = append(names, groups[i].Name)
	}
	return names
}

var groups = []contract{
	{"groups are listed by their names, page by page and back", func(t *testing.T, h *home) {
		for _, name := range []string{"d", "b", "a", "e", "c"} {
			h.mustGroup(t, name)
		}
		l := auth.GroupList{Limit: 2}
		var pages []string
		turn := func(place string) *auth.GroupPage {
			l.Place = place
			page, err := h.groups().Groups(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, strings.Join(groupNames(page.Groups), ""))
			return page
		}
		first := turn("")
		second := turn(first.Next)
		third := turn(second.Next)
		turn(turn(third.Previous).Previous)
		if got := strings.Join(pages, " "); got != "ab cd e cd ab" || third.Next != "" || first.Previous != "" {
			t.Errorf("the pages are %s", got)
		}
		for search, want := range map[string]string{"C": "c", "%": "", "x": "", "": "ab"} {
			if got, err := h.groups().Groups(t.Context(), auth.GroupList{Search: search, Limit: 2}); err != nil || strings.Join(groupNames(got.Groups), "") != want {
				t.Errorf("search for %q: %+v, %v", search, got, err)
			}
		}
		_, err := h.groups().Groups(t.Context(), auth.GroupList{Place: "x"})
		wantError(t, "Groups", err, auth.ErrBadPlace)
	}},
	{"a group has members and permissions", func(t *testing.T, h *home) {
		id := h.mustGroup(t, "staff", h.mustPermit(t, "auth.view_user", "auth.add_user")...)
		for i := range 3 {
			u := h.stored(t, fmt.Sprint("u", i), nil)
			h.mustEdit(t, u.ID, auth.UserEdit{Groups: &[]int64{id}})
		}
		g, err := h.groups().Group(t.Context(), id)
		if err != nil || g.Name != "staff" || g.Members != (auth.Count{N: 3}) || len(g.Permissions) != 2 {
			t.Fatalf("Group = %+v, %v", g, err)
		}
		if p := g.Permissions[0]; p.String() != "auth.add_user" || p.Model != "user" || p.Name != "Can add user" {
			t.Errorf("the first permission is %+v", p)
		}
		_, err = h.groups().Group(t.Context(), id+1)
		wantError(t, "Group", err, auth.ErrNoGroup)
	}},
	{"a group is edited as a whole or not at all", func(t *testing.T, h *home) {
		view, add := h.mustPermit(t, "auth.view_user"), h.mustPermit(t, "auth.add_user")
		id := h.mustGroup(t, "old", view...)
		h.mustGroup(t, "taken")
		for _, c := range []struct {
			id   int64
			edit auth.GroupEdit
			want error
			is   string
		}{
			{id, auth.GroupEdit{Name: ptr("taken"), Permissions: &add}, auth.ErrGroupNameTaken, "old auth.view_user"},
			{id, auth.GroupEdit{Name: ptr("new"), Permissions: &[]int64{1 << 30}}, auth.ErrNoPermission, "old auth.view_user"},
			{id + 9, auth.GroupEdit{Name: ptr("new")}, auth.ErrNoGroup, "old auth.view_user"},
			{id, auth.GroupEdit{}, nil, "old auth.view_user"},
			{id, auth.GroupEdit{Name: ptr("old")}, nil, "old auth.view_user"},
			{id, auth.GroupEdit{Name: ptr("new")}, nil, "new auth.view_user"},
			{id, auth.GroupEdit{Permissions: &add}, nil, "new auth.add_user"},
			{id, auth.GroupEdit{Name: ptr("old"), Permissions: &[]int64{}}, nil, "old"},
		} {
			wantError(t, "EditGroup", h.groups().EditGroup(t.Context(), c.id, c.edit), c.want)
			g, err := h.groups().Group(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			is := g.Name
			for i := range g.Permissions {
				is += " " + g.Permissions[i].String()
			}
			if is != c.is {
				t.Errorf("after %+v the group is %s, want %s", c.edit, is, c.is)
			}
		}
		_, err := h.groups().CreateGroup(t.Context(), "taken", nil)
		wantError(t, "CreateGroup", err, auth.ErrGroupNameTaken)
		_, err = h.groups().CreateGroup(t.Context(), "half", []int64{1 << 30})
		wantError(t, "CreateGroup", err, auth.ErrNoPermission)
		if got, err := h.groups().Groups(t.Context(), auth.GroupList{}); err != nil || len(got.Groups) != 2 {
			t.Errorf("Groups = %+v, %v", got, err)
		}
	}},
	{"a deleted group is gone from its members, who stay", func(t *testing.T, h *home) {
		gone, kept := h.mustGroup(t, "gone", h.mustPermit(t, "auth.view_user")...), h.mustGroup(t, "kept")
		u := h.stored(t, "user", nil)
		h.mustEdit(t, u.ID, auth.UserEdit{Groups: &[]int64{gone, kept}})
		if err := h.groups().DeleteGroup(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		wantError(t, "DeleteGroup again", h.groups().DeleteGroup(t.Context(), gone), auth.ErrNoGroup)
		names, _ := cardOf(h.mustCard(t, u.ID))
		same(t, names, []string{"kept"})
	}},
}

var permissions = []contract{
	{"there are the permissions of Django's own apps", func(t *testing.T, h *home) {
		all, err := h.groups().Permissions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range all {
			got = append(got, all[i].String()+" "+all[i].Model+": "+all[i].Name)
		}
		var want []string
		for _, m := range [][3]string{
			{"admin", "logentry", "log entry"}, {"auth", "group", "group"}, {"auth", "permission", "permission"}, {"auth", "user", "user"},
			{"contenttypes", "contenttype", "content type"}, {"sessions", "session", "session"},
		} {
			for _, verb := range []string{"add", "change", "delete", "view"} {
				want = append(want, fmt.Sprintf("%s.%s_%s %s: Can %s %s", m[0], verb, m[1], m[1], verb, m[2]))
			}
		}
		same(t, got, want)
	}},
	{"who may do what is told by the user, its groups and its flags", func(t *testing.T, h *home) {
		group := h.mustGroup(t, "group", h.mustPermit(t, "auth.view_user", "auth.add_user")...)
		h.mustGroup(t, "other", h.mustPermit(t, "auth.delete_user")...)
		own := h.mustPermit(t, "auth.view_user", "sessions.view_session")
		h.stored(t, "root", superuser)
		for _, c := range []struct {
			name        string
			change      func(*auth.User)
			groups      []int64
			permissions []int64
			want        string
		}{
			{"nothing", nil, nil, nil, ""},
			{"staff alone is nothing", func(u *auth.User) { u.IsStaff = true }, nil, nil, ""},
			{"own", nil, nil, own, "auth.view_user sessions.view_session"},
			{"of a group", nil, []int64{group}, nil, "auth.add_user auth.view_user"},
			{"both", nil, []int64{group}, own, "auth.add_user auth.view_user sessions.view_session"},
			{"inactive", func(u *auth.User) { u.IsActive = false }, []int64{group}, own, ""},
			{"inactive superuser", inactiveSuperuser, []int64{group}, own, ""},
		} {
			u := h.stored(t, c.name, c.change)
			h.mustEdit(t, u.ID, auth.UserEdit{Groups: &c.groups, Permissions: &c.permissions})
			got, err := h.roster().PermissionsOf(t.Context(), u.ID)
			if err != nil || strings.Join(got.Sorted(), " ") != c.want {
				t.Errorf("%s: %v, %v, want %s", c.name, got.Sorted(), err, c.want)
			}
		}
		root := h.stored(t, "another root", superuser)
		got, err := h.roster().PermissionsOf(t.Context(), root.ID)
		if err != nil || len(got) != 24 || !got.Has("auth.change_group") {
			t.Errorf("a superuser: %v, %v", got.Sorted(), err)
		}
		_, err = h.roster().PermissionsOf(t.Context(), root.ID+1)
		wantError(t, "PermissionsOf", err, auth.ErrNoUser)
	}},
}
