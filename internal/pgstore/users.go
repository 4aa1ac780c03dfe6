package pgstore

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

// The columns of auth.User, in the order of userRow.fields.
const userColumns = `u.id, u.username, u.email, u.first_name, u.last_name, u.password,
	u.is_active, u.is_staff, u.is_superuser, u.last_login, u.date_joined`

// userRow is a user on its way out of the database.
type userRow struct {
	*auth.User
	lastLogin, dateJoined storedTime
}

func (r *userRow) fields() []any {
	return []any{
		&r.ID, (*storedText)(&r.Username), (*storedText)(&r.Email), (*storedText)(&r.FirstName), (*storedText)(&r.LastName), (*storedText)(&r.Password),
		(*storedFlag)(&r.IsActive), (*storedFlag)(&r.IsStaff), (*storedFlag)(&r.IsSuperuser), &r.lastLogin, &r.dateJoined,
	}
}

// finish is called once the fields are scanned.
func (r *userRow) finish() {
	r.DateJoined, r.LastLogin = r.dateJoined.Time, r.lastLogin.Time
	bad := func(column auth.Columns, is bool) {
		if is {
			r.Unreadable |= column
		}
	}
	bad(auth.ColumnDateJoined, r.dateJoined.unreadable)
	bad(auth.ColumnLastLogin, r.lastLogin.unreadable)
	columns := [...]auth.Columns{auth.ColumnUsername, auth.ColumnEmail, auth.ColumnFirstName, auth.ColumnLastName, auth.ColumnPassword}
	for i, text := range [...]*string{&r.Username, &r.Email, &r.FirstName, &r.LastName, &r.Password} {
		var ok bool
		*text, ok = shown(*text)
		bad(columns[i], !ok)
	}
	if r.Unreadable&auth.ColumnPassword != 0 {
		r.Password = ""
	}
}

func (s *Store) scanUser(row pgx.Row) (*auth.User, error) {
	r := userRow{User: new(auth.User)}
	if err := row.Scan(r.fields()...); err != nil {
		return nil, err
	}
	r.finish()
	s.odd.User(r.User)
	return r.User, nil
}

const (
	selectUserByName = `select ` + userColumns + ` from auth_user u where u.username = $1`
	selectUserByID   = `select ` + userColumns + ` from auth_user u where u.id = $1::bigint`
)

// UserByName implements auth.UserStore.
func (s *Store) UserByName(ctx context.Context, name string) (*auth.User, error) {
	if !isText(name) {
		return nil, auth.ErrNoUser
	}
	return s.user(ctx, selectUserByName, name)
}

// UserByID implements auth.UserStore.
func (s *Store) UserByID(ctx context.Context, id int64) (*auth.User, error) {
	return s.user(ctx, selectUserByID, id)
}

func (s *Store) user(ctx context.Context, query string, key any) (u *auth.User, err error) {
	err = s.row(ctx, query, []any{key}, func(row pgx.Row) (err error) {
		u, err = s.scanUser(row)
		return err
	})
	if isNoRow(err) || code(err) == codeUnstorable { // no row has what the database can't store
		return nil, auth.ErrNoUser
	}
	if err != nil {
		return nil, fmt.Errorf("load user: %w", err)
	}
	return u, nil
}

// isText reports whether PostgreSQL can hold a text: no NUL, valid UTF-8.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// A name that is taken gives no row back, and no error that would end the
// transaction.
const insertUser = `insert into auth_user
	(username, email, first_name, last_name, password, is_active, is_staff, is_superuser, last_login, date_joined)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
	on conflict (username) do nothing returning id`

// What adds a user to a table without a unique constraint on the username, or
// with one that is looser or of lower(username): the statement above can't run
// there. The lock is that of the name, until the commit.
const (
	lockUsername     = `select pg_advisory_xact_lock(hashtext('postern user ' || $1::text))`
	insertUserUnique = `insert into auth_user
		(username, email, first_name, last_name, password, is_active, is_staff, is_superuser, last_login, date_joined)
		select $1::text, $2::text, $3::text, $4::text, $5::text, $6::boolean, $7::boolean, $8::boolean, $9::timestamptz, $10::timestamptz
		where not exists (select 1 from auth_user where username = $1::text) returning id`
)

// CreateUser implements auth.UserStore.
func (s *Store) CreateUser(ctx context.Context, u *auth.User) error {
	var id int64
	err := s.do(ctx, func(t *tx) (err error) {
		id, err = t.createUser(u)
		return err
	})
	if err := s.refused(ctx, s.explainUnstorable(ctx, err, userFields(u)...), u.Lengths()); err != nil {
		return fmt.Errorf("create user: %w", err)
	}
	u.ID = id
	return nil
}

