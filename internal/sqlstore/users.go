package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/auth"
)

// The columns of auth.User, in the order of userAt. The plus signs hide from the
// driver that a column was declared as a datetime: it would guess at its form.
const userColumns = `u.id, u.username, u.email, u.first_name, u.last_name, u.password,
	u.is_active, u.is_staff, u.is_superuser, +u.last_login, +u.date_joined`

const userColumnCount = 11

// userTexts are the columns of texts, in the order of userColumns from username.
var userTexts = [...]auth.Columns{auth.ColumnUsername, auth.ColumnEmail, auth.ColumnFirstName, auth.ColumnLastName, auth.ColumnPassword}

// userAt makes a user of the columns from first on.
func (r *row) userAt(first int) (u auth.User) {
	values := r.values[first : first+userColumnCount]
	bad := func(column auth.Columns, ok bool) {
		if !ok {
			u.Unreadable |= column
		}
	}
	var ok bool
	u.ID, ok = values[0].int()
	bad(auth.ColumnID, ok)
	for i, into := range []*string{&u.Username, &u.Email, &u.FirstName, &u.LastName, &u.Password} {
		*into, ok = values[1+i].text()
		bad(userTexts[i], ok)
	}
	if u.Unreadable&auth.ColumnPassword != 0 {
		u.Password = ""
	}
	u.IsActive, u.IsStaff, u.IsSuperuser = values[6].flag(), values[7].flag(), values[8].flag()
	u.LastLogin, ok = values[9].time()
	bad(auth.ColumnLastLogin, ok)
	u.DateJoined, ok = values[10].time()
	bad(auth.ColumnDateJoined, ok)
	return u
}

func (s *Store) scanUser(from scanner) (*auth.User, error) {
	r, err := scanRow(from, userColumnCount)
	if err != nil {
		return nil, err
	}
	u := r.userAt(0)
	s.odd.User(&u)
	return &u, nil
}

const (
	selectUserByName = `select ` + userColumns + ` from auth_user u where u.username = $1`
	selectUserByID   = `select ` + userColumns + ` from auth_user u where u.id = $1`
)

// UserByName implements auth.UserStore.
func (s *Store) UserByName(ctx context.Context, name string) (*auth.User, error) {
	return s.user(ctx, selectUserByName, name)
}

// UserByID implements auth.UserStore.
func (s *Store) UserByID(ctx context.Context, id int64) (*auth.User, error) {
	return s.user(ctx, selectUserByID, id)
}

func (s *Store) user(ctx context.Context, query string, key any) (*auth.User, error) {
	u, err := s.scanUser(s.reads.row(ctx, query, []any{key}))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, auth.ErrNoUser
	}
	if err != nil {
		return nil, fmt.Errorf("load user: %w", err)
	}
	return u, nil
}

// A name that is taken gives no row back, and no error that would have to be
// told apart from other violations.
// insertUser looks for the name itself: somebody may have taken the unique
// constraint away, and there is one writer.
const insertUser = `insert into auth_user
	(username, email, first_name, last_name, password, is_active, is_staff, is_superuser, last_login, date_joined)
	select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
	where not exists (select 1 from auth_user where username = $1) returning id`

// CreateUser implements auth.UserStore.
func (s *Store) CreateUser(ctx context.Context, u *auth.User) error {
	var id int64
	err := s.write.do(ctx, func(t *tx) (err error) {
		id, err = t.createUser(u)
		return err
	})
	if err := s.refused(ctx, err); err != nil {
		return fmt.Errorf("create user: %w", err)
	}
	u.ID = id
	return nil
}

func (t *tx) createUser(u *auth.User) (id int64, err error) {
	err = t.row(insertUser, u.Username, u.Email, u.FirstName, u.LastName, u.Password,
		u.IsActive, u.IsStaff, u.IsSuperuser, nullTime(u.LastLogin), djangoTime(u.DateJoined)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, auth.ErrUsernameTaken
	}
	return id, err
}

const (
	updateUser = `update auth_user set password = coalesce($1, password), is_active = coalesce($2, is_active) where id = $3`
	// Other superusers are looked for only if it matters.
	selectIsLastSuperuser = `select case when u.is_superuser is 1 and u.is_active is 1 then not exists (
			select 1 from auth_user o where o.is_superuser and o.is_superuser is 1 and o.is_active is 1 and o.id <> u.id
		) else false end from auth_user u where u.id = $1`
)

