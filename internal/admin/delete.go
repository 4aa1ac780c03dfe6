package admin

import (
	"errors"
	"net/http"

	"github.com/postern-auth/postern/internal/auth"
)

// deletion is the page that asks whether to delete something.
type deletion struct {
	Name, Back string
	What       string // what goes with it, in English
	Problem    string
	Confirm    *field

	// Of several at once: what they are called, and the form's field for their ids.
	Names  []string
	IDs    []int64
	Choice string
}

// What goes with a user, and with a group.
const (
	withUser  = "The account, its memberships and its sessions will be gone for good. To shut someone out, deactivate the account instead: that can be undone."
	withGroup = "Its members stay, and lose what the group permits."
)

func (a *Admin) userDeletion(v *visit) (*deletion, error) {
	card, err := v.steward.User(v.Request.Context(), v.id)
	if err != nil {
		return nil, err
	}
	return &deletion{
		Name: card.Username, Back: userPath(v.id, "change"), Confirm: a.confirmation(v),
		What: withUser,
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
		return a.show(v, v.refusedStatus(), "delete", title, d)
	}
	err = act()
	if d.Problem = a.ruleBroken(v, err); d.Problem != "" {
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
		What: withGroup,
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

// deleteUsers deletes the users that were ticked in the list, once the viewer
// has seen who they are and is sure.
func (a *Admin) deleteUsers(v *visit, list string, ids []int64) error {
	d := &deletion{IDs: ids, Choice: "user", What: withUser, Back: list}
	if len(ids) > pageLength {
		return auth.ErrTooMany
	}
	for _, id := range ids {
		card, err := v.steward.User(v.Request.Context(), id)
		if errors.Is(err, auth.ErrNoUser) && v.form.Get("sure") == "yes" {
			continue // somebody else was quicker
		}
		if errors.Is(err, auth.ErrNoUser) {
			return a.showUsers(v, http.StatusUnprocessableEntity, notOffered)
		}
		if err == nil {
			err = v.steward.MayDelete(&card.User)
		}
		if problem := a.ruleBroken(v, err); problem != "" {
			return a.showUsers(v, http.StatusConflict, problem)
		}
		if err != nil {
			return err
		}
		d.Names = append(d.Names, card.Username)
	}
	return a.removeAll(v, d, "Delete users", func(id int64) error {
		err := v.steward.DeleteUser(a.actor(v), id)
		if errors.Is(err, auth.ErrNoUser) {
			return nil
		}
		return err
	})
}

// removeAll asks whether to delete several things, and deletes them. What
// stops it leaves those before it deleted: each goes for itself.
func (a *Admin) removeAll(v *visit, d *deletion, title string, act func(int64) error) error {
	if len(d.Names) == 0 {
		return v.done(d.Back, "nothing")
	}
	if v.form.Get("sure") != "yes" {
		d.Confirm = a.confirmation(v)
		return a.show(v, http.StatusOK, "delete", title, d)
	}
	var err error
	if d.Confirm, err = a.confirm(v); err != nil {
		return err
	}
	if d.Confirm != nil {
		return a.show(v, v.refusedStatus(), "delete", title, d)
	}
	var remain error // of the sessions
	for done, id := range d.IDs {
		err := act(id)
		if _, ok := errors.AsType[*auth.SessionsRemain](err); ok {
			remain, err = err, nil
		}
		if problem := a.ruleBroken(v, err); problem != "" {
			d.Problem = v.language.Text(problem)
			if done > 0 {
				d.Problem = v.language.Text("%d of %d are deleted.", done, len(d.IDs)) + " " + d.Problem
			}
			return a.show(v, http.StatusConflict, "delete", title, d)
		}
		if err != nil && done > 0 {
			return &unfinished{v.language.Text("%d of %d are deleted, and the others perhaps not. Look at the list before you try again.", done, len(d.IDs)), err}
		}
		if err != nil {
			return err
		}
	}
	if remain != nil {
		return remain
	}
	return v.done(d.Back, "deleted-all")
}

// bulkGroups deletes the groups that were ticked.
func (a *Admin) bulkGroups(v *visit) error {
	query := v.query()
	list := Root + "auth/group/" + with(query, "place", query.Get("place"))
	ids, ok := v.ids("group")
	if !ok {
		return a.showGroups(v, http.StatusUnprocessableEntity, notOffered)
	}
	if len(ids) == 0 || v.form.Get("action") != "delete" {
		return v.done(list, "nothing")
	}
	if !v.steward.Can("auth.delete_group") || !v.steward.IsSuperuser() {
		return errForbidden
	}
	if len(ids) > pageLength {
		return auth.ErrTooMany
	}
	d := &deletion{IDs: ids, Choice: "group", What: withGroup, Back: list}
	for _, id := range ids {
		group, err := v.steward.Group(v.Request.Context(), id)
		if errors.Is(err, auth.ErrNoGroup) && v.form.Get("sure") == "yes" {
			continue // somebody else was quicker
		}
		if errors.Is(err, auth.ErrNoGroup) {
			return a.showGroups(v, http.StatusUnprocessableEntity, notOffered)
		}
		if err != nil {
			return err
		}
		d.Names = append(d.Names, group.Name)
	}
	return a.removeAll(v, d, "Delete groups", func(id int64) error {
		err := v.steward.DeleteGroup(a.actor(v), id)
		if errors.Is(err, auth.ErrNoGroup) {
			return nil
		}
		return err
	})
}
