package postern

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/drf"
	"github.com/postern-auth/postern/internal/password"
	"github.com/postern-auth/postern/internal/recall"
)

// The errors of a [Directory]'s acts, to be told apart with errors.Is.
var (
	ErrNoUser        = auth.ErrNoUser
	ErrNoSession     = auth.ErrNoSession
	ErrUsernameTaken = auth.ErrUsernameTaken
	ErrUserInUse     = auth.ErrUserInUse
	ErrLastSuperuser = auth.ErrLastSuperuser
	ErrUnavailable   = auth.ErrUnavailable
	ErrBusy          = password.ErrBusy
)

// WeakPasswordError is what the validators say against a new password.
type WeakPasswordError = password.Weak

// InvalidFieldError says why the value of a field can't be taken.
type InvalidFieldError struct {
	Field   string // "username", "email" or "password"
	Problem string // a sentence for people
}

// SessionsRemainError says that a user was changed or deleted, but that its
// sessions could not be removed from their store. They open nothing, unless a
// user who was deactivated is activated again before they expire: end them with
// [Directory.RevokeSessions] once the store can be reached.
type SessionsRemainError = auth.SessionsRemain

func (e *InvalidFieldError) Error() string { return e.Field + ": " + e.Problem }

// ValidateUsername returns an *InvalidFieldError if no user may have that
// name: 1 to 150 letters, digits and @.+-_, after Unicode's normalization NFKC.
// Whether somebody has it, [Directory.User] tells.
func ValidateUsername(name string) error {
	if problem := usernameProblem(auth.NormalizeUsername(name)); problem != "" {
		return &InvalidFieldError{Field: "username", Problem: problem}
	}
	return nil
}

// ValidateEmail returns an *InvalidFieldError if no user may have that
// address, as Django's EmailValidator judges; "" is none, which is allowed.
func ValidateEmail(email string) error {
	if problem := emailProblem(drf.NormalizeEmail(email)); problem != "" {
		return &InvalidFieldError{Field: "email", Problem: problem}
	}
	return nil
}

func usernameProblem(name string) string {
	switch {
	case name == "":
		return "This field may not be blank."
	case utf8.RuneCountInString(name) > auth.MaxUsername:
		return fmt.Sprintf("Ensure this field has no more than %d characters.", auth.MaxUsername)
	}
	return drf.Username(name)
}

func emailProblem(email string) string {
	switch {
	case email == "":
		return ""
	case utf8.RuneCountInString(email) > auth.MaxEmail:
		return fmt.Sprintf("Ensure this field has no more than %d characters.", auth.MaxEmail)
	}
	return drf.Email(email)
}

// User is what is known of a user, without the password.
type User struct {
	ID          int64
	Username    string
	Email       string
	FirstName   string
	LastName    string
	IsActive    bool
	IsStaff     bool
	IsSuperuser bool
	LastLogin   time.Time // zero: never
	DateJoined  time.Time
	// Unreadable names the columns of the row whose values can't be read. Such
	// a user can't log in: see [Directory.RepairUser].
	Unreadable []string
	// PasswordHasher describes how the password is hashed, such as
	// "argon2id m=19456 t=2 p=1"; never the hash.
	PasswordHasher string
}

// Session is a login of a user. Its ID opens nothing: it is the hash of the
// key that the client holds.
type Session struct {
	ID        string // 64 hexadecimal digits
	UserID    int64
	Created   time.Time
	LastSeen  time.Time // up to six minutes late; with an idle timeout or a sliding age, up to two
	Expires   time.Time
	Address   netip.Addr // the zero Addr when unknown
	UserAgent string
}

// UserQuery selects users, in the order of their ids.
type UserQuery struct {
	Search string // part of a username or an e-mail address
	Active *bool
	After  *int64 // only ids above it: the page after; nil: from the lowest
	Limit  int    // maximum number of entries; 0 means 100
}

// SessionQuery selects sessions, newest first.
type SessionQuery struct {
	Username string // "" for all users
	Limit    int    // maximum number of entries; 0 means 100
}

// NewUser is a user to be made.
type NewUser struct {
	Username string
	Email    string
	// Password is stored without the white space around it, which the API
	// removes at a login, too; "" makes it unusable: nobody can log in with it.
	Password    string
	IsStaff     bool
	IsSuperuser bool
}

// Directory administers users and sessions, beside a running server or
// within one: what it ends is over on a running server at once. Safe for
// concurrent use.
type Directory struct {
	config Config
	realm  *auth.Realm
	stores *stores
	memory *recall.Memory // nil for none
	gate   *password.Gate
	near   *neighbour
}

