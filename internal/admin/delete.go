package admin

import (
	"net/http"
)

// deletion is the page that asks whether to delete something.
type deletion struct {
	Name, Back string
	What       string // what goes with it, in English
	Problem    string
	Confirm    *field
}

func (a *Admin) userDeletion(v *visit) (*deletion, error) {
	card, err := v.steward.User(v.Request.Context(), v.id)
	if err != nil {
		return nil, err
	}
	return &deletion{
		Name: card.Username, Back: userPath(v.id, "change"), Confirm: a.confirmation(v),
		What: "The account, its memberships and its sessions will be gone for good. To shut someone out, deactivate the account instead: that can be undone.",
	}, nil
}

func (a *Admin) deleteUserPage(v *visit) error {
	d, err := a.userDeletion(v)
	if err != nil {
		return err
	}
	return a.show(v, http.StatusOK, "delete", "Delete a user", d)
}

func (a *Admin) deleteUser(v *visit) error {
	d, err := a.userDeletion(v)
	if err != nil {
		return err
	}
	return a.remove(v, d, "Delete a user", "auth/user/", func() error { return v.steward.DeleteUser(a.actor(v), v.id) })
}

// remove deletes what the viewer, and who else may do so, is sure about.
func (a *Admin) remove(v *visit, d *deletion, title, list string, act func() error) error {
	var err error
	if d.Confirm, err = a.confirm(v); err != nil {
		return err
	}
	if d.Confirm != nil {
		return a.show(v, http.StatusUnprocessableEntity, "delete", title, d)
	}
	err = act()
	if d.Problem = ruleBroken(err); d.Problem != "" {
		return a.show(v, http.StatusConflict, "delete", title, d)
	}
	if err != nil {
		return err
	}
	return v.done(Root+list, "deleted")
}

func (a *Admin) groupDeletion(v *visit) (*deletion, error) {
	group, err := v.steward.Group(v.Request.Context(), v.id)
	if err != nil {
		return nil, err
	}
	return &deletion{
		Name: group.Name, Back: groupPath(v.id), Confirm: a.confirmation(v),
		What: "Its members stay, and lose what the group permits.",
	}, nil
}

func (a *Admin) deleteGroupPage(v *visit) error {
	d, err := a.groupDeletion(v)
	if err != nil {
		return err
	}
	return a.show(v, http.StatusOK, "delete", "Delete a group", d)
}

func (a *Admin) deleteGroup(v *visit) error {
	d, err := a.groupDeletion(v)
	if err != nil {
		return err
	}
	return a.remove(v, d, "Delete a group", "auth/group/", func() error { return v.steward.DeleteGroup(a.actor(v), v.id) })
}
