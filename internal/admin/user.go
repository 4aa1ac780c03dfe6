package admin

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/mileusna/useragent"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/password"
)

// userForm is what the page of one user shows.
type userForm struct {
	Kept        kept
	Card        *auth.UserCard
	Hasher      string
	Fields      fields // username, names, e-mail address
	Flags       fields // active, staff, superuser
	Groups      []choice
	Permissions []choice
	Confirm     *field // nil: need not be given
	Problem     string
	NotOffered  map[string]bool // "groups", "permissions": an id that was sent is none of them

	Own                                     bool
	CanEdit, CanState, CanRights            bool
	CanPassword, CanDelete, CanView, CanEnd bool
	CanAdd, CanHistory                      bool
	Sessions                                []sessionRow
	MoreSessions                            bool
}

// sessionRow is a live session in a list.
type sessionRow struct {
	ID                         string
	UserID                     int64
	Username                   string
	Device                     string
	UserAgent                  string
	Address                    netip.Addr
	Created, LastSeen, Expires time.Time
	Current                    bool // of this very request
	CanEnd                     bool
}

// maxSessionsOfUser is how many of a user's sessions its page lists.
const maxSessionsOfUser = 50

func userPath(id int64, act string) string {
	return Root + "auth/user/" + strconv.FormatInt(id, 10) + "/" + act + "/"
}

func (a *Admin) userPage(v *visit) error {
	form, err := a.userForm(v)
	if err != nil {
		return err
	}
	return a.show(v, http.StatusOK, "user", form.Card.Username, form)
}

func (a *Admin) userForm(v *visit) (*userForm, error) {
	card, err := v.steward.User(v.Request.Context(), v.id)
	if err != nil {
		return nil, err
	}
	s := v.steward
	f := &userForm{
		Kept: v.kept(), Card: card, Hasher: password.Describe(card.Password), Own: card.ID == s.UserID(),
		CanEdit: s.MayTouch(&card.User), CanRights: s.MayChangeRights(&card.User),
		CanView: s.Can("sessions.view_session"),
		CanEnd:  s.Can("sessions.delete_session") && (s.IsSuperuser() || !card.IsSuperuser),
	}
	f.CanState = f.CanEdit && !f.Own
	f.CanAdd, f.CanHistory = s.Can("auth.add_user"), s.Can("admin.view_logentry")
	f.CanPassword = s.MaySetPassword(&card.User)
	f.CanDelete = s.Can("auth.delete_user") && !f.Own && (s.IsSuperuser() || !card.IsSuperuser)
	f.Fields = fields{
		text("username", "Username", card.Username, auth.MaxUsername),
		text("first_name", "First name", card.FirstName, 150),
		text("last_name", "Last name", card.LastName, 150),
		{Name: "email", Label: "E-mail address", Type: "email", Value: card.Email, MaxLength: auth.MaxEmail},
	}
	f.Fields[0].Required = true
	for i := range f.Fields {
		f.Fields[i].Disabled, f.Fields[i].Autocomplete = !f.CanEdit, "off"
	}
	f.Flags = fields{
		{Name: "is_active", Label: "Active", Help: "May log in. Untick this instead of deleting an account.", Checked: card.IsActive, Disabled: !f.CanState},
		{Name: "is_staff", Label: "Staff", Help: "May enter this administration.", Checked: card.IsStaff, Disabled: !f.CanRights},
		{Name: "is_superuser", Label: "Superuser", Help: "May do everything, without any permission being given.", Checked: card.IsSuperuser, Disabled: !f.CanRights},
	}
	if f.CanRights {
		f.Confirm = a.confirmation(v)
		if f.Confirm != nil {
			f.Confirm.Required, f.Confirm.Help = false, "Needed only to change rights: staff, superuser, groups and permissions."
		}
	}
	if f.Groups, err = a.groupChoices(v); err != nil {
		return nil, err
	}
	if f.Permissions, err = a.permissionChoices(v); err != nil {
		return nil, err
	}
	tick(f.Groups, groupIDs(card.Groups))
	tick(f.Permissions, permissionIDs(card.Permissions))
	return f, a.addSessions(v, f)
}

// tickList are the choices of one name, as a template shows them.
type tickList struct {
	Name     string
	List     []choice
	Disabled bool
	Errors   []string
}

// offered reports whether all ids are of the choices.
func offered(choices []choice, ids []int64) bool {
	for _, id := range ids {
		if !slices.ContainsFunc(choices, func(c choice) bool { return c.ID == id }) {
			return false
		}
	}
	return true
}

// Choices are the groups or the permissions of the form.
func (f *userForm) Choices(name string) tickList {
	list := f.Permissions
	if name == "groups" {
		list = f.Groups
	}
	shown := tickList{Name: name, List: list, Disabled: !f.CanRights}
	if f.NotOffered[name] {
		shown.Errors = []string{notOffered}
	}
	return shown
}

// HasPermissions reports whether any permission is ticked, or wrong.
func (f *userForm) HasPermissions() bool {
	return f.NotOffered["permissions"] || slices.ContainsFunc(f.Permissions, func(c choice) bool { return c.Checked })
}