// OpenDirectory opens the database for administration only. It does not
// migrate, and needs of c no more than Database, Passwords, Session and Log.
func OpenDirectory(ctx context.Context, c Config) (*Directory, error) {
	c = c.withDefaults()
	c.NoMigrate = true
	m := databaseMistakes(&c)
	c.validateSessions(&m)
	c.validatePasswords(&m)
	if err := errors.Join(m...); err != nil {
		return nil, err
	}
	return openDirectory(ctx, c, nil)
}

// Flush writes the last-seen times that wait to be written, which happens by
// itself twice a minute and at Close.
func (d *Directory) Flush(ctx context.Context) error { return d.realm.Flush(ctx) }

// Close writes what is pending and closes the database.
func (d *Directory) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d.near.close()
	return errors.Join(d.realm.Close(ctx), d.stores.close())
}

// CreateUser makes a user. It returns *InvalidFieldError,
// *WeakPasswordError, ErrUsernameTaken, ErrBusy or ErrUnavailable.
func (d *Directory) CreateUser(ctx context.Context, n NewUser) (*User, error) {
	if err := ValidateUsername(n.Username); err != nil {
		return nil, err
	}
	if err := ValidateEmail(n.Email); err != nil {
		return nil, err
	}
	u, err := d.realm.CreateUser(d.acting(ctx), auth.NewUser{
		Username: auth.NormalizeUsername(n.Username), Email: drf.NormalizeEmail(n.Email), Password: n.Password, IsStaff: n.IsStaff, IsSuperuser: n.IsSuperuser,
	})
	if err != nil {
		return nil, refused(invalidPassword(err))
	}
	return publicUser(u), nil
}

// refused is err in the words of this package.
func refused(err error) error {
	if refused, ok := errors.AsType[*auth.RefusedError](err); ok && refused.Field != "" {
		return &InvalidFieldError{Field: refused.Field, Problem: refused.Problem}
	}
	return err
}

// invalidPassword is err in the words of this package.
func invalidPassword(err error) error {
	if invalid, ok := errors.AsType[*password.Invalid](err); ok {
		return &InvalidFieldError{Field: "password", Problem: invalid.Problem}
	}
	return err
}

// User returns the user of that name; ErrNoUser if there is none.
func (d *Directory) User(ctx context.Context, name string) (*User, error) {
	u, err := d.realm.User(ctx, name)
	if err != nil {
		return nil, err
	}
	return publicUser(u), nil
}

// UserByID returns the user with that id; ErrNoUser if there is none.
func (d *Directory) UserByID(ctx context.Context, id int64) (*User, error) {
	u, err := d.realm.UserByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return publicUser(u), nil
}

// ErrNeedsUsername says that a username is unreadable, so that a repair must be
// given one.
var ErrNeedsUsername = auth.ErrNeedsUsername

// Repair is what to put in the place of unreadable values. Those that it does
// not name become empty: a password unusable, the last login never.
type Repair struct {
	Username   string    // needed if it is unreadable, and not looked at otherwise
	Email      string    // "" for none
	DateJoined time.Time // zero: now
}

// RepairUser replaces the unreadable values of the user with that id, and no
// others, and returns the names of their columns. It returns
// *InvalidFieldError, ErrNoUser, ErrNeedsUsername, ErrUsernameTaken or
// ErrUnavailable.
func (d *Directory) RepairUser(ctx context.Context, id int64, r Repair) ([]string, error) {
	if r.Username != "" {
		if err := ValidateUsername(r.Username); err != nil {
			return nil, err
		}
	}
	if err := ValidateEmail(r.Email); err != nil {
		return nil, err
	}
	r.Username, r.Email = auth.NormalizeUsername(r.Username), drf.NormalizeEmail(r.Email)
	columns, err := d.realm.RepairUser(d.acting(ctx), id, auth.Repair(r))
	return columns.Names(), refused(err)
}

// Users lists the users that q selects.
func (d *Directory) Users(ctx context.Context, q UserQuery) ([]User, error) {
	found, err := d.realm.Users(ctx, auth.UserFilter{Search: q.Search, Active: q.Active, After: q.After, Limit: q.Limit})
	if err != nil {
		return nil, err
	}
	users := make([]User, len(found))
	for i := range found {
		users[i] = *publicUser(&found[i])
	}
	return users, nil
}

// ValidatePassword asks whether a password could be set for that user:
// *InvalidFieldError if nobody could log in with it, *WeakPasswordError if the
// validators refuse it.
func (d *Directory) ValidatePassword(ctx context.Context, plain, username, email string) error {
	return invalidPassword(d.realm.ValidatePassword(ctx, plain, password.Attributes{Username: username, Email: email}))
}

// SetPassword gives the user a new password, without the white space around
// it, and ends its sessions. It returns ErrNoUser, *InvalidFieldError,
// *WeakPasswordError, ErrBusy, ErrUnavailable or *SessionsRemainError.
func (d *Directory) SetPassword(ctx context.Context, name, plain string) error {
	return invalidPassword(d.realm.SetPassword(d.acting(ctx), name, plain))
}

