package pgstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

var _ auth.GroupStore = (*Store)(nil)

const (
	permissionColumns = `p.id, c.app_label, c.model, p.codename, p.name`
	permissionOrder   = ` order by c.app_label, c.model, p.codename`
	fromPermissions   = ` from auth_permission p join django_content_type c on c.id = p.content_type_id`

	selectPermissions        = `select ` + permissionColumns + fromPermissions + permissionOrder
	selectPermissionsOfGroup = `select ` + permissionColumns + fromPermissions + `
		where p.id in (select permission_id from auth_group_permissions where group_id = $1::bigint)` + permissionOrder
	selectPermissionsOfUser = `select ` + permissionColumns + fromPermissions + `
		where p.id in (select permission_id from auth_user_user_permissions where user_id = $1::bigint)` + permissionOrder
	selectAllPermissionsOfUser = `select ` + permissionColumns + fromPermissions + ` join auth_user u on u.id = $1::bigint
		where u.is_active and (u.is_superuser is true
			or p.id in (select permission_id from auth_user_user_permissions where user_id = $1::bigint)
			or p.id in (select l.permission_id from auth_group_permissions l join auth_user_groups m on m.group_id = l.group_id where m.user_id = $1::bigint))`
	selectGroupsOfUser = `select g.id, g.name, 0 from auth_group g join auth_user_groups m on m.group_id = g.id where m.user_id = $1::bigint order by g.name, g.id`
)

// Permissions implements auth.GroupStore.
func (s *Store) Permissions(ctx context.Context) ([]auth.Permission, error) {
	return s.permissions(ctx, selectPermissions)
}

func (s *Store) permissions(ctx context.Context, query string, args ...any) ([]auth.Permission, error) {
	var all []auth.Permission
	err := s.each(ctx, query, args, func(row pgx.Row) error {
		var p auth.Permission
		var app, model, codename, name storedText
		if err := row.Scan(&p.ID, &app, &model, &codename, &name); err != nil {
			return err
		}
		id := strconv.FormatInt(p.ID, 10)
		o, content := oddities{table: "auth_permission", id: id}, oddities{table: "django_content_type", id: "of permission " + id}
		p.AppLabel, p.Model = content.text("app_label", app), content.text("model", model)
		p.Codename, p.Name = o.text("codename", codename), o.text("name", name)
		s.report(&o)
		s.report(&content)
		all = append(all, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list permissions: %w", err)
	}
	return all, nil
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
	groupColumns = `g.id, g.name, (select count(*) from (select 1 from auth_user_groups m where m.group_id = g.id limit 1001) m)`
	groupNamed   = ` from auth_group g where ($1::text = '' or g.name ilike $1::text escape '\')`
	// A place is a name and an id, or an id alone: then the name is in its row.
	groupFrom    = `(coalesce($2::text, (select coalesce(o.name, '') from auth_group o where o.id = $4::bigint)), $4::bigint)`
	selectGroups = `select ` + groupColumns + groupNamed + ` and ($4::bigint is null or (coalesce(g.name, ''), g.id) > ` + groupFrom + `)
		order by coalesce(g.name, ''), g.id limit $3::bigint`
	// From the place on backwards.
	selectGroupsBefore = `select ` + groupColumns + groupNamed + ` and (coalesce(g.name, ''), g.id) < ` + groupFrom + `
		order by coalesce(g.name, '') desc, g.id desc limit $3::bigint`
	selectGroup = `select ` + groupColumns + ` from auth_group g where g.id = $1::bigint`
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
	if code(err) == codeUnstorable { // no group is named so
		return &auth.GroupPage{}, nil
	}
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
	err := s.each(ctx, query, args, func(row pgx.Row) error {
		g, err := s.scanGroup(row)
		groups = append(groups, g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return groups, nil
}

func (s *Store) scanGroup(row pgx.Row) (g auth.Group, err error) {
	var members int
	var name storedText
	err = row.Scan(&g.ID, &name, &members)
	o := oddities{table: "auth_group", id: strconv.FormatInt(g.ID, 10)}
	g.Name = o.text("name", name)
	s.report(&o)
	g.Members = auth.Count{N: min(members, auth.MaxCounted), More: members > auth.MaxCounted}
	return g, err
}

// Group implements auth.GroupStore.
func (s *Store) Group(ctx context.Context, id int64) (*auth.Group, error) {
	var g auth.Group
	err := s.row(ctx, selectGroup, []any{id}, func(row pgx.Row) (err error) {
		g, err = s.scanGroup(row)
		return err
	})
	if isNoRow(err) {
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
	renameGroup  = `update auth_group set name = $1 where id = $2::bigint`
	deleteGroup  = `delete from auth_group where id = $1::bigint`
	selectAGroup = `select id from auth_group where id = $1::bigint for update`

	deleteGroupMembers     = `delete from auth_user_groups where group_id = $1::bigint`
	deleteGroupPermissions = `delete from auth_group_permissions where group_id = $1::bigint`
	deleteOtherOfGroup     = `delete from auth_group_permissions where group_id = $1::bigint and permission_id <> all($2::bigint[])`
	insertGroupPermissions = `insert into auth_group_permissions (group_id, permission_id)
		select $1::bigint, p.id from auth_permission p where p.id = any($2::bigint[])
		and not exists (select 1 from auth_group_permissions o where o.group_id = $1::bigint and o.permission_id = p.id)`
)

// CreateGroup implements auth.GroupStore.
func (s *Store) CreateGroup(ctx context.Context, name string, permissions []int64) (id int64, err error) {
	err = explainViolation(s.do(ctx, func(t *tx) error {
		if err := t.row(insertGroup, name).Scan(&id); isNoRow(err) {
			return auth.ErrGroupNameTaken
		} else if err != nil {
			return err
		}
		return t.setGroupPermissions(id, permissions)
	}))
	if err = s.explainUnstorable(ctx, err, field{"name", &name}); err != nil {
		return 0, fmt.Errorf("create group: %w", err)
	}
	return id, nil
}

func (t *tx) setGroupPermissions(id int64, permissions []int64) error {
	return t.setLinks(id, permissions, countPermissionsAmong, auth.ErrNoPermission, deleteOtherOfGroup, insertGroupPermissions)
}

// EditGroup implements auth.GroupStore.
func (s *Store) EditGroup(ctx context.Context, id int64, e auth.GroupEdit) error {
	err := explainViolation(s.do(ctx, func(t *tx) error {
		if err := t.row(selectAGroup, id).Scan(&id); isNoRow(err) {
			return auth.ErrNoGroup
		} else if err != nil {
			return err
		}
		if e.Name != nil {
			if _, err := t.exec(renameGroup, *e.Name, id); err != nil {
				return err
			}
		}
		if e.Permissions == nil {
			return nil
		}
		return t.setGroupPermissions(id, *e.Permissions)
	}))
	if err = s.explainUnstorable(ctx, err, field{"name", e.Name}); err != nil {
		return fmt.Errorf("edit group: %w", err)
	}
	return nil
}

// DeleteGroup implements auth.GroupStore. As with users, only the commit tells
// whether rows of other tables refer to it.
func (s *Store) DeleteGroup(ctx context.Context, id int64) error {
	err := s.do(ctx, func(t *tx) error {
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
	if code(err) == codeForeignKey {
		err = auth.ErrUserInUse
	}
	if err != nil {
		return fmt.Errorf("delete group: %w", err)
	}
	return nil
}