// UpdateUser implements auth.UserStore.
func (s *Store) UpdateUser(ctx context.Context, id int64, c auth.UserChange) error {
	err := s.write.do(ctx, func(t *tx) error {
		t.tell(auth.News{User: id})
		if c.IsActive != nil && !*c.IsActive {
			if err := t.keepSuperuser(id); err != nil {
				return err
			}
		}
		n, err := t.exec(updateUser, c.Password, c.IsActive, id)
		if err == nil && n == 0 {
			return auth.ErrNoUser
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("update user: %w", err)
	}
	return nil
}

// keepSuperuser is auth.ErrLastSuperuser if there would be no active superuser
// without this one, auth.ErrNoUser if there is no such user.
func (t *tx) keepSuperuser(id int64) error {
	var last bool
	err := t.row(selectIsLastSuperuser, id).Scan(&last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return auth.ErrNoUser
	case err != nil:
		return err
	case last:
		return auth.ErrLastSuperuser
	}
	return nil
}

const (
	deleteUserGroups      = `delete from auth_user_groups where user_id = $1`
	deleteUserPermissions = `delete from auth_user_user_permissions where user_id = $1`
	deleteUserAdminLog    = `delete from django_admin_log where user_id = $1`
	deleteUser            = `delete from auth_user where id = $1`
)

// DeleteUser implements auth.UserStore. Django declares its foreign keys
// deferred, so that only the commit tells whether rows of other tables refer
// to the user: the job has a commit of its own.
func (s *Store) DeleteUser(ctx context.Context, id int64) error {
	err := s.write.doAlone(ctx, func(t *tx) error { return t.deleteUser(id) })
	if isForeignKeyViolation(err) {
		err = auth.ErrUserInUse
	}
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	return nil
}

func (t *tx) deleteUser(id int64) error {
	t.tell(auth.News{User: id})
	if err := t.keepSuperuser(id); err != nil {
		return err
	}
	statements := []string{deleteUserGroups, deleteUserPermissions, deleteSessionsOfUser, deleteUser}
	// The admin's log is there only in the database of a project with an admin.
	var logs int
	if err := t.row(selectTableNamed, "django_admin_log").Scan(&logs); err != nil {
		return err
	}
	if logs > 0 {
		statements = append([]string{deleteUserAdminLog}, statements...)
	}
	for _, statement := range statements {
		if _, err := t.exec(statement, id); err != nil {
			return err
		}
	}
	return nil
}

const (
	usersMatching = ` from auth_user u
	where ($2 = '' or u.username like $2 escape '\' or u.email like $2 escape '\')
	and (u.is_active is 1 or not $3) and (u.is_active is not 1 or not $4)
	and (u.is_superuser is 1 and u.is_active is 1 or not $5)`
	selectUsers       = `select ` + userColumns + usersMatching + ` and u.id > $1 order by u.id limit $6`
	selectNewestUsers = `select ` + userColumns + usersMatching + ` and u.id <= $1 order by u.id desc limit $6`
)

const defaultLimit = 100

// Users implements auth.UserStore. The search ignores the case of ASCII
// letters, as Django's does on SQLite.
func (s *Store) Users(ctx context.Context, f auth.UserFilter) ([]auth.User, error) {
	pattern, possible := searchPattern(f.Search)
	if !possible {
		return nil, nil
	}
	query, after := selectUsers, int64(math.MinInt64) // ids may be negative
	if f.Newest {
		query, after = selectNewestUsers, math.MaxInt64
	}
	switch {
	case f.After == nil:
	case !f.Newest:
		after = *f.After
	case *f.After == math.MinInt64:
		return nil, nil
	default:
		after = *f.After - 1
	}
	onlyActive := f.Active != nil && *f.Active
	onlyInactive := f.Active != nil && !*f.Active
	args := []any{after, pattern, onlyActive, onlyInactive, f.Superior, limited(f.Limit)}
	var users []auth.User
	err := s.lists.each(ctx, query, args, func(row scanner) error {
		u, err := s.scanUser(row)
		if err != nil {
			return err
		}
		users = append(users, *u)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// selectPasswordSample jumps from one stretch of ids to the next that has a row,
// along the primary key.
const selectPasswordSample = `with recursive sample(id) as (
	select min(id) from auth_user
	union all
	select (select min(id) from auth_user where id >= (sample.id / $1 + 1) * $1) from sample
	where sample.id is not null and sample.id <= $2
	limit $3
)
select coalesce((select cast(password as text) from auth_user where auth_user.id = sample.id), '')
from sample where id is not null`

// PasswordSample implements auth.UserStore.
func (s *Store) PasswordSample(ctx context.Context, step int64, limit int) ([]string, error) {
	var hashes []string
	err := s.lists.each(ctx, selectPasswordSample, []any{step, math.MaxInt64 - step, limit}, func(row scanner) error {
		var encoded string
		if err := row.Scan(&encoded); err != nil {
			return err
		}
		hashes = append(hashes, encoded)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sample passwords: %w", err)
	}
	return hashes, nil
}

func limited(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return n
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// searchPattern returns the LIKE pattern for a text that contains part. It is
// not possible for a name or an address to contain what is longer than both,
// not text, or has a NUL, where LIKE would stop reading.
func searchPattern(part string) (pattern string, possible bool) {
	if part == "" {
		return "", true
	}
	if utf8.RuneCountInString(part) > max(auth.MaxUsername, auth.MaxEmail) || !utf8.ValidString(part) || strings.ContainsRune(part, 0) {
		return "", false
	}
	return "%" + likeEscaper.Replace(part) + "%", true
}
