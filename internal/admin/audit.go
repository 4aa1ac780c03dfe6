package admin

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// auditList is what the page of the audit log shows.
type auditList struct {
	Entries  []auditRow
	Query    url.Values
	Acts     []auditRow
	Sources  []string
	Next     string
	First    string
	Later    bool    // there are newer ones
	Selected []field // the filters, for the export
	Problem  string
	Confirm  *field // for the export
}

var sources = []string{auth.SourceAPI, auth.SourceAdmin, auth.SourceCommand, auth.SourceProgram}

// ExportWrong reports whether the export was refused.
func (l *auditList) ExportWrong() bool { return l.Confirm.wrong() }

// auditRow is an entry as people read it.
type auditRow struct {
	auth.AuditEntry
	Text   string // of the act, in English
	Device string
}

func auditRows(entries []auth.AuditEntry) []auditRow {
	rows := make([]auditRow, 0, len(entries))
	for i := range entries {
		rows = append(rows, auditRow{AuditEntry: entries[i], Text: actTexts[entries[i].Act], Device: device(entries[i].UserAgent)})
	}
	return rows
}

// actTexts are the acts in words.
var actTexts = map[auth.Act]string{
	auth.ActLogin: "Logged in", auth.ActLoginFailed: "Login failed", auth.ActLogout: "Logged out", auth.ActRegister: "Registered",
	auth.ActPasswordChanged: "Password changed", auth.ActUserCreated: "User added", auth.ActUserChanged: "User changed",
	auth.ActUserActivated: "User activated", auth.ActUserDeactivated: "User deactivated", auth.ActUserDeleted: "User deleted",
	auth.ActSessionEnded: "Session ended", auth.ActSessionsEnded: "All sessions ended", auth.ActGroupCreated: "Group added",
	auth.ActGroupChanged: "Group changed", auth.ActGroupDeleted: "Group deleted", auth.ActExported: "Audit log exported",
	auth.ActReauthenticated: "Own password confirmed", auth.ActReauthenticationFailed: "Own password wrong",
	auth.ActPermissionDenied: "Permission denied",
}

// acts are all acts, to choose from.
var acts = func() (rows []auditRow) {
	for _, act := range auth.Acts {
		rows = append(rows, auditRow{AuditEntry: auth.AuditEntry{Act: act}, Text: actTexts[act]})
	}
	return rows
}()

// actor is the context of what the viewer does.
func (a *Admin) actor(v *visit) context.Context {
	actor := auth.Actor{Source: auth.SourceAdmin, Address: v.Address, UserAgent: v.Request.UserAgent()}
	if v.known != nil {
		actor.UserID, actor.Name = v.known.UserID, v.known.Username
	}
	return auth.WithActor(v.Request.Context(), actor)
}

func (a *Admin) audit(v *visit) error {
	return a.showAudit(v, http.StatusOK, v.query(), nil)
}

func (a *Admin) showAudit(v *visit, status int, query url.Values, wrong *field) error {
	shown := &auditList{Query: query, Acts: acts, Sources: sources, First: with(query, "before", ""), Confirm: wrong}
	for _, name := range []string{"act", "user", "source", "address", "from", "to"} {
		if value := query.Get(name); value != "" {
			shown.Selected = append(shown.Selected, field{Name: name, Value: value})
		}
	}
	shown.Later = query.Get("before") != ""
	if wrong == nil {
		shown.Confirm = a.confirmation(v)
	}
	filter, problem := readAuditFilter(query)
	if shown.Problem = problem; problem == "" {
		filter.Limit = pageLength + 1
		entries, err := v.steward.Audit(v.Request.Context(), filter)
		if err != nil {
			return err
		}
		if len(entries) > pageLength {
			entries = entries[:pageLength]
			shown.Next = with(query, "before", strconv.FormatInt(entries[pageLength-1].ID, 10))
		}
		shown.Entries = auditRows(entries)
	}
	return a.show(v, status, "audit", "Audit log", shown)
}

func readAuditFilter(q url.Values) (f auth.AuditFilter, problem string) {
	f = auth.AuditFilter{User: q.Get("user"), From: day(q.Get("from"), 0), To: day(q.Get("to"), 1)}
	if act := auth.Act(q.Get("act")); slices.Contains(auth.Acts, act) {
		f.Act = act
	}
	if slices.Contains(sources, q.Get("source")) {
		f.Source = q.Get("source")
	}
	f.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64) // what is no number begins at the newest
	if sent := q.Get("address"); sent != "" {
		address, err := netip.ParseAddr(sent)
		if err != nil {
			return f, "This is not an address. Write one such as 192.0.2.7 or 2001:db8::7."
		}
		f.Address = address.Unmap().WithZone("") // as it is stored
	}
	return f, ""
}

const (
	// exportPage is how many entries are read at a time.
	exportPage = 1000
	// maxExport is how many entries a file has at most: what spreadsheets take.
	maxExport = 1_000_000
)

// exportAudit sends the entries that the filters select as a file of
// comma-separated values, newest first.
func (a *Admin) exportAudit(v *visit) error {
	filter, problem := readAuditFilter(onlyText(v.form))
	wrong, err := a.confirm(v)
	if err != nil {
		return err
	}
	if wrong != nil || problem != "" {
		query := v.form
		for _, secret := range []string{"your_password", "csrfmiddlewaretoken"} {
			query.Del(secret)
		}
		return a.showAudit(v, v.refusedStatus(), query, wrong)
	}
	ctx := a.actor(v)
	filter.Limit = exportPage
	entries, err := v.steward.Audit(ctx, filter)
	if err != nil {
		return err
	}
	v.steward.Exported(ctx)
	h := v.Header()
	h["Content-Type"] = []string{"text/csv; charset=utf-8"}
	h["Content-Disposition"] = []string{`attachment; filename="audit-` + a.Now().UTC().Format("20060102-150405") + `.csv"`}
	w := newCSVWriter(v)
	w.Write([]string{"id", "time", "act", "actor id", "actor", "target id", "target", "source", "address", "user agent", "detail"})
	for written := 0; len(entries) > 0 && written < maxExport; written += len(entries) {
		for i := range entries {
			w.Write(csvRow(&entries[i]))
		}
		filter.Before = entries[len(entries)-1].ID
		if len(entries) < exportPage {
			break
		}
		if w.Flush() != nil {
			return nil // who asked has gone
		}
		if entries, err = v.steward.Audit(ctx, filter); err != nil {
			// Half a file that looks whole would be a lie.
			panic(http.ErrAbortHandler)
		}
	}
	_ = w.Flush() // who asked may have gone
	return nil
}

func csvRow(e *auth.AuditEntry) []string {
	address := ""
	if e.Address.IsValid() {
		address = e.Address.String()
	}
	return []string{
		strconv.FormatInt(e.ID, 10), e.At.UTC().Format(time.RFC3339Nano), string(e.Act),
		strconv.FormatInt(e.ActorID, 10), e.ActorName, strconv.FormatInt(e.TargetID, 10), e.TargetName,
		e.Source, address, e.UserAgent, e.Detail,
	}
}
