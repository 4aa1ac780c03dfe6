package auth

import (
	"context"
	"slices"
)

// MaxGroupName is the longest name of a group, in characters (auth_group.name).
const MaxGroupName = 150

// Group is a row of Django's auth_group.
type Group struct {
	ID   int64
	Name string
	// Members is how many users the group has, up to MaxCounted.
	Members Count
	// Permissions of the group, in Permission's order; nil in lists.
	Permissions []Permission
}

// Permission is a row of Django's auth_permission. Lists are in the order of
// AppLabel, Model and Codename, as Django's are.
type Permission struct {
	ID       int64
	AppLabel string // django_content_type.app_label
	Model    string // django_content_type.model
	Codename string
	Name     string // such as "Can add user"
}

// String returns "app_label.codename", as Django names a permission.
func (p *Permission) String() string { return p.AppLabel + "." + p.Codename }

// Permissions is a set of permissions as "app_label.codename".
type Permissions map[string]struct{}

// Has reports whether the permission is in the set.
func (p Permissions) Has(permission string) bool {
	_, has := p[permission]
	return has
}

// Includes reports whether all of the other set are in this one.
func (p Permissions) Includes(other Permissions) bool {
	for permission := range other {
		if !p.Has(permission) {
			return false
		}
	}
	return true
}

// Sorted returns the permissions in alphabetical order.
func (p Permissions) Sorted() []string {
	sorted := make([]string, 0, len(p))
	for permission := range p {
		sorted = append(sorted, permission)
	}
	slices.Sort(sorted)
	return sorted
}

// GroupStore is the home of the groups and their permissions. Every method
// returns ErrUnavailable (wrapped) when the store can't be reached or is too
// busy.
type GroupStore interface {
	// Groups lists groups in the order of their names; none is no error.
	Groups(ctx context.Context, l GroupList) (*GroupPage, error)
	// Group returns a group with its permissions; ErrNoGroup.
	Group(ctx context.Context, id int64) (*Group, error)
	// CreateGroup stores a group with the permissions of those ids and
	// returns its id; ErrGroupNameTaken, ErrNoPermission.
	CreateGroup(ctx context.Context, name string, permissions []int64) (int64, error)
	// EditGroup changes what e names in one commit, or nothing: ErrNoGroup,
	// ErrGroupNameTaken, ErrNoPermission.
	EditGroup(ctx context.Context, id int64, e GroupEdit) error
	// DeleteGroup removes a group and its memberships; ErrNoGroup, or
	// ErrUserInUse when rows of other tables refer to it.
	DeleteGroup(ctx context.Context, id int64) error
	// Permissions lists every permission there is.
	Permissions(ctx context.Context) ([]Permission, error)
}

// GroupList selects groups.
type GroupList struct {
	Search string // part of the name, "" for all
	Place  string // of a GroupPage; "" for the first page
	Limit  int    // at most so many, up to MaxPage; 0 means 100
}

// GroupPage is a part of a list.
type GroupPage struct {
	Groups         []Group
	Next, Previous string // places, "" if there are none
}

// GroupEdit names what an edit sets; nil leaves it as it is.
type GroupEdit struct {
	Name        *string
	Permissions *[]int64 // the ids of all that the group has afterwards
}