// Wrong reports whether what was sent has to be corrected.
func (f *userForm) Wrong() bool {
	return f.Fields.Wrong() || f.Confirm.wrong() || len(f.NotOffered) > 0
}

func groupIDs(groups []auth.Group) []int64 {
	ids := make([]int64, 0, len(groups))
	for i := range groups {
		ids = append(ids, groups[i].ID)
	}
	slices.Sort(ids)
	return ids
}

func permissionIDs(permissions []auth.Permission) []int64 {
	ids := make([]int64, 0, len(permissions))
	for i := range permissions {
		ids = append(ids, permissions[i].ID)
	}
	slices.Sort(ids)
	return ids
}

// maxGroupChoices is how many groups a form offers.
const maxGroupChoices = 1000

// groupChoices are the groups to choose from, none for who may not see them.
func (a *Admin) groupChoices(v *visit) ([]choice, error) {
	if !v.steward.Can("auth.view_group") {
		return nil, nil
	}
	var choices []choice
	list := auth.GroupList{Limit: auth.MaxPage}
	for len(choices) < maxGroupChoices {
		page, err := v.steward.Groups(v.Request.Context(), list)
		if err != nil {
			return nil, err
		}
		for i := range page.Groups {
			choices = append(choices, choice{ID: page.Groups[i].ID, Text: page.Groups[i].Name})
		}
		if list.Place = page.Next; list.Place == "" {
			break
		}
	}
	return choices, nil
}

func (a *Admin) permissionChoices(v *visit) ([]choice, error) {
	permissions, err := v.steward.Permissions(v.Request.Context())
	if err != nil {
		return nil, err
	}
	choices := make([]choice, 0, len(permissions))
	for _, p := range permissions {
		choices = append(choices, choice{ID: p.ID, Text: p.AppLabel + " | " + p.Model + " | " + p.Name})
	}
	return choices, nil
}

func (a *Admin) addSessions(v *visit, f *userForm) error {
	if !f.CanView {
		return nil
	}
	page, err := v.steward.Sessions(v.Request.Context(), auth.SessionList{User: f.Card.ID, Limit: maxSessionsOfUser})
	if err != nil {
		return err
	}
	f.MoreSessions = page.Next != ""
	for i := range page.Identities {
		row := v.sessionRow(&page.Identities[i])
		row.CanEnd = f.CanEnd
		f.Sessions = append(f.Sessions, row)
	}
	return nil
}

func (v *visit) sessionRow(i *auth.Identity) sessionRow {
	s := &i.Session
	return sessionRow{
		ID: s.ID.String(), UserID: i.User.ID, Username: i.User.Username,
		Device: device(s.UserAgent), UserAgent: s.UserAgent, Address: s.Address,
		Created: s.Created, LastSeen: s.LastSeen, Expires: s.Expires,
		Current: s.ID == v.known.SessionID,
		CanEnd:  v.steward.Can("sessions.delete_session") && (v.steward.IsSuperuser() || !i.User.IsSuperuser),
	}
}

// device says in a few words what a User-Agent header seems to be; "" if that
// can't be told.
func device(userAgent string) string {
	ua := useragent.Parse(userAgent)
	switch {
	case ua.Name != "" && ua.OS != "":
		return ua.Name + " · " + ua.OS
	case ua.Name != "":
		return ua.Name
	}
	return ua.OS
}

func (a *Admin) changeUser(v *visit) error {
	f, err := a.userForm(v)
	if err != nil {
		return err
	}
	if !f.CanEdit {
		return ifNot(f.Card.IsSuperuser, errForbidden, auth.ErrSuperuser)
	}
	edit := f.read(v)
	a.checkFields(f.Fields)
	if !f.CanRights && !v.steward.IsSuperuser() && v.sentAny("is_staff", "is_superuser", "groups", "permissions") {
		a.denied(v) // no page of ours lets them be sent; they count for nothing
	}
	if edit.rights() && !f.Wrong() {
		if f.Confirm, err = a.confirm(v); err != nil {
			return err
		}
	}
	if f.Wrong() {
		return a.show(v, v.refusedStatus(), "user", f.Card.Username, f)
	}
	err = v.steward.EditUser(a.actor(v), v.id, edit.UserEdit)
	if refused, ok := errors.AsType[*auth.RefusedError](err); ok {
		f.Problem = f.Fields.refuse(refused)
		return a.show(v, http.StatusUnprocessableEntity, "user", f.Card.Username, f)
	} else if errors.Is(err, auth.ErrUsernameTaken) {
		f.Fields.blame("username", "A user with that username already exists.")
	} else if errors.Is(err, auth.ErrNoGroup) || errors.Is(err, auth.ErrNoPermission) {
		// It was deleted since the form was read.
		f.Problem = notOffered
		return a.show(v, http.StatusUnprocessableEntity, "user", f.Card.Username, f)
	} else if f.Problem = a.ruleBroken(v, err); err != nil && f.Problem == "" {
		return err
	}
	if err != nil {
		return a.show(v, http.StatusConflict, "user", f.Card.Username, f)
	}
	return v.saved("auth/user/", userPath(v.id, "change"), "saved")
}

