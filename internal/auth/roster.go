package auth

import (
	"context"
	"errors"
	"time"
)

// The bounds of what an administrator may ask for at once.
const (
	// MaxPage is the longest page of a list, in rows; 100 is the default.
	MaxPage = 200
	// MaxBulk is how many users one act may change.
	MaxBulk = 1000
	// MaxSearchWords is how many words a search may have; more find nobody.
	MaxSearchWords = 6
	// MaxCounted is how far a count goes; beyond, it says "and more".
	MaxCounted = 1000
)

// The errors of lists and of groups.
var (
	// ErrNotListed says that this home of sessions can't list them so.
	ErrNotListed = errors.New("this store does not list sessions in that way")
	// ErrBadPlace says that a text is no place in this list.
	ErrBadPlace = errors.New("not a place in this list")
	// ErrNoGroup says that no group has the id asked for.
	ErrNoGroup = errors.New("no such group")
	// ErrNoPermission says that no permission has an id that was given.
	ErrNoPermission = errors.New("no such permission")
	// ErrGroupNameTaken says that a group with that name exists.
	ErrGroupNameTaken = errors.New("a group with that name already exists")
	// ErrTooMany says that more than MaxBulk users were named.
	ErrTooMany = errors.New("too many users at once")
)

// Roster is a UserStore as an administrator reads and writes it. Every
// method returns ErrUnavailable (wrapped) when the store can't be reached or
// is too busy.
type Roster interface {
	// ListUsers returns a page of the users that l selects, in its order.
	// ErrBadPlace if l.Place is none of this list.
	ListUsers(ctx context.Context, l UserList) (*UserPage, error)
	// CountUsers counts the users that l selects, up to MaxCounted.
	CountUsers(ctx context.Context, l UserList) (Count, error)
	// UserCard returns a user with its groups and permissions; ErrNoUser.
	UserCard(ctx context.Context, id int64) (*UserCard, error)
	// EditUser changes what e names in one commit, or nothing: ErrNoUser,
	// ErrUsernameTaken, *RefusedError, ErrNoGroup, ErrNoPermission, ErrLastSuperuser,
	// ErrSuperuser (see UserEdit.SpareSuperuser).
	EditUser(ctx context.Context, id int64, e UserEdit) error
	// SetActive lets users in or shuts them out in one commit, or none of
	// them: ErrLastSuperuser, ErrSuperuser, ErrTooMany. Ids that nobody has
	// are left out. It says how many users it changed.
	SetActive(ctx context.Context, b UserBulk) (int, error)
	// PermissionsOf returns the user's permissions as "app_label.codename",
	// its own and those of its groups: all there are for a superuser, none
	// for an inactive user; ErrNoUser. (django ModelBackend.get_all_permissions)
	PermissionsOf(ctx context.Context, id int64) (Permissions, error)
}

// UserSort is the order of a list of users.
type UserSort int

// The orders of a list of users; equals follow in the order of their ids.
const (
	ByID        UserSort = iota
	ByUsername           // whatever the case
	ByEmail              // whatever the case
	ByJoined             // auth_user.date_joined
	ByLastLogin          // who never logged in counts as the longest ago
)

// UserList selects users and orders them. Zero values select everyone.
type UserList struct {
	// Search is words, each of which must begin the username, the e-mail
	// address, the first name or the last name; with a leading "*" it may be
	// anywhere in one of them. Case does not matter: of ASCII letters in
	// SQLite, as the database's locale has it in PostgreSQL.
	Search    string
	Active    *bool
	Staff     *bool
	Superuser *bool
	// From inclusive, to exclusive.
	JoinedFrom, JoinedTo       time.Time
	LastLoginFrom, LastLoginTo time.Time
	NeverLoggedIn              bool
	// Algorithm is what stands before the first "$" of the encoded password,
	// or "!" for a password that is unusable.
	Algorithm  string
	Group      int64 // the id of a group, 0 for any
	Sort       UserSort
	Descending bool
	Place      string // of a UserPage; "" for the first page
	Limit      int    // at most so many, up to MaxPage; 0 means 100
}

// UserPage is a part of a list.
type UserPage struct {
	Users []User // with the encoded passwords, which must not leave the server
	// Next and Previous are the places of the pages after and before, "" if
	// there are none.
	Next, Previous string
	// Partial says that the search was given up before the page was full,
	// for having looked at very many users: it goes on at Next.
	Partial bool
	// Narrowed says that so many users match the search that only the column
	// of the order was searched; a longer word searches all.
	Narrowed bool
}

// Count is how many rows there are: exactly N, or at least N if More.
type Count struct {
	N    int
	More bool
}

// UserCard is a user and what it belongs to.
type UserCard struct {
	User
	Groups      []Group      // in the order of their names, without permissions
	Permissions []Permission // its own, in Permission's order
}

// UserEdit names what an edit sets; nil leaves it as it is. Unlike in
// UserChange, texts are taken as they are: see Steward for the rules.
type UserEdit struct {
	Username, Email, FirstName, LastName, Password *string
	IsActive, IsStaff, IsSuperuser                 *bool
	// Groups and Permissions are the ids of all that the user has afterwards.
	Groups, Permissions *[]int64
	// DateJoined and ForgetLastLogin repair values that can't be read.
	DateJoined      *time.Time
	ForgetLastLogin bool
	// SpareSuperuser refuses the edit of a superuser with ErrSuperuser.
	SpareSuperuser bool
}

// Lowers reports whether the edit may take an active superuser away.
func (e *UserEdit) Lowers() bool {
	return e.IsActive != nil && !*e.IsActive || e.IsSuperuser != nil && !*e.IsSuperuser
}

// UserBulk is a change of many users.
type UserBulk struct {
	IDs            []int64 // at most MaxBulk
	Active         bool
	SpareSuperuser bool // refuse it all with ErrSuperuser if one of them is a superuser
}
