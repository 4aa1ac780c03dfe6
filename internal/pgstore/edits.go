package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postern-auth/postern/internal/auth"
)

const (
	editUser = `update auth_user set username = coalesce($1::text, username), email = coalesce($2::text, email),
		first_name = coalesce($3::text, first_name), last_name = coalesce($4::text, last_name), password = coalesce($5::text, password),
		is_active = coalesce($6::boolean, is_active), is_staff = coalesce($7::boolean, is_staff), is_superuser = coalesce($8::boolean, is_superuser),
		date_joined = coalesce($11::timestamptz, date_joined), last_login = case when $12::boolean then null else last_login end
		where id = $9::bigint and not (is_superuser and $10::boolean)`

	insertUserGroups = `insert into auth_user_groups (user_id, group_id)
		select $1::bigint, g.id from auth_group g where g.id = any($2::bigint[])
		and not exists (select 1 from auth_user_groups o where o.user_id = $1::bigint and o.group_id = g.id)`
	deleteOtherGroups = `delete from auth_user_groups where user_id = $1::bigint and group_id <> all($2::bigint[])`
	countGroupsAmong  = `select count(*) from auth_group where id = any($1::bigint[])`

	insertUserPermissions = `insert into auth_user_user_permissions (user_id, permission_id)
		select $1::bigint, p.id from auth_permission p where p.id = any($2::bigint[])
		and not exists (select 1 from auth_user_user_permissions o where o.user_id = $1::bigint and o.permission_id = p.id)`
	deleteOtherPermissions = `delete from auth_user_user_permissions where user_id = $1::bigint and permission_id <> all($2::bigint[])`
	countPermissionsAmong  = `select count(*) from auth_permission where id = any($1::bigint[])`
)

// EditUser implements auth.Roster.
func (s *Store) EditUser(ctx context.Context, id int64, e auth.UserEdit) error {
	for _, text := range []*string{e.Username, e.Email, e.FirstName, e.LastName, e.Password} {
		if text != nil && !isText(*text) {
			return fmt.Errorf("edit user: %w", errNoText)
		}
	}
	err := s.do(ctx, func(t *tx) error { return t.editUser(id, &e) })
	fields := []field{{"username", e.Username}, {"email", e.Email}, {"first_name", e.FirstName}, {"last_name", e.LastName}}
	err = s.explainUnstorable(ctx, err, fields...)
	if err := explainViolation(s.refused(ctx, err, e.Lengths())); err != nil {
		return fmt.Errorf("edit user: %w", err)
	}
	return nil
}

var errNoText = errors.New("PostgreSQL holds no NUL and no invalid UTF-8")

// explainViolation says what it means that a row is there twice, or is no
// longer there that another refers to.
func explainViolation(err error) error {
	violation, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch violation.Code + " " + violation.TableName {
	case codeUnique + " auth_group":
		return auth.ErrGroupNameTaken
	case codeForeignKey + " auth_user_groups":
		return auth.ErrNoGroup
	case codeForeignKey + " auth_user_user_permissions", codeForeignKey + " auth_group_permissions":
		return auth.ErrNoPermission
	}
	return err
}

func (t *tx) editUser(id int64, e *auth.UserEdit) error {
	t.tell(auth.News{User: id})
	if e.Lowers() {
		if err := t.keepSuperuserUnless(id, e.SpareSuperuser); err != nil {
			return err
		}
	}
	n, err := t.exec(editUser, e.Username, e.Email, e.FirstName, e.LastName, e.Password, e.IsActive, e.IsStaff, e.IsSuperuser, id, e.SpareSuperuser, e.DateJoined, e.ForgetLastLogin)
	if err != nil {
		return err
	}
	if n == 0 {
		return t.whyNot(id)
	}
	if e.Groups != nil {
		if err := t.setLinks(id, *e.Groups, countGroupsAmong, auth.ErrNoGroup, deleteOtherGroups, insertUserGroups); err != nil {
			return err
		}
	}
	if e.Permissions != nil {
		return t.setLinks(id, *e.Permissions, countPermissionsAmong, auth.ErrNoPermission, deleteOtherPermissions, insertUserPermissions)
	}
	return nil
}

