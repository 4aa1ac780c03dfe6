package django

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// appliedAt are the rows of a database that Postern made, at those moments.
func appliedAt(at func(int) string) []AppliedMigration {
	var rows []AppliedMigration
	for i := range ownMigrations {
		app := "auth"
		switch {
		case i < 2:
			app = "contenttypes"
		case i == ownMigrations-1:
			app = "sessions"
		}
		rows = append(rows, AppliedMigration{app, fmt.Sprintf("%04d", i), at(i)})
	}
	return rows
}

func TestIsProject_TellsWhoMigrated(t *testing.T) {
	own := appliedAt(func(int) string { return "2026-01-02 03:04:05.123000" })
	for _, tt := range []struct {
		name string
		rows []AppliedMigration
		want bool
	}{
		{"no rows", nil, false},
		{"made by Postern", own, false},
		{"made by Postern, then migrated by a Django", append(slices.Clone(own), AppliedMigration{"admin", "0001_initial", "2026-02-01 00:00:00"}), true},
		{"made by a Django with the same apps", appliedAt(func(i int) string { return fmt.Sprintf("2026-01-02 03:04:05.%06d", i) }), true},
		{"made by an older Django", own[:12], true},
		{"no app auth", []AppliedMigration{{"blog", "0001_initial", "x"}}, true},
		{"another app in the place of one of ours", append(slices.Clone(own[:14]), AppliedMigration{"blog", "0001_initial", own[0].At}), true},
	} {
		if got := IsProject(tt.rows); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestLayout_FindsTheUsersOfAnotherModel(t *testing.T) {
	project := []AppliedMigration{{"auth", "0001_initial", "a"}, {"accounts", "0001_initial", "b"}}
	custom := []string{"id", "password", "last_login", "is_superuser", "username", "email"}
	base := []string{"id", "password", "last_login", "phone"}
	links := func(to string) []Reference {
		return []Reference{{"auth_user_groups", "user_id", "auth_user"}, {"blog_post", "user_id", "auth_user"}, {"django_admin_log", "user_id", to}}
	}
	for _, tt := range []struct {
		name   string
		layout Layout
		want   string // a part; "" for none
	}{
		{"an empty database", Layout{}, ""},
		{"tables of another program, with passwords", Layout{Columns: map[string][]string{"users": custom}}, ""},
		{"a Django project", Layout{Applied: project, Columns: map[string][]string{"auth_user": userColumns}, References: links("auth_user")}, ""},
		{"a Django project without the app auth", Layout{Applied: project[1:], Columns: map[string][]string{"blog_post": {"id"}}}, ""},
		{"the app auth without its table", Layout{Applied: project}, "but no table auth_user"},
		{"another model", Layout{Applied: project, Columns: map[string][]string{"accounts_user": custom}}, "table accounts_user"},
		{"another model without permissions", Layout{Applied: project[1:], Columns: map[string][]string{"accounts_user": base}}, "table accounts_user"},
		{"another model, whose table is only referred to", Layout{Applied: project, References: links("people")}, "table people, to which django_admin_log refers"},
		{"an empty auth_user beside it", Layout{Applied: project, Columns: map[string][]string{"auth_user": userColumns, "accounts_user": custom}}, "table accounts_user"},
		{"an empty auth_user beside a full table", Layout{Applied: project, Columns: map[string][]string{"auth_user": userColumns, "accounts_user": base}, Filled: map[string]bool{"accounts_user": true}}, "table accounts_user"},
		{"an empty auth_user beside an empty table of another kind", Layout{Applied: project, Columns: map[string][]string{"auth_user": userColumns, "routers": base}}, ""},
		{"an empty auth_user that the admin refers to, beside a table of old users", Layout{Applied: project, Columns: map[string][]string{"auth_user": userColumns, "old_users": custom}, References: links("auth_user"), Filled: map[string]bool{"old_users": true}}, ""},
		{"an auth_user in use beside another table", Layout{Applied: project, Columns: map[string][]string{"auth_user": userColumns, "accounts_user": custom}, Filled: map[string]bool{"auth_user": true, "accounts_user": true}}, ""},
		{"an empty auth_user, and the admin refers elsewhere", Layout{Applied: project, Columns: map[string][]string{"auth_user": userColumns}, References: links("people")}, "table people"},
		{"the full one of two", Layout{Applied: project, Columns: map[string][]string{"a_user": custom, "b_user": base}, Filled: map[string]bool{"b_user": true}}, "table b_user"},
		{"another model in auth_user", Layout{Applied: project, Columns: map[string][]string{"auth_user": append(slices.Clone(userColumns), "phone")}}, ""},
		{"another model in auth_user, without some columns", Layout{Applied: project, Columns: map[string][]string{"auth_user": base}, Filled: map[string]bool{"auth_user": true}}, "lacks the columns is_superuser, username, "},
	} {
		got := tt.layout.ForeignUsers()
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