func (t *tx) createUser(u *auth.User) (id int64, err error) {
	statement := insertUser
	if t.namesRepeat {
		statement = insertUserUnique
		if _, err := t.exec(lockUsername, u.Username); err != nil {
			return 0, err
		}
	}
	err = t.row(statement, u.Username, u.Email, u.FirstName, u.LastName, u.Password,
		u.IsActive, u.IsStaff, u.IsSuperuser, nullTime(u.LastLogin), micros(u.DateJoined)).Scan(&id)
	if isNoRow(err) {
		return 0, auth.ErrUsernameTaken
	}
	return id, err
}

// micros is t as PostgreSQL keeps it.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// nullTime is micros with NULL for the zero time.
func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = micros(t)
	return &t
}

const (
	updateUser = `update auth_user set password = coalesce($1::text, password), is_active = coalesce($2::boolean, is_active) where id = $3::bigint`
	// Whoever else takes a superuser away at the same time waits here.
	lockSuperusers = `select id from auth_user where is_superuser and is_active order by id for update`
	selectUserID   = `select id from auth_user where id = $1::bigint`
)

// UpdateUser implements auth.UserStore.
func (s *Store) UpdateUser(ctx context.Context, id int64, c auth.UserChange) error {
	err := s.do(ctx, func(t *tx) error {
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
	if err := t.row(selectUserID, id).Scan(&id); err != nil {
		if isNoRow(err) {
			return auth.ErrNoUser
		}
		return err
	}
	rows, err := t.Query(t.ctx, lockSuperusers)
	if err != nil {
		return err
	}
	superusers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	if len(superusers) == 1 && superusers[0] == id {
		return auth.ErrLastSuperuser
	}
	return nil
}

const (
	selectTableNamed      = `select to_regclass($1::text) is not null`
	deleteUserGroups      = `delete from auth_user_groups where user_id = $1::bigint`
	deleteUserPermissions = `delete from auth_user_user_permissions where user_id = $1::bigint`
	deleteUserAdminLog    = `delete from django_admin_log where user_id = $1::bigint`
	deleteUser            = `delete from auth_user where id = $1::bigint`
)

// DeleteUser implements auth.UserStore. Django declares its foreign keys
// deferred, so that the commit tells whether rows of other tables refer to
// the user.
func (s *Store) DeleteUser(ctx context.Context, id int64) error {
	err := s.do(ctx, func(t *tx) error { return t.deleteUser(id) })
	if code(err) == codeForeignKey {
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
	var hasLog bool
	if err := t.row(selectTableNamed, "django_admin_log").Scan(&hasLog); err != nil {
		return err
	}
	if hasLog {
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
	where ($2::text = '' or u.username ilike $2::text escape '\' or u.email ilike $2::text escape '\')
	and (u.is_active or not $3::boolean) and (u.is_active is not true or not $4::boolean)
	and (u.is_superuser and u.is_active or not $5::boolean)`
	selectUsers       = `select ` + userColumns + usersMatching + ` and u.id > $1::bigint order by u.id limit $6::bigint`
	selectNewestUsers = `select ` + userColumns + usersMatching + ` and u.id <= $1::bigint order by u.id desc limit $6::bigint`
)

const defaultLimit = 100

// Users implements auth.UserStore. The search ignores case, as Django's does.
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
	err := s.each(ctx, query, args, func(row pgx.Row) error {
		u, err := s.scanUser(row)
		if err != nil {
			return err
		}
		users = append(users, *u)
		return nil
	})
	if code(err) == codeUnstorable { // no user has what the database can't store
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// selectPasswordSample jumps from one stretch of ids to the next that has a row,
// along the primary key.
const selectPasswordSample = `with recursive sample(id) as (
	(select u.id::bigint from auth_user u order by u.id limit 1)
	union all
	select (select u.id::bigint from auth_user u where u.id >= (sample.id / $1::bigint + 1) * $1::bigint order by u.id limit 1) from sample
	where sample.id is not null and sample.id <= $2::bigint
)
select coalesce((select u.password from auth_user u where u.id = sample.id), '')
from sample where id is not null limit $3::bigint`

// PasswordSample implements auth.UserStore.
func (s *Store) PasswordSample(ctx context.Context, step int64, limit int) ([]string, error) {
	var hashes []string
	err := s.each(ctx, selectPasswordSample, []any{step, math.MaxInt64 - step, limit}, func(row pgx.Row) error {
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

func limited(n int) int64 {
	if n <= 0 {
		return defaultLimit
	}
	return int64(n)
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// searchPattern returns the LIKE pattern for a text that contains part. It is
// not possible for a name or an address to contain what is longer than both,
// or not text.
func searchPattern(part string) (pattern string, possible bool) {
	if part == "" {
		return "", true
	}
	if utf8.RuneCountInString(part) > max(auth.MaxUsername, auth.MaxEmail) || !isText(part) {
		return "", false
	}
	return "%" + likeEscaper.Replace(part) + "%", true
}