// keepSuperuserUnless is keepSuperuser, but for a superuser who is spared
// anyway.
func (t *tx) keepSuperuserUnless(id int64, spared bool) error {
	err := t.keepSuperuser(id)
	if spared && errors.Is(err, auth.ErrLastSuperuser) {
		return auth.ErrSuperuser
	}
	return err
}

// whyNot is why an edit found nobody to change.
func (t *tx) whyNot(id int64) error {
	if err := t.row(selectUserID, id).Scan(&id); err != nil {
		if isNoRow(err) {
			return auth.ErrNoUser
		}
		return err
	}
	return auth.ErrSuperuser
}

// setLinks links a row to those ids and no others; missing if one of them is
// nobody's.
func (t *tx) setLinks(id int64, ids []int64, count string, missing error, remove, insert string) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if ids == nil {
		ids = []int64{}
	}
	var there int
	if err := t.row(count, ids).Scan(&there); err != nil {
		return err
	}
	if there != len(ids) {
		return missing
	}
	for _, statement := range []string{remove, insert} {
		if _, err := t.exec(statement, id, ids); err != nil {
			return err
		}
	}
	return nil
}

const (
	// Locked in the order of the ids, so that no two lock each other out.
	lockUsers             = `select id from auth_user where id = any($1::bigint[]) order by id for update`
	setActive             = `update auth_user set is_active = $1::boolean where is_active is distinct from $1::boolean and id = any($2::bigint[])`
	selectHasSuperuser    = `select exists (select 1 from auth_user where is_superuser and id = any($1::bigint[]))`
	deleteSessionsOfUsers = `delete from postern_session where user_id = any($1::bigint[])`
)

// SetActive implements auth.Roster. Who is shut out loses the sessions that
// are kept here in the same commit.
func (s *Store) SetActive(ctx context.Context, b auth.UserBulk) (changed int, err error) {
	if len(b.IDs) > auth.MaxBulk {
		return 0, auth.ErrTooMany
	}
	b.IDs = append([]int64{}, b.IDs...)
	err = s.do(ctx, func(t *tx) (err error) {
		changed, err = t.setActive(&b)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("set users active: %w", err)
	}
	return changed, nil
}

func (t *tx) setActive(b *auth.UserBulk) (int, error) {
	for _, id := range b.IDs {
		t.tell(auth.News{User: id})
	}
	if !b.Active {
		if err := t.keepSuperusers(b); err != nil {
			return 0, err
		}
	}
	if _, err := t.exec(lockUsers, b.IDs); err != nil {
		return 0, err
	}
	if b.SpareSuperuser {
		var has bool
		if err := t.row(selectHasSuperuser, b.IDs).Scan(&has); err != nil {
			return 0, err
		}
		if has {
			return 0, auth.ErrSuperuser
		}
	}
	if !b.Active {
		if _, err := t.exec(deleteSessionsOfUsers, b.IDs); err != nil {
			return 0, err
		}
	}
	n, err := t.exec(setActive, b.Active, b.IDs)
	return int(n), err
}

// keepSuperusers is auth.ErrLastSuperuser if there would be no active
// superuser without these users, of whom one is.
func (t *tx) keepSuperusers(b *auth.UserBulk) error {
	rows, err := t.Query(t.ctx, lockSuperusers)
	if err != nil {
		return err
	}
	superusers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(superusers) == 0 {
		return err
	}
	if slices.ContainsFunc(superusers, func(id int64) bool { return !slices.Contains(b.IDs, id) }) {
		return nil
	}
	if b.SpareSuperuser {
		return auth.ErrSuperuser
	}
	return auth.ErrLastSuperuser
}

// EndSessionsOf implements auth.SessionRoster.
func (s *Store) EndSessionsOf(ctx context.Context, userIDs []int64) (n int, err error) {
	if len(userIDs) > auth.MaxBulk {
		return 0, auth.ErrTooMany
	}
	err = s.do(ctx, func(t *tx) error {
		for _, id := range userIDs {
			t.tell(auth.News{User: id})
		}
		ended, err := t.exec(deleteSessionsOfUsers, append([]int64{}, userIDs...))
		n = int(ended)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end the sessions of users: %w", err)
	}
	return n, nil
}
