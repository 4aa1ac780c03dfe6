package django

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AppliedMigration is a row of django_migrations.
type AppliedMigration struct {
	App, Name string
	At        string // as the database writes it
}

// ownMigrations is how many rows a database made by Postern has in
// django_migrations; one statement writes them all.
const ownMigrations = 15

var ownApps = []string{"contenttypes", "auth", "sessions"}

// IsProject reports whether a Django project has migrated the database. A
// database that Postern made has the rows that lead to Django's tables, too,
// but all of one moment and of no other app.
func IsProject(applied []AppliedMigration) bool {
	if len(applied) == 0 {
		return false
	}
	return len(applied) != ownMigrations || slices.ContainsFunc(applied, func(m AppliedMigration) bool {
		return m.At != applied[0].At || !slices.Contains(ownApps, m.App)
	})
}

// Reference is a column that refers to a row of another table.
type Reference struct{ Table, Column, To string }

// Layout is what the tables of a database tell about who its users are. Names
// are in lower case.
type Layout struct {
	Applied    []AppliedMigration
	Columns    map[string][]string // of each table and view
	References []Reference
	// Filled are the tables among [Layout.UserTables] that have rows.
	Filled map[string]bool
}

// UsersTable is where the users of a Django project are, unless it names
// another model in AUTH_USER_MODEL.
const UsersTable = "auth_user"

// userColumns are those of Django's own user model.
var userColumns = []string{
	"id", "password", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined",
}

// userReferences are tables of Django and of common apps with a column that
// refers to AUTH_USER_MODEL, the most common ones first.
var userReferences = []string{
	"django_admin_log", "authtoken_token", "account_emailaddress", "socialaccount_socialaccount", "mfa_authenticator", "usersessions_usersession",
	"token_blacklist_outstandingtoken", "oauth2_provider_accesstoken", "otp_totp_totpdevice", "knox_authtoken", "guardian_userobjectpermission", "reversion_revision",
}

// UserTables returns the tables that may hold users: auth_user, and those with
// the columns of Django's AbstractBaseUser.
func (l *Layout) UserTables() []string {
	var found []string
	for _, table := range slices.Sorted(maps.Keys(l.Columns)) {
		if table == UsersTable || l.has(table, "password", "last_login") {
			found = append(found, table)
		}
	}
	return found
}

func (l *Layout) has(table string, columns ...string) bool {
	return !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(l.Columns[table], c) })
}

// ForeignUsers says why auth_user is not, and must not become, the table of
// this database's users: a sentence without a full stop, "" if nothing speaks
// against it. It is so in the database of a Django project with a user model
// of its own, whose users Postern would not find.
func (l *Layout) ForeignUsers() string {
	if len(l.Applied) == 0 {
		return ""
	}
	_, exists := l.Columns[UsersTable]
	if missing := l.missing(); exists && len(missing) > 0 {
		return fmt.Sprintf("its table auth_user lacks the columns %s of Django's user model", strings.Join(missing, ", "))
	}
	if l.Filled[UsersTable] {
		return ""
	}
	referrer, referred := l.referred()
	switch other := l.otherUsers(); {
	case referred != "" && referred != UsersTable:
		return fmt.Sprintf("the users of its Django project are in the table %s, to which %s refers", referred, referrer)
	case other != "" && referred != UsersTable:
		return fmt.Sprintf("the users of its Django project seem to be in the table %s", other)
	case !exists && slices.ContainsFunc(l.Applied, func(m AppliedMigration) bool { return m.App == "auth" }):
		return "it has the migrations of Django's app auth, but no table auth_user"
	}
	return ""
}

// missing are the columns of Django's user model that auth_user lacks.
func (l *Layout) missing() []string {
	return slices.DeleteFunc(slices.Clone(userColumns), func(c string) bool { return l.has(UsersTable, c) })
}

// referred is the table that the tables of common apps refer to, and one of
// them; auth_user if one refers to that.
func (l *Layout) referred() (referrer, to string) {
	for _, table := range userReferences {
		for _, r := range l.References {
			switch {
			case r.Table != table || r.Column != "user_id":
			case r.To == UsersTable:
				return table, UsersTable
			case to == "":
				referrer, to = table, r.To
			}
		}
	}
	return referrer, to
}

// otherUsers is a table beside auth_user that holds users, "" if there is none.
// An empty one counts only if it has the columns of AbstractBaseUser and of
// PermissionsMixin, or if there is no auth_user.
func (l *Layout) otherUsers() string {
	_, exists := l.Columns[UsersTable]
	tables := slices.DeleteFunc(l.UserTables(), func(table string) bool {
		return table == UsersTable || strings.HasPrefix(table, "postern_") || exists && !l.Filled[table] && !l.has(table, "is_superuser")
	})
	if len(tables) == 0 {
		return ""
	}
	return slices.MaxFunc(tables, func(a, b string) int { return cmp.Compare(l.likeness(a), l.likeness(b)) })
}

// likeness says how much a table is like that of Django's user model.
func (l *Layout) likeness(table string) int {
	n := 0
	for _, c := range userColumns {
		if l.has(table, c) {
			n++
		}
	}
	if l.Filled[table] {
		n += len(userColumns)
	}
	return n
}
