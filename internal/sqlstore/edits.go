package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/postern-auth/postern/internal/auth"
)

const (
	editUser = `update auth_user set username = coalesce($1, username), email = coalesce($2, email),
		first_name = coalesce($3, first_name), last_name = coalesce($4, last_name), password = coalesce($5, password),
		is_active = coalesce($6, is_active), is_staff = coalesce($7, is_staff), is_superuser = coalesce($8, is_superuser),
		date_joined = coalesce($10, date_joined), last_login = case when $11 then null else last_login end
		where id = $9`
	selectIsSuperuser = `select is_superuser is 1 from auth_user where id = $1`
	insertUserGroups  = `insert into auth_user_groups (user_id, group_id)
		select $1, g.id from auth_group g where g.id in (select value from json_each($2))
		and not exists (select 1 from auth_user_groups o where o.user_id = $1 and o.group_id = g.id)`
	deleteOtherGroups = `delete from auth_user_groups where user_id = $1 and group_id not in (select value from json_each($2))`
	countGroupsAmong  = `select count(*) from auth_group where id in (select value from json_each($1))`

	insertUserPermissions = `insert into auth_user_user_permissions (user_id, permission_id)
		select $1, p.id from auth_permission p where p.id in (select value from json_each($2))
		and not exists (select 1 from auth_user_user_permissions o where o.user_id = $1 and o.permission_id = p.id)`
	deleteOtherPermissions = `delete from auth_user_user_permissions where user_id = $1 and permission_id not in (select value from json_each($2))`
	countPermissionsAmong  = `select count(*) from auth_permission where id in (select value from json_each($1))`
)

// EditUser implements auth.Roster.
func (s *Store) EditUser(ctx context.Context, id int64, e auth.UserEdit) error {
	err := s.write.do(ctx, func(t *tx) error { return t.editUser(id, &e) })
	if err := s.refused(ctx, err); err != nil {
		return fmt.Errorf("edit user: %w", err)
	}
	return nil
}

func (t *tx) editUser(id int64, e *auth.UserEdit) error {
	t.tell(auth.News{User: id})
	var superuser bool
	if err := t.row(selectIsSuperuser, id).Scan(&superuser); errors.Is(err, sql.ErrNoRows) {
		return auth.ErrNoUser
	} else if err != nil {
		return err
	}
	if superuser && e.SpareSuperuser {
		return auth.ErrSuperuser
	}
	if e.Lowers() {
		if err := t.keepSuperuser(id); err != nil {
			return err
		}
	}
	var joined sql.NullString
	if e.DateJoined != nil {
		joined = nullTime(*e.DateJoined)
	}
	_, err := t.exec(editUser, e.Username, e.Email, e.FirstName, e.LastName, e.Password, e.IsActive, e.IsStaff, e.IsSuperuser, id, joined, e.ForgetLastLogin)
	if err != nil {
		return err
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

// setLinks links a row to those ids and no others; missing if one of them is
// nobody's.
func (t *tx) setLinks(id int64, ids []int64, count string, missing error, remove, insert string) error {
	distinct := make(map[int64]bool, len(ids))
	for _, id := range ids {
		distinct[id] = true
	}
	list, err := json.Marshal(append([]int64{}, ids...))
	if err != nil {
		return err
	}
	var there int
	if err := t.row(count, string(list)).Scan(&there); err != nil {
		return err
	}
	if there != len(distinct) {
		return missing
	}
	for _, statement := range []string{remove, insert} {
		if _, err := t.exec(statement, id, string(list)); err != nil {
			return err
		}
	}
	return nil
}

const (
	setActive = `update auth_user set is_active = $1 where is_active is not $1 and id in (select value from json_each($2))`
	// Any active superuser who is not among them will do.
	selectLosesSuperusers = `select exists (select 1 from auth_user where is_superuser is 1 and is_active is 1 and id in (select value from json_each($1)))
		and not exists (select 1 from auth_user where is_superuser and is_superuser is 1 and is_active is 1 and id not in (select value from json_each($1)))`
	selectHasSuperuser    = `select exists (select 1 from auth_user where is_superuser is 1 and id in (select value from json_each($1)))`
	deleteSessionsOfUsers = `delete from postern_session where user_id in (select value from json_each($1))`
)

// SetActive implements auth.Roster. Who is shut out loses the sessions that
// are kept here in the same commit.
func (s *Store) SetActive(ctx context.Context, b auth.UserBulk) (changed int, err error) {
	if len(b.IDs) > auth.MaxBulk {
		return 0, auth.ErrTooMany
	}
	list, err := json.Marshal(append([]int64{}, b.IDs...))
	if err != nil {
		return 0, err
	}
	err = s.write.do(ctx, func(t *tx) (err error) {
		changed, err = t.setActive(&b, string(list))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("set users active: %w", err)
	}
	return changed, nil
}

func (t *tx) setActive(b *auth.UserBulk, list string) (int, error) {
	for _, id := range b.IDs {
		t.tell(auth.News{User: id})
	}
	if b.SpareSuperuser {
		if err := t.refuse(selectHasSuperuser, list, auth.ErrSuperuser); err != nil {
			return 0, err
		}
	}
	if !b.Active {
		if err := t.refuse(selectLosesSuperusers, list, auth.ErrLastSuperuser); err != nil {
			return 0, err
		}
		if _, err := t.exec(deleteSessionsOfUsers, list); err != nil {
			return 0, err
		}
	}
	n, err := t.exec(setActive, b.Active, list)
	return int(n), err
}

// refuse is reason if the question is answered with yes.
func (t *tx) refuse(question, list string, reason error) error {
	var yes bool
	if err := t.row(question, list).Scan(&yes); err != nil {
		return err
	}
	if yes {
		return reason
	}
	return nil
}

// EndSessionsOf implements auth.SessionRoster.
func (s *Store) EndSessionsOf(ctx context.Context, userIDs []int64) (int, error) {
	if len(userIDs) > auth.MaxBulk {
		return 0, auth.ErrTooMany
	}
	list, err := json.Marshal(append([]int64{}, userIDs...))
	if err != nil {
		return 0, err
	}
	var n int64
	err = s.write.do(ctx, func(t *tx) (err error) {
		for _, id := range userIDs {
			t.tell(auth.News{User: id})
		}
		n, err = t.exec(deleteSessionsOfUsers, string(list))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end the sessions of users: %w", err)
	}
	return int(n), nil
}
