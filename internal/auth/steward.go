package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/django"
	"github.com/postern-auth/postern/internal/password"
)

// The errors of a steward's acts.
var (
	// ErrNotAllowed says that who acts lacks the permission.
	ErrNotAllowed = errors.New("not allowed")
	// ErrOwnAccount says that nobody may do this to its own account: lift or
	// lower its rights, shut itself out, delete itself.
	ErrOwnAccount = errors.New("not to one's own account")
	// ErrRights says that only superusers change what anyone may do.
	ErrRights = errors.New("only a superuser changes rights")
)

// Steward is a member of staff at work on users, groups and sessions. Its acts
// need the permissions that Django's admin asks for, and hold to stricter rules:
//
//   - Only superusers set the passwords of others who are staff: who can log in
//     as someone has that one's rights.
//   - Only superusers change rights (staff, superuser, groups, permissions,
//     what a group permits) and only they touch superusers.
//   - Nobody changes the rights or the state of its own account, nor deletes it.
//   - The last active superuser stays.
//
// A Steward knows the permissions as they were when it was asked for: it is
// for one request.
type Steward struct {
	realm       *Realm
	user        *User
	permissions Permissions
}

// Steward returns the user as a steward; ErrNotAllowed for who is not (any
// longer) active staff.
func (r *Realm) Steward(ctx context.Context, userID int64) (*Steward, error) {
	user, err := r.users.UserByID(ctx, userID)
	if isNoUser(err) {
		return nil, ErrNotAllowed
	}
	if err != nil {
		return nil, fmt.Errorf("read who asks: %w", err)
	}
	if !user.MayLogIn() || !user.IsStaff {
		return nil, ErrNotAllowed
	}
	s := &Steward{realm: r, user: user}
	if !user.IsSuperuser {
		if s.permissions, err = r.roster.PermissionsOf(ctx, userID); err != nil {
			return nil, fmt.Errorf("read the permissions: %w", err)
		}
	}
	return s, nil
}

// IsSuperuser reports whether the steward may do everything.
func (s *Steward) IsSuperuser() bool { return s.user.IsSuperuser }

// UserID is that of the steward's own account.
func (s *Steward) UserID() int64 { return s.user.ID }

// Can reports whether the steward has a permission, such as "auth.change_user".
func (s *Steward) Can(permission string) bool {
	return s.user.IsSuperuser || s.permissions.Has(permission)
}

func (s *Steward) need(permission string) error {
	if !s.Can(permission) {
		return fmt.Errorf("%w: %s", ErrNotAllowed, permission)
	}
	return nil
}

// MayTouch reports whether the steward may change that user at all.
func (s *Steward) MayTouch(u *User) bool {
	return s.Can("auth.change_user") && (s.IsSuperuser() || !u.IsSuperuser)
}

// MaySetPassword reports whether the steward may set that user's password.
func (s *Steward) MaySetPassword(u *User) bool {
	return s.MayTouch(u) && (s.IsSuperuser() || !u.IsStaff || u.ID == s.user.ID)
}

// MayChangeRights reports whether the steward may change that user's rights.
func (s *Steward) MayChangeRights(u *User) bool { return s.IsSuperuser() && u.ID != s.user.ID }

// Users returns a page of users; see Roster.ListUsers.
func (s *Steward) Users(ctx context.Context, l UserList) (*UserPage, error) {
	if err := s.need("auth.view_user"); err != nil {
		return nil, err
	}
	return s.realm.roster.ListUsers(ctx, l)
}

// CountUsers counts users; see Roster.CountUsers.
func (s *Steward) CountUsers(ctx context.Context, l UserList) (Count, error) {
	if err := s.need("auth.view_user"); err != nil {
		return Count{}, err
	}
	return s.realm.roster.CountUsers(ctx, l)
}

// User returns a user with its groups and permissions; ErrNoUser.
func (s *Steward) User(ctx context.Context, id int64) (*UserCard, error) {
	if err := s.need("auth.view_user"); err != nil {
		return nil, err
	}
	return s.realm.roster.UserCard(ctx, id)
}

// CreateUser makes a user without rights; see Realm.CreateUser.
func (s *Steward) CreateUser(ctx context.Context, n NewUser) (*User, error) {
	if err := s.need("auth.add_user"); err != nil {
		return nil, err
	}
	if (n.IsStaff || n.IsSuperuser) && !s.IsSuperuser() {
		return nil, ErrRights
	}
	return s.realm.CreateUser(ctx, n)
}