// SetActive lets a user in, or shuts it out and ends its sessions. It
// returns ErrNoUser, ErrLastSuperuser, ErrUnavailable or *SessionsRemainError.
func (d *Directory) SetActive(ctx context.Context, name string, active bool) error {
	return d.realm.SetActive(d.acting(ctx), name, active)
}

// SetActiveByID is SetActive for the user with that id.
func (d *Directory) SetActiveByID(ctx context.Context, id int64, active bool) error {
	return d.realm.SetActiveByID(d.acting(ctx), id, active)
}

// DeleteUserByID is DeleteUser for the user with that id.
func (d *Directory) DeleteUserByID(ctx context.Context, id int64) error {
	return d.realm.DeleteUserByID(d.acting(ctx), id)
}

// DeleteUser removes a user and its sessions. It returns ErrNoUser,
// ErrLastSuperuser, ErrUserInUse when tables that are not ours refer to the
// user, ErrUnavailable or *SessionsRemainError.
func (d *Directory) DeleteUser(ctx context.Context, name string) error {
	return d.realm.DeleteUser(d.acting(ctx), name)
}

// Sessions lists live sessions, newest first; ErrNoUser if q names nobody.
func (d *Directory) Sessions(ctx context.Context, q SessionQuery) ([]Session, error) {
	filter := auth.SessionFilter{Limit: q.Limit}
	if q.Username != "" {
		u, err := d.realm.User(ctx, q.Username)
		if err != nil {
			return nil, err
		}
		filter.UserID = u.ID
	}
	return d.sessions(ctx, filter)
}

func (d *Directory) sessions(ctx context.Context, f auth.SessionFilter) ([]Session, error) {
	found, err := d.realm.Sessions(ctx, f)
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, len(found))
	for i := range found {
		s := &found[i]
		sessions[i] = Session{
			ID: s.ID.String(), UserID: s.UserID, Created: s.Created, LastSeen: s.LastSeen, Expires: s.Expires,
			Address: s.Address, UserAgent: s.UserAgent,
		}
	}
	return sessions, nil
}

// minIDPrefix is how many digits of a session's id must be given.
const minIDPrefix = 8

// RevokeSession ends the session whose id starts with those hexadecimal
// digits, at least 8. ErrNoSession if there is none, another error if
// there are several.
func (d *Directory) RevokeSession(ctx context.Context, idPrefix string) error {
	if len(idPrefix) < minIDPrefix {
		return fmt.Errorf("session id %q is too short: give at least %d digits of it", idPrefix, minIDPrefix)
	}
	found, err := d.realm.Sessions(ctx, auth.SessionFilter{IDPrefix: strings.ToLower(idPrefix), Limit: 2})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return ErrNoSession
	case len(found) > 1:
		return fmt.Errorf("session id %q is not unique: give more digits of it", idPrefix)
	}
	ended, err := d.realm.Revoke(d.acting(ctx), found[0].ID)
	if err == nil && !ended {
		return ErrNoSession
	}
	return err
}

// RevokeSessions ends every session of the user and says how many there
// were, with an error how many it had ended by then; ErrNoUser if there is no
// such user.
func (d *Directory) RevokeSessions(ctx context.Context, name string) (int, error) {
	return d.realm.RevokeAll(d.acting(ctx), name)
}

// ClearExpired deletes sessions that are over, and entries of the audit log
// that are too old, which a running server does by itself. It says how many
// sessions they were.
func (d *Directory) ClearExpired(ctx context.Context) (int, error) {
	n, err := d.realm.ClearExpired(ctx)
	if err != nil {
		return n, err
	}
	_, err = d.realm.ClearAudit(ctx)
	return n, err
}

func publicUser(u *auth.User) *User {
	return &User{
		ID: u.ID, Username: u.Username, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName,
		IsActive: u.IsActive, IsStaff: u.IsStaff, IsSuperuser: u.IsSuperuser,
		LastLogin: u.LastLogin, DateJoined: u.DateJoined, Unreadable: u.Unreadable.Names(),
		PasswordHasher: password.Describe(u.Password),
	}
}

// knownUser is publicUser of the user whose session was checked.
func knownUser(k *auth.Known) *User {
	return &User{
		ID: k.UserID, Username: k.Username, Email: k.Email, FirstName: k.FirstName(), LastName: k.LastName(),
		IsActive: true, IsStaff: k.IsStaff, IsSuperuser: k.IsSuperuser,
		LastLogin: k.LastLogin(), DateJoined: k.DateJoined(),
		PasswordHasher: k.Hasher(),
	}
}