func ifNot(wrong bool, otherwise, err error) error {
	if wrong {
		return err
	}
	return otherwise
}

type userChange struct{ auth.UserEdit }

// rights reports whether the change is about what the user may do.
func (c *userChange) rights() bool {
	return c.IsStaff != nil || c.IsSuperuser != nil || c.Groups != nil || c.Permissions != nil
}

// read puts what was sent into the form and returns what is different from
// what is stored. What the viewer may not change is not read.
func (f *userForm) read(v *visit) *userChange {
	edit := &userChange{}
	stored := f.Card
	for i, target := range []struct {
		old string
		set **string
	}{
		{stored.Username, &edit.Username}, {stored.FirstName, &edit.FirstName}, {stored.LastName, &edit.LastName}, {stored.Email, &edit.Email},
	} {
		one := &f.Fields[i]
		one.Value = v.line(one.Name)
		if one.Name == "username" {
			one.Value = auth.NormalizeUsername(one.Value)
		}
		if one.Value != target.old {
			*target.set = &one.Value
		}
	}
	for i, target := range []struct {
		old bool
		set **bool
	}{
		{stored.IsActive, &edit.IsActive}, {stored.IsStaff, &edit.IsStaff}, {stored.IsSuperuser, &edit.IsSuperuser},
	} {
		one := &f.Flags[i]
		if one.Disabled {
			continue
		}
		one.Checked = v.ticked(one.Name)
		if one.Checked != target.old {
			*target.set = &one.Checked
		}
	}
	if f.CanRights {
		edit.Groups = f.readChoices(v, "groups", f.Groups, groupIDs(stored.Groups))
		edit.Permissions = f.readChoices(v, "permissions", f.Permissions, permissionIDs(stored.Permissions))
	}
	return edit
}

// readChoices ticks what was sent and returns it if it differs from what is
// stored. What the user has may be sent although the form can't offer it: there
// are more groups than it lists.
func (f *userForm) readChoices(v *visit, name string, choices []choice, stored []int64) *[]int64 {
	sent, ok := v.ids(name)
	added := slices.DeleteFunc(slices.Clone(sent), func(id int64) bool { return slices.Contains(stored, id) })
	// Of very many groups the form offers only a part: then the store decides.
	if !ok || len(choices) < maxGroupChoices && !offered(choices, added) {
		f.NotOffered = map[string]bool{name: true}
	}
	return changed(choices, sent, stored)
}

// sentAny reports whether the form has a value in one of the fields.
func (v *visit) sentAny(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return len(v.form[name]) > 0 })
}

// changed ticks what was sent and returns it if it differs from what is stored.
func changed(choices []choice, sent, stored []int64) *[]int64 {
	tick(choices, sent)
	if slices.Equal(sent, stored) {
		return nil
	}
	return &sent
}

func (a *Admin) addUserPage(v *visit) error {
	return a.showAddUser(v, http.StatusOK, newUserFields("", ""))
}

func newUserFields(username, email string) fields {
	f := fields{
		text("username", "Username", username, auth.MaxUsername),
		{Name: "email", Label: "E-mail address", Type: "email", Value: email, MaxLength: auth.MaxEmail, Autocomplete: "off"},
	}
	f[0].Required, f[0].Autocomplete = true, "off"
	f[0].Help = "At most 150 characters: letters, digits and @ . + - _ only."
	f = append(f, newPassword()...)
	for i := 2; i < len(f); i++ {
		f[i].Required = false
	}
	f[2].Help = "Leave both empty for an account without a usable password."
	return f
}

func (a *Admin) showAddUser(v *visit, status int, f fields) error {
	return a.show(v, status, "user_add", "Add a user", f)
}

func (a *Admin) addUser(v *visit) error {
	f := newUserFields(auth.NormalizeUsername(v.line("username")), a.NormalizeEmail(v.line("email")))
	a.checkFields(f)
	plain := a.readNewPassword(v, f, false)
	if f.Wrong() {
		return a.showAddUser(v, http.StatusUnprocessableEntity, f)
	}
	user, err := v.steward.CreateUser(a.actor(v), auth.NewUser{Username: f.value("username"), Email: f.value("email"), Password: plain})
	var weak *password.Weak
	var refused *auth.RefusedError
	switch {
	case errors.As(err, &weak):
		f.blame("password1", weak.Messages...)
	case errors.As(err, &refused):
		if problem := f.refuse(refused); problem != "" {
			f.blame("username", problem)
		}
	case errors.Is(err, auth.ErrUsernameTaken):
		f.blame("username", "A user with that username already exists.")
	case err != nil:
		return err
	default:
		if v.ticked("_addanother") {
			return v.done(Root+"auth/user/add/", "added")
		}
		return v.done(userPath(user.ID, "change"), "added")
	}
	return a.showAddUser(v, http.StatusUnprocessableEntity, f)
}
