package admin

import (
	"net/http"
	"strconv"

	"github.com/postern-auth/postern/internal/auth"
)

// history is the page of what was done to a user or a group, as Django's.
type history struct {
	Name, Back  string // of it, and its page
	List, Lists string // the list that it is in, and what that is called
	Entries     []auditRow
	First, Next string
	Later       bool // there are newer ones
}

func (a *Admin) userHistory(v *visit) error {
	card, err := v.steward.User(v.Request.Context(), v.id)
	if err != nil {
		return err
	}
	h := &history{Name: card.Username, Back: userPath(v.id, "change"), List: Root + "auth/user/", Lists: "Users"}
	return a.showHistory(v, h, auth.AuditFilter{UserID: v.id})
}

func (a *Admin) groupHistory(v *visit) error {
	group, err := v.steward.Group(v.Request.Context(), v.id)
	if err != nil {
		return err
	}
	h := &history{Name: group.Name, Back: groupPath(v.id), List: Root + "auth/group/", Lists: "Groups"}
	return a.showHistory(v, h, auth.AuditFilter{GroupID: v.id})
}

func (a *Admin) showHistory(v *visit, h *history, f auth.AuditFilter) error {
	query := v.query()
	f.Before, _ = strconv.ParseInt(query.Get("before"), 10, 64) // what is no number begins at the newest
	f.Limit = pageLength + 1
	entries, err := v.steward.Audit(v.Request.Context(), f)
	if err != nil {
		return err
	}
	h.First, h.Later = with(query, "before", ""), query.Get("before") != ""
	if len(entries) > pageLength {
		entries = entries[:pageLength]
		h.Next = with(query, "before", strconv.FormatInt(entries[pageLength-1].ID, 10))
	}
	h.Entries = auditRows(entries)
	return a.show(v, http.StatusOK, "history", "History", h)
}

// toPage leads from the path of a user or a group alone to its page, as
// Django does.
func (a *Admin) toPage(v *visit) error {
	redirect(v.Exchange, v.Request.URL.Path+"change/")
	return nil
}

// toOverview leads from the path of Django's list of what an app has.
func (a *Admin) toOverview(v *visit) error {
	redirect(v.Exchange, Root)
	return nil
}