// EditUser changes what e names. Beside the errors of Roster.EditUser:
// ErrNotAllowed, ErrOwnAccount, ErrRights, ErrSuperuser. The sessions of a
// deactivated user end; *SessionsRemain if only that failed.
func (s *Steward) EditUser(ctx context.Context, id int64, e UserEdit) error {
	if err := s.mayEdit(id, &e); err != nil {
		return err
	}
	e.SpareSuperuser = !s.IsSuperuser()
	before, err := s.realm.roster.UserCard(ctx, id)
	if err != nil {
		return fmt.Errorf("edit a user: %w", err)
	}
	if err := s.realm.noteRefusal(ctx, s.realm.roster.EditUser(ctx, id, e)); err != nil {
		return fmt.Errorf("edit a user: %w", err)
	}
	s.realm.record(ctx, s.realm.editEntries(ctx, before, &e)...)
	if e.Password == nil && (e.IsActive == nil || *e.IsActive) {
		return nil
	}
	_, err = s.realm.sessions.EndAll(ctx, id)
	return sessionsRemain(err)
}

func (s *Steward) mayEdit(id int64, e *UserEdit) error {
	if err := s.need("auth.change_user"); err != nil {
		return err
	}
	rights := e.IsStaff != nil || e.IsSuperuser != nil || e.Groups != nil || e.Permissions != nil
	switch {
	case id == s.user.ID && (rights || e.IsActive != nil):
		return ErrOwnAccount
	case rights && !s.IsSuperuser():
		return ErrRights
	}
	return nil
}

// SetPassword gives the user a new password, or with "" none that anybody
// knows, and ends its sessions. Beside the errors of EditUser:
// *password.Invalid, *password.Weak, password.ErrBusy.
func (s *Steward) SetPassword(ctx context.Context, from netip.Addr, id int64, plain string) error {
	card, err := s.User(ctx, id)
	if err != nil {
		return err
	}
	if !s.MaySetPassword(&card.User) {
		return s.whyNot(&card.User)
	}
	encoded := password.Unusable(s.realm.rand)
	if plain != "" {
		who := password.Attributes{Username: card.Username, FirstName: card.FirstName, LastName: card.LastName, Email: card.Email}
		if err := s.realm.ValidatePassword(ctx, plain, who); err != nil {
			return err
		}
		if encoded, err = s.realm.hash(ctx, from, plain); err != nil {
			return err
		}
	}
	return s.EditUser(ctx, id, UserEdit{Password: &encoded})
}

func (s *Steward) whyNot(u *User) error {
	switch {
	case !s.Can("auth.change_user"):
		return ErrNotAllowed
	case u.IsSuperuser:
		return ErrSuperuser
	}
	return ErrRights
}

// DeleteUser removes a user and its sessions. Beside the errors of
// UserStore.DeleteUser: ErrNotAllowed, ErrOwnAccount, ErrSuperuser,
// *SessionsRemain.
func (s *Steward) DeleteUser(ctx context.Context, id int64) error {
	if err := s.need("auth.delete_user"); err != nil {
		return err
	}
	user, err := s.realm.users.UserByID(ctx, id)
	if err != nil {
		return fmt.Errorf("delete a user: %w", err)
	}
	if err := s.MayDelete(user); err != nil {
		return err
	}
	return s.realm.DeleteUser(ctx, user.Username)
}

// MayDelete says what speaks against the steward's deleting that user: nil,
// ErrNotAllowed, ErrOwnAccount or ErrSuperuser.
func (s *Steward) MayDelete(u *User) error {
	switch {
	case u.ID == s.user.ID:
		return ErrOwnAccount
	case u.IsSuperuser && !s.IsSuperuser():
		return ErrSuperuser
	}
	return s.need("auth.delete_user")
}

// SetActive lets users in, or shuts them out and ends their sessions. It says
// how many it changed. Beside the errors of Roster.SetActive: ErrNotAllowed,
// ErrNoUser if an id is nobody's,
// ErrOwnAccount if the steward is among those to be deactivated, *SessionsRemain.
func (s *Steward) SetActive(ctx context.Context, ids []int64, active bool) (int, error) {
	if err := s.need("auth.change_user"); err != nil {
		return 0, err
	}
	if !active && slices.Contains(ids, s.user.ID) {
		return 0, ErrOwnAccount
	}
	users, err := s.all(ctx, ids)
	if err != nil {
		return 0, fmt.Errorf("set active: %w", err)
	}
	n, err := s.realm.roster.SetActive(ctx, UserBulk{IDs: ids, Active: active, SpareSuperuser: !s.IsSuperuser()})
	if err != nil {
		return 0, fmt.Errorf("set active: %w", err)
	}
	s.realm.record(ctx, s.realm.bulkEntries(ctx, activation(active), users, nil)...)
	if !active {
		_, err = s.realm.sessionRoster.EndSessionsOf(ctx, ids)
	}
	return n, sessionsRemain(err)
}

