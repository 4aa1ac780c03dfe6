package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/postern-auth/postern/internal/auth"
)

// groupList is what the page of groups shows.
type groupList struct {
	Groups                []auth.Group
	Query                 url.Values
	First, Next, Previous string
	CanAdd, CanDelete     bool
	Problem               string
}

func groupPath(id int64) string {
	return Root + "auth/group/" + strconv.FormatInt(id, 10) + "/change/"
}

func (a *Admin) groups(v *visit) error { return a.showGroups(v, http.StatusOK, "") }

func (a *Admin) showGroups(v *visit, status int, problem string) error {
	query := v.query()
	page, err := v.steward.Groups(v.Request.Context(), auth.GroupList{Search: query.Get("q"), Place: query.Get("place"), Limit: pageLength})
	if err != nil {
		return err
	}
	shown := &groupList{Groups: page.Groups, Query: query, First: with(query, "place", ""), CanAdd: v.steward.Can("auth.add_group"), CanDelete: v.steward.Can("auth.delete_group") && v.steward.IsSuperuser(), Problem: problem}
	if page.Next != "" {
		shown.Next = with(query, "place", page.Next)
	}
	if page.Previous != "" {
		shown.Previous = with(query, "place", page.Previous)
	}
	return a.show(v, status, "groups", "Groups", shown)
}

// groupForm is the page of one group, or of one to be made.
type groupForm struct {
	ID                            int64 // 0: a new one
	Fields                        fields
	Permissions                   []choice
	Members                       auth.Count
	Confirm                       *field
	Problem                       string
	CanEdit, CanRights, CanDelete bool
	CanAdd, CanHistory            bool
	NotOffered                    bool // a permission that was sent is none
}

// Choices are the permissions of the form.
func (f *groupForm) Choices() tickList {
	shown := tickList{Name: "permissions", List: f.Permissions, Disabled: !f.CanRights}
	if f.NotOffered {
		shown.Errors = []string{notOffered}
	}
	return shown
}

// Wrong reports whether what was sent has to be corrected.
func (f *groupForm) Wrong() bool { return f.Fields.Wrong() || f.Confirm.wrong() || f.NotOffered }

func (a *Admin) groupForm(v *visit) (*groupForm, string, error) {
	s := v.steward
	f := &groupForm{ID: v.id, CanRights: s.IsSuperuser(), CanEdit: s.Can("auth.add_group"), CanAdd: s.Can("auth.add_group"), CanHistory: s.Can("admin.view_logentry")}
	name, title := "", "Add a group"
	var granted []int64
	if v.id != 0 {
		group, err := s.Group(v.Request.Context(), v.id)
		if err != nil {
			return nil, "", err
		}
		name, title, granted, f.Members = group.Name, group.Name, permissionIDs(group.Permissions), group.Members
		f.CanEdit, f.CanDelete = s.Can("auth.change_group"), s.Can("auth.delete_group") && s.IsSuperuser()
	}
	f.Fields = fields{text("name", "Name", name, auth.MaxGroupName)}
	f.Fields[0].Required, f.Fields[0].Disabled, f.Fields[0].Autocomplete = true, !f.CanEdit, "off"
	var err error
	if f.Permissions, err = a.permissionChoices(v); err != nil {
		return nil, "", err
	}
	tick(f.Permissions, granted)
	if f.CanRights {
		f.Confirm = a.confirmation(v)
	}
	return f, title, nil
}

func (a *Admin) groupPage(v *visit) error {
	f, title, err := a.groupForm(v)
	if err != nil {
		return err
	}
	return a.show(v, http.StatusOK, "group", title, f)
}

func (a *Admin) saveGroup(v *visit) error {
	f, title, err := a.groupForm(v)
	if err != nil {
		return err
	}
	if !f.CanEdit {
		return errForbidden
	}
	f.Fields[0].Value = v.line("name")
	a.checkFields(f.Fields)
	var permissions *[]int64
	if f.CanRights {
		ids, ok := v.ids("permissions")
		permissions, f.NotOffered = &ids, !ok || !offered(f.Permissions, ids)
		tick(f.Permissions, ids)
		if !f.Wrong() {
			if f.Confirm, err = a.confirm(v); err != nil {
				return err
			}
		}
	} else if v.sentAny("permissions") {
		a.denied(v) // no page of ours lets them be sent; they count for nothing
	}
	if f.Wrong() {
		return a.show(v, v.refusedStatus(), "group", title, f)
	}
	id, err := v.steward.SaveGroup(a.actor(v), v.id, f.Fields.value("name"), permissions)
	if refused, ok := errors.AsType[*auth.RefusedError](err); ok {
		f.Fields.blame("name", refused.Problem)
		return a.show(v, http.StatusUnprocessableEntity, "group", title, f)
	} else if errors.Is(err, auth.ErrGroupNameTaken) {
		f.Fields.blame("name", "A group with that name already exists.")
	} else if errors.Is(err, auth.ErrNoPermission) {
		f.NotOffered = true // it was deleted since the form was read
		return a.show(v, http.StatusUnprocessableEntity, "group", title, f)
	} else if f.Problem = a.ruleBroken(v, err); err != nil && f.Problem == "" {
		return err
	}
	if err != nil {
		return a.show(v, http.StatusConflict, "group", title, f)
	}
	did := "saved"
	if v.id == 0 {
		did = "added"
	}
	return v.saved("auth/group/", groupPath(id), did)
}
