package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/auth"
)

var _ auth.GroupStore = (*Store)(nil)

const (
	permissionColumns = `p.id, c.app_label, c.model, p.codename, p.name`
	permissionOrder   = ` order by c.app_label, c.model, p.codename`
	fromPermissions   = ` from auth_permission p join django_content_type c on c.id = p.content_type_id`

	selectPermissions        = `select ` + permissionColumns + fromPermissions + permissionOrder
	selectPermissionsOfGroup = `select ` + permissionColumns + fromPermissions + `
		where p.id in (select permission_id from auth_group_permissions where group_id = $1)` + permissionOrder
	selectPermissionsOfUser = `select ` + permissionColumns + fromPermissions + `
		where p.id in (select permission_id from auth_user_user_permissions where user_id = $1)` + permissionOrder
	selectAllPermissionsOfUser = `select ` + permissionColumns + fromPermissions + ` join auth_user u on u.id = $1
		where u.is_active is 1 and (u.is_superuser is 1
			or p.id in (select permission_id from auth_user_user_permissions where user_id = $1)
			or p.id in (select l.permission_id from auth_group_permissions l join auth_user_groups m on m.group_id = l.group_id where m.user_id = $1))`
	selectGroupsOfUser = `select g.id, g.name, 0 from auth_group g join auth_user_groups m on m.group_id = g.id where m.user_id = $1 order by g.name, g.id`
)

// Permissions implements auth.GroupStore.
func (s *Store) Permissions(ctx context.Context) ([]auth.Permission, error) {
	return s.permissions(ctx, selectPermissions)
}