// EndSessionsOf ends every session of the users and says how many there were,
// with an error how many it had ended by then. Sessions of superusers are
// theirs, or another superuser's, to end.
func (s *Steward) EndSessionsOf(ctx context.Context, ids []int64) (int, error) {
	if err := s.need("sessions.delete_session"); err != nil {
		return 0, err
	}
	users, err := s.all(ctx, ids)
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	for _, u := range users {
		if u.IsSuperuser && !s.IsSuperuser() && u.ID != s.user.ID {
			return 0, ErrSuperuser
		}
	}
	n, err := s.realm.sessionRoster.EndSessionsOf(ctx, ids)
	if err == nil || n > 0 {
		s.realm.record(ctx, s.realm.bulkEntries(ctx, ActSessionsEnded, users, incomplete(err))...)
	}
	if err != nil {
		return n, fmt.Errorf("end sessions: %w", err)
	}
	return n, nil
}

// all returns the users with these ids: ErrNoUser if one of them is nobody's,
// ErrTooMany.
func (s *Steward) all(ctx context.Context, ids []int64) ([]User, error) {
	if len(ids) > MaxBulk {
		return nil, ErrTooMany
	}
	users := make([]User, 0, len(ids))
	for _, id := range ids {
		user, err := s.realm.users.UserByID(ctx, id)
		if err != nil {
			return nil, err
		}
		users = append(users, *user)
	}
	return users, nil
}

// EndSessions ends sessions; those that are over already are no error. When
// one of them is a superuser's and the steward is none, it ends none of them:
// ErrSuperuser. With another error it says how many of them it had gone
// through by then.
func (s *Steward) EndSessions(ctx context.Context, ids []SessionID) (int, error) {
	if err := s.need("sessions.delete_session"); err != nil {
		return 0, err
	}
	if len(ids) > MaxBulk {
		return 0, ErrTooMany
	}
	if !s.IsSuperuser() {
		for _, id := range ids {
			identity, err := s.realm.sessions.Identity(ctx, id)
			switch {
			case errors.Is(err, ErrNoSession):
			case err != nil:
				return 0, fmt.Errorf("end sessions: %w", err)
			case identity.User.IsSuperuser:
				return 0, ErrSuperuser
			}
		}
	}
	for i, id := range ids {
		if _, err := s.realm.Revoke(ctx, id); err != nil {
			return i, err
		}
	}
	return len(ids), nil
}

// Sessions returns a page of live sessions; see SessionRoster.ListSessions.
func (s *Steward) Sessions(ctx context.Context, l SessionList) (*SessionPage, error) {
	if err := s.need("sessions.view_session"); err != nil {
		return nil, err
	}
	l.Now = s.realm.now()
	if idle := s.realm.policy.Idle; idle > 0 {
		l.SeenSince = l.Now.Add(-idle - 2*s.realm.touchEvery)
	}
	if absolute := s.realm.policy.Absolute; absolute > 0 {
		l.StartedSince = l.Now.Add(-absolute)
	}
	return s.realm.sessionRoster.ListSessions(ctx, l)
}

// CountSessions counts live sessions, up to MaxCountedSessions.
func (s *Steward) CountSessions(ctx context.Context) (Count, error) {
	return s.realm.sessionRoster.CountLive(ctx, s.realm.now())
}

// Groups returns a page of groups; see GroupStore.
func (s *Steward) Groups(ctx context.Context, l GroupList) (*GroupPage, error) {
	if !s.Can("auth.view_group") && !s.IsSuperuser() {
		return nil, ErrNotAllowed
	}
	return s.realm.groups.Groups(ctx, l)
}

// Group returns a group with its permissions; ErrNoGroup.
func (s *Steward) Group(ctx context.Context, id int64) (*Group, error) {
	if err := s.need("auth.view_group"); err != nil {
		return nil, err
	}
	return s.realm.groups.Group(ctx, id)
}

// SaveGroup makes a group (id 0) or changes one, and returns its id. Beside
// the errors of GroupStore: ErrNotAllowed, and ErrRights for who is no
// superuser and changes what a group permits.
func (s *Steward) SaveGroup(ctx context.Context, id int64, name string, permissions *[]int64) (int64, error) {
	permission := "auth.change_group"
	if id == 0 {
		permission = "auth.add_group"
	}
	if err := s.need(permission); err != nil {
		return 0, err
	}
	if permissions != nil && !s.IsSuperuser() {
		return 0, ErrRights
	}
	var err error
	act := ActGroupChanged
	changes := map[string]any{"name": name}
	if permissions != nil {
		changes["permissions"] = *permissions
	}
	if id != 0 {
		err = s.realm.groups.EditGroup(ctx, id, GroupEdit{Name: &name, Permissions: permissions})
	} else {
		act = ActGroupCreated
		var granted []int64
		if permissions != nil {
			granted = *permissions
		}
		id, err = s.realm.groups.CreateGroup(ctx, name, granted)
	}
	if err != nil {
		return 0, fmt.Errorf("save a group: %w", err)
	}
	s.realm.record(ctx, s.realm.onGroup(ctx, act, id, name, changes))
	return id, nil
}

