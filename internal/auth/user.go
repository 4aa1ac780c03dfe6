package auth

import (
	"time"

	"golang.org/x/text/unicode/norm"
)

// MaxUsername is the longest username, in characters (auth_user.username).
const MaxUsername = 150

// MaxEmail is the longest e-mail address, in characters (auth_user.email).
const MaxEmail = 254

// User is a row of Django's auth_user.
type User struct {
	ID          int64
	Username    string
	Email       string
	FirstName   string
	LastName    string
	Password    string // encoded as Django encodes it; never leaves the server
	IsActive    bool
	IsStaff     bool
	IsSuperuser bool
	LastLogin   time.Time // zero: never
	DateJoined  time.Time // zero: unknown
	// Unreadable names the columns whose values can't be read; they are empty
	// here. Such a user can't log in and has no live session.
	Unreadable Columns
}

// MayLogIn reports whether the user is active and its row could be read.
func (u *User) MayLogIn() bool { return u.IsActive && u.Unreadable == 0 }

// UserChange names what an update sets; nil leaves a column as it is.
type UserChange struct {
	Password *string
	IsActive *bool
}

// UserFilter selects users for a list, in the order of their ids.
type UserFilter struct {
	Search   string // part of the username or e-mail address, "" for all
	Active   *bool
	After    *int64 // keyset: ids above it; with Newest, below it; nil: from the end
	Newest   bool   // highest ids first
	Limit    int    // maximum number of entries; 0 means 100
	Superior bool   // active superusers only
}

// NormalizeUsername is django.contrib.auth.models.AbstractBaseUser.normalize_username:
// Unicode normalisation form KC.
func NormalizeUsername(name string) string { return norm.NFKC.String(name) }