func (s *Store) permissions(ctx context.Context, query string, args ...any) ([]auth.Permission, error) {
	var all []auth.Permission
	err := s.lists.each(ctx, query, args, func(row scanner) error {
		r, err := scanRow(row, 5)
		if err != nil {
			return err
		}
		p := auth.Permission{ID: r.int(0), AppLabel: r.text(1), Model: r.text(2), Codename: r.text(3), Name: r.text(4)}
		s.reportPermission(r, p.ID)
		all = append(all, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list permissions: %w", err)
	}
	return all, nil
}

// reportPermission logs what could not be read of a permission or of its
// content type.
func (s *Store) reportPermission(r *row, id int64) {
	at := strconv.FormatInt(id, 10)
	for _, i := range r.odd {
		if i == 1 || i == 2 {
			s.odd.Row("django_content_type", "of permission "+at, []string{"app_label", "model"}[i-1])
			continue
		}
		s.odd.Row("auth_permission", at, []string{"id", "", "", "codename", "name"}[i])
	}
}

// PermissionsOf implements auth.Roster.
func (s *Store) PermissionsOf(ctx context.Context, id int64) (auth.Permissions, error) {
	all, err := s.permissions(ctx, selectAllPermissionsOfUser, id)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		_, err := s.UserByID(ctx, id)
		return auth.Permissions{}, err
	}
	set := make(auth.Permissions, len(all))
	for i := range all {
		set[all[i].String()] = struct{}{}
	}
	return set, nil
}

// UserCard implements auth.Roster.
func (s *Store) UserCard(ctx context.Context, id int64) (*auth.UserCard, error) {
	user, err := s.UserByID(ctx, id)
	if err != nil {
		return nil, err
	}
	card := &auth.UserCard{User: *user}
	if card.Groups, err = s.groups(ctx, selectGroupsOfUser, id); err != nil {
		return nil, err
	}
	card.Permissions, err = s.permissions(ctx, selectPermissionsOfUser, id)
	return card, err
}

const (
	groupColumns = `g.id, g.name, (select count(*) from (select 1 from auth_user_groups m where m.group_id = g.id limit 1001))`
	groupNamed   = ` from auth_group g where ($1 = '' or g.name like $1 escape '\')`
	// A place is a name and an id, or an id alone: then the name is in its row.
	groupKey  = `coalesce(cast(g.name as text), '')`
	groupFrom = `coalesce($2, (select coalesce(cast(o.name as text), '') from auth_group o where o.id = $4))`

	selectGroups = `select ` + groupColumns + groupNamed + ` and ($4 is null or ` + groupKey + ` >= ` + groupFrom + ` and (` + groupKey + ` > ` + groupFrom + ` or g.id > $4))
		order by ` + groupKey + `, g.id limit $3`
	// From the place on backwards.
	selectGroupsBefore = `select ` + groupColumns + groupNamed + ` and ` + groupKey + ` <= ` + groupFrom + ` and (` + groupKey + ` < ` + groupFrom + ` or g.id < $4)
		order by ` + groupKey + ` desc, g.id desc limit $3`
	selectGroup = `select ` + groupColumns + ` from auth_group g where g.id = $1`
)

const groupList = "groups"

// Groups implements auth.GroupStore.
func (s *Store) Groups(ctx context.Context, l auth.GroupList) (*auth.GroupPage, error) {
	place, err := auth.ParsePlace(l.Place, groupList)
	if err != nil {
		return nil, err
	}
	pattern, possible := searchPattern(l.Search)
	if !possible {
		return &auth.GroupPage{}, nil
	}
	limit := auth.PageLimit(l.Limit)
	query := selectGroups
	var name *string
	var id *int64
	if place != nil {
		number, err := place.Number()
		if err != nil {
			return nil, err
		}
		name, id = place.Key, &number
		if place.Before {
			query = selectGroupsBefore
		}
	}
	groups, err := s.groups(ctx, query, pattern, name, limit+1, id)
	if err != nil {
		return nil, err
	}
	turned := auth.Turned[auth.Group]{Rows: groups, Limit: limit, From: place, At: func(g auth.Group) *auth.Place {
		p := &auth.Place{List: groupList, ID: strconv.FormatInt(g.ID, 10)}
		if p.SetKey(g.Name); strings.ContainsRune(g.Name, utf8.RuneError) { // perhaps not as it is stored
			p.Key, p.ByRow = nil, true
		}
		return p
	}}
	page := new(auth.GroupPage)
	page.Groups, page.Next, page.Previous = turned.Page()
	return page, nil
}

func (s *Store) groups(ctx context.Context, query string, args ...any) ([]auth.Group, error) {
	var groups []auth.Group
	err := s.lists.each(ctx, query, args, func(row scanner) error {
		g, err := s.scanGroup(row)
		groups = append(groups, g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return groups, nil
}

func (s *Store) scanGroup(from scanner) (g auth.Group, err error) {
	r, err := scanRow(from, 3)
	if err != nil {
		return g, err
	}
	g.ID, g.Name = r.int(0), r.text(1)
	s.report(r, "auth_group", strconv.FormatInt(g.ID, 10), "id", "name")
	members := int(r.int(2))
	g.Members = auth.Count{N: min(members, auth.MaxCounted), More: members > auth.MaxCounted}
	return g, err
}

// Group implements auth.GroupStore.
func (s *Store) Group(ctx context.Context, id int64) (*auth.Group, error) {
	g, err := s.scanGroup(s.lists.row(ctx, selectGroup, []any{id}))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, auth.ErrNoGroup
	}
	if err != nil {
		return nil, fmt.Errorf("load group: %w", err)
	}
	g.Permissions, err = s.permissions(ctx, selectPermissionsOfGroup, id)
	return &g, err
}

const (
	insertGroup  = `insert into auth_group (name) values ($1) on conflict (name) do nothing returning id`
	renameGroup  = `update or ignore auth_group set name = $1 where id = $2`
	deleteGroup  = `delete from auth_group where id = $1`
	selectAGroup = `select id from auth_group where id = $1`

	deleteGroupMembers     = `delete from auth_user_groups where group_id = $1`
	deleteGroupPermissions = `delete from auth_group_permissions where group_id = $1`
	deleteOtherOfGroup     = `delete from auth_group_permissions where group_id = $1 and permission_id not in (select value from json_each($2))`
	insertGroupPermissions = `insert into auth_group_permissions (group_id, permission_id)
		select $1, p.id from auth_permission p where p.id in (select value from json_each($2))
		and not exists (select 1 from auth_group_permissions o where o.group_id = $1 and o.permission_id = p.id)`
)

// CreateGroup implements auth.GroupStore.
func (s *Store) CreateGroup(ctx context.Context, name string, permissions []int64) (id int64, err error) {
	err = s.write.do(ctx, func(t *tx) error {
		if err := t.row(insertGroup, name).Scan(&id); errors.Is(err, sql.ErrNoRows) {
			return auth.ErrGroupNameTaken
		} else if err != nil {
			return err
		}
		return t.setGroupPermissions(id, permissions)
	})
	if err != nil {
		return 0, fmt.Errorf("create group: %w", err)
	}
	return id, nil
}

func (t *tx) setGroupPermissions(id int64, permissions []int64) error {
	return t.setLinks(id, permissions, countPermissionsAmong, auth.ErrNoPermission, deleteOtherOfGroup, insertGroupPermissions)
}

// EditGroup implements auth.GroupStore.
func (s *Store) EditGroup(ctx context.Context, id int64, e auth.GroupEdit) error {
	err := s.write.do(ctx, func(t *tx) error {
		if err := t.row(selectAGroup, id).Scan(&id); errors.Is(err, sql.ErrNoRows) {
			return auth.ErrNoGroup
		} else if err != nil {
			return err
		}
		if e.Name != nil {
			if n, err := t.exec(renameGroup, *e.Name, id); err != nil {
				return err
			} else if n == 0 {
				return auth.ErrGroupNameTaken
			}
		}
		if e.Permissions == nil {
			return nil
		}
		return t.setGroupPermissions(id, *e.Permissions)
	})
	if err != nil {
		return fmt.Errorf("edit group: %w", err)
	}
	return nil
}

// DeleteGroup implements auth.GroupStore. As with users, only the commit tells
// whether rows of other tables refer to it.
func (s *Store) DeleteGroup(ctx context.Context, id int64) error {
	err := s.write.doAlone(ctx, func(t *tx) error {
		for _, statement := range []string{deleteGroupMembers, deleteGroupPermissions} {
			if _, err := t.exec(statement, id); err != nil {
				return err
			}
		}
		n, err := t.exec(deleteGroup, id)
		if err == nil && n == 0 {
			return auth.ErrNoGroup
		}
		return err
	})
	if isForeignKeyViolation(err) {
		err = auth.ErrUserInUse
	}
	if err != nil {
		return fmt.Errorf("delete group: %w", err)
	}
	return nil
}