// DeleteGroup removes a group: its members lose what it permits. Only
// superusers take rights away.
func (s *Steward) DeleteGroup(ctx context.Context, id int64) error {
	if err := s.need("auth.delete_group"); err != nil {
		return err
	}
	if !s.IsSuperuser() {
		return ErrRights
	}
	group, err := s.realm.groups.Group(ctx, id)
	if err != nil {
		return fmt.Errorf("delete a group: %w", err)
	}
	if err := s.realm.groups.DeleteGroup(ctx, id); err != nil {
		return fmt.Errorf("delete a group: %w", err)
	}
	s.realm.record(ctx, s.realm.onGroup(ctx, ActGroupDeleted, id, group.Name, nil))
	return nil
}

// Permissions lists every permission there is.
func (s *Steward) Permissions(ctx context.Context) ([]Permission, error) {
	return s.realm.groups.Permissions(ctx)
}

// Reauthenticate verifies the steward's own password, as it was typed, and
// renews the key of the session that current is: whoever has the old one, from
// a copied cookie or because it was planted, does not share what the password
// allows. The session stays the same otherwise, with its CSRF secret, so that
// other pages which are open in the browser go on working. It returns who holds
// the session now and its key, or ErrInvalidCredentials, password.ErrBusy or
// ErrUnavailable.
func (s *Steward) Reauthenticate(ctx context.Context, v Visit, current *Known, plain string) (*Known, string, error) {
	r := s.realm
	_, err := r.verify(ctx, v.Address, s.user, s.user.Username, password.AsTyped(plain))
	if errors.Is(err, ErrInvalidCredentials) {
		s.ReauthenticationFailed(ctx)
	}
	if err != nil {
		return nil, "", err
	}
	session, key, err := r.newSession(v)
	if err != nil {
		return nil, "", err
	}
	session.UserID, session.AuthHash = s.user.ID, django.SessionAuthHash(r.keys[0], s.user.Password)
	session.CSRFSecret = current.CSRFSecret
	session.Created, session.Expires = time.UnixMicro(current.created), time.UnixMicro(current.expires.Load())
	start := &Start{Session: session, Replaces: current.SessionID}
	if r.audit != nil {
		e := r.entry(ctx, ActReauthenticated)
		start.Audit = &e
	}
	if err := r.sessions.Start(ctx, start); err != nil {
		return nil, "", fmt.Errorf("renew the session's key: %w", err)
	}
	if start.Audit != nil && !start.Audited {
		r.record(ctx, *start.Audit)
	}
	r.seen.drop(current.SessionID)
	return r.know(&Identity{User: *s.user, Session: start.Session}), key, nil
}

// ReauthenticationFailed notes a wrong password of the steward's own account.
func (s *Steward) ReauthenticationFailed(ctx context.Context) {
	if s.realm.audit != nil {
		s.realm.failed.add(s.realm.entry(ctx, ActReauthenticationFailed))
	}
}

// ChangeOwnPassword gives the steward's own account a new password; all its
// sessions end, and one is opened for the visitor. That needs no more hashing:
// once the password is changed, no want of a place at the gate may say that it
// is not. Errors as of SetPassword, and ErrInvalidCredentials if somebody else
// has changed the user since.
func (s *Steward) ChangeOwnPassword(ctx context.Context, v Visit, plain string) (*Opened, error) {
	r := s.realm
	user, err := r.users.UserByID(ctx, s.user.ID)
	if err != nil {
		return nil, fmt.Errorf("change the own password: %w", err)
	}
	if err := r.setPassword(ctx, user, plain); err != nil {
		return nil, err
	}
	opened, err := r.admitted(ctx, user, &LoginStamp{Verified: user.Password}, v)
	if err != nil {
		return nil, fmt.Errorf("open a session after the change of the password: %w", err)
	}
	return opened, nil
}

// Audit lists entries of the audit log, newest first; needs
// "admin.view_logentry".
func (s *Steward) Audit(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	if err := s.need("admin.view_logentry"); err != nil {
		return nil, err
	}
	return s.realm.Audit(ctx, f)
}

// Exported writes down that the audit log leaves the server.
func (s *Steward) Exported(ctx context.Context) { s.realm.record(ctx, s.realm.entry(ctx, ActExported)) }
