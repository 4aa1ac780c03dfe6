package admin

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/pages"
)

// sessionList is what the page of all sessions shows.
type sessionList struct {
	Rows                  []sessionRow
	Total                 string // how many there are; "" where that is not known
	Self                  string // this page, as a local path
	Query                 url.Values
	First, Next, Previous string
	Partial               bool
	CanEnd, CanUser       bool
	Problem               string
	// Unlisted says that this home of sessions can list them by user only.
	Unlisted bool
}

func (a *Admin) sessions(v *visit) error { return a.showSessions(v, http.StatusOK, "") }

func (a *Admin) showSessions(v *visit, status int, problem string) error {
	ctx := v.Request.Context()
	query := v.query()
	shown := &sessionList{Query: query, First: with(query, "place", ""), CanEnd: v.steward.Can("sessions.delete_session"), Problem: problem}
	list := auth.SessionList{Place: query.Get("place"), ByLastSeen: query.Get("sort") == "last_seen", Limit: pageLength}
	possible := true
	if name := query.Get("user"); name != "" {
		user, err := a.Realm.User(ctx, name)
		if errors.Is(err, auth.ErrNoUser) {
			possible = false
		} else if err != nil {
			return err
		} else {
			list.User = user.ID
		}
	}
	if sent := query.Get("address"); sent != "" {
		address, err := netip.ParseAddr(sent)
		if err != nil {
			shown.Problem = "This is not an address. Write one such as 192.0.2.7 or 2001:db8::7."
			possible = false
		}
		list.Address = address.Unmap().WithZone("") // as it is stored
	}
	shown.Self, shown.CanUser = Root+"sessions/session/"+with(query, "place", query.Get("place")), v.steward.Can("auth.view_user")
	switch count, err := v.steward.CountSessions(ctx); {
	case err == nil:
		shown.Total = v.total(count)
	case !errors.Is(err, auth.ErrNotListed):
		return err
	}
	if possible {
		if err := a.fillSessions(v, list, shown); err != nil {
			return err
		}
	}
	return a.show(v, status, "sessions", "Sessions", shown)
}

func (a *Admin) fillSessions(v *visit, list auth.SessionList, shown *sessionList) error {
	page, err := v.steward.Sessions(v.Request.Context(), list)
	if errors.Is(err, auth.ErrNotListed) {
		shown.Unlisted = true
		return nil
	}
	if err != nil {
		return err
	}
	shown.Partial = page.Partial
	for i := range page.Identities {
		shown.Rows = append(shown.Rows, v.sessionRow(&page.Identities[i]))
	}
	if page.Next != "" {
		shown.Next = with(shown.Query, "place", page.Next)
	}
	if page.Previous != "" {
		shown.Previous = with(shown.Query, "place", page.Previous)
	}
	return nil
}

// endSessions ends the sessions that were ticked, or the one of the button
// that was pressed.
func (a *Admin) endSessions(v *visit) error {
	ids, ok := v.sessionIDs()
	if !ok {
		return a.showSessions(v, http.StatusUnprocessableEntity, notOffered)
	}
	err := a.end(v, ids)
	if problem := a.ruleBroken(v, err); problem != "" {
		return a.showSessions(v, http.StatusConflict, problem)
	}
	if err != nil {
		return err
	}
	back := pages.LocalPath(v.form.Get("next"))
	if back == "" {
		back = Root + "sessions/session/"
	}
	if len(ids) == 0 {
		return v.done(back, "nothing")
	}
	return v.done(back, "ended")
}

// sessionIDs are the sessions that the form names; ok is false if it names
// something else.
func (v *visit) sessionIDs() (ids []auth.SessionID, ok bool) {
	for _, sent := range v.form["session"] {
		var id auth.SessionID
		decoded, err := hex.DecodeString(sent)
		if err != nil || copy(id[:], decoded) != len(id) || len(decoded) != len(id) {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

func (a *Admin) end(v *visit, ids []auth.SessionID) error {
	n, err := v.steward.EndSessions(a.actor(v), ids)
	if n > 0 && err != nil {
		return &unfinished{v.language.Text("%d of %d sessions have ended, and the others perhaps not. End them again in a moment.", n, len(ids)), err}
	}
	return err
}

// endUserSessions ends one session of a user, or all of them.
func (a *Admin) endUserSessions(v *visit) error {
	var err error
	ids, ok := v.sessionIDs()
	did := "ended"
	switch {
	case !ok:
		return &refusal{http.StatusUnprocessableEntity, notOffered}
	case v.form.Get("action") == "all":
		_, err = v.steward.EndSessionsOf(a.actor(v), []int64{v.id})
		err = v.endingFailed(err)
	case len(ids) == 0:
		did = "nothing"
	default:
		err = a.end(v, ids)
	}
	if problem := a.ruleBroken(v, err); problem != "" {
		return a.message(v, http.StatusConflict, "You may not do this", problem)
	}
	if err != nil {
		return err
	}
	return v.done(userPath(v.id, "change")+v.kept().Query(), did)
}
