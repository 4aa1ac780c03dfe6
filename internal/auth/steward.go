package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

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
	if !user.IsActive || !user.IsStaff {
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
// user that is shut out end.
func (s *Steward) EditUser(ctx context.Context, id int64, e UserEdit) error {
	if err := s.mayEdit(id, &e); err != nil {
		return err
	}
	e.SpareSuperuser = !s.IsSuperuser()
	before, err := s.realm.roster.UserCard(ctx, id)
	if err != nil {
		return fmt.Errorf("edit a user: %w", err)
	}
	if err := s.realm.roster.EditUser(ctx, id, e); err != nil {
		return fmt.Errorf("edit a user: %w", err)
	}
	s.realm.record(ctx, s.realm.editEntries(ctx, before, &e)...)
	if e.Password == nil && (e.IsActive == nil || *e.IsActive) {
		return nil
	}
	if _, err := s.realm.sessions.EndAll(ctx, id); err != nil {
		return fmt.Errorf("end the user's sessions: %w", err)
	}
	return nil
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
// knows, and ends its sessions. Beside the errors of EditUser: *password.Weak,
// password.ErrBusy.
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
// UserStore.DeleteUser: ErrNotAllowed, ErrOwnAccount, ErrSuperuser.
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
// ErrOwnAccount if the steward is among those to be shut out.
func (s *Steward) SetActive(ctx context.Context, ids []int64, active bool) (int, error) {
	if err := s.need("auth.change_user"); err != nil {
		return 0, err
	}
	if !active && slices.Contains(ids, s.user.ID) {
		return 0, ErrOwnAccount
	}
	n, err := s.realm.roster.SetActive(ctx, UserBulk{IDs: ids, Active: active, SpareSuperuser: !s.IsSuperuser()})
	if err != nil {
		return 0, fmt.Errorf("set active: %w", err)
	}
	s.realm.record(ctx, s.realm.bulkEntries(ctx, activation(active), ids)...)
	if !active {
		if _, err := s.realm.sessionRoster.EndSessionsOf(ctx, ids); err != nil {
			return n, fmt.Errorf("end the users' sessions: %w", err)
		}
	}
	return n, nil
}

// EndSessionsOf ends every session of the users and says how many there were.
// Sessions of superusers are theirs, or another superuser's, to end.
func (s *Steward) EndSessionsOf(ctx context.Context, ids []int64) (int, error) {
	if err := s.need("sessions.delete_session"); err != nil {
		return 0, err
	}
	if len(ids) > MaxBulk {
		return 0, ErrTooMany
	}
	for _, id := range ids {
		if err := s.mayEnd(ctx, id); err != nil {
			return 0, err
		}
	}
	n, err := s.realm.sessionRoster.EndSessionsOf(ctx, ids)
	if err != nil {
		return n, fmt.Errorf("end sessions: %w", err)
	}
	s.realm.record(ctx, s.realm.bulkEntries(ctx, ActSessionsEnded, ids)...)
	return n, nil
}

// EndSession ends one session and reports whether there was one.
func (s *Steward) EndSession(ctx context.Context, id SessionID) (bool, error) {
	if err := s.need("sessions.delete_session"); err != nil {
		return false, err
	}
	identity, err := s.realm.sessions.Identity(ctx, id)
	if errors.Is(err, ErrNoSession) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("end a session: %w", err)
	}
	if identity.User.IsSuperuser && !s.IsSuperuser() {
		return false, ErrSuperuser
	}
	return s.realm.Revoke(ctx, id)
}

func (s *Steward) mayEnd(ctx context.Context, userID int64) error {
	if s.IsSuperuser() || userID == s.user.ID {
		return nil
	}
	user, err := s.realm.users.UserByID(ctx, userID)
	switch {
	case isNoUser(err):
		return nil
	case err != nil:
		return fmt.Errorf("end sessions: %w", err)
	case user.IsSuperuser:
		return ErrSuperuser
	}
	return nil
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

// Confirm verifies the steward's own password: ErrInvalidCredentials,
// password.ErrBusy or ErrUnavailable.
func (s *Steward) Confirm(ctx context.Context, from netip.Addr, plain string) error {
	_, err := s.realm.verify(ctx, from, s.user, s.user.Username, plain)
	return err
}

// ChangeOwnPassword gives the steward's own account a new password; all its
// sessions end. Errors as of SetPassword.
func (s *Steward) ChangeOwnPassword(ctx context.Context, plain string) error {
	return s.realm.SetPassword(ctx, s.user.Username, plain)
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
