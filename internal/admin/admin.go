// Package admin is the admin site: pages for staff, under /admin/, with the
// URLs and the rules that people know from Django's. A request is checked for
// its session, its CSRF token and its permission in serve, before the handler
// of its route sees it; what may be done to whom is auth.Steward's to say.
package admin

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/pages"
	"github.com/postern-auth/postern/internal/password"
)

//go:embed templates/*.html
var templates embed.FS

// Root is where the site lives.
const Root = "/admin/"

// Options is what the site is made of.
type Options struct {
	Realm *auth.Realm
	// Mask makes a CSRF token of a secret.
	Mask func(secret string) (string, error)
	// Sign and Unsign make and read short texts that only this server can
	// make; what Unsign returns was signed at most maxAge ago.
	Sign   func(text string) string
	Unsign func(signed string, maxAge time.Duration) (string, error)
	Now    func() time.Time
	// What is wrong with a username or an e-mail address, "" if nothing is,
	// and how an e-mail address is written.
	UsernameProblem, EmailProblem func(string) string
	NormalizeEmail                func(string) string
	// The throttles of logins; nil lets everything through.
	LoginByAddress *guard.Throttle
	LoginByAccount *guard.AccountThrottle
	// Nodes lists the nodes of the installation.
	Nodes func(context.Context) ([]Node, error)
	// API is where a person looks at what this server serves, "" for nowhere.
	API string
	// Weaknesses are what is weak in the configuration, for superusers.
	Weaknesses func() []string
}

// Node is a process that serves, as it said of itself.
type Node struct {
	Name, Version string
	Started, Seen time.Time
	Problems      string // "" when all was well
	Silent        bool   // it has said nothing for too long
}

// Admin is the site. Safe for concurrent use.
type Admin struct {
	Options
	site     *pages.Site
	activity activity
}

// New returns the site.
func New(o Options) (*Admin, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, err
	}
	site, err := pages.New(Root, files)
	if err != nil {
		return nil, fmt.Errorf("admin site: %w", err)
	}
	return &Admin{Options: o, site: site}, nil
}

// visit is one request of someone who may be staff.
type visit struct {
	*guard.Exchange
	language *pages.Language
	key      string
	known    *auth.Known // nil: nobody is logged in
	steward  *auth.Steward
	form     url.Values // of a POST
	id       int64      // from the path
	section  string     // of the route
	// throttled: the password was tried too often.
	throttled bool
	// denied: the refusal of this request is noted.
	denied bool
}

// The ways out of a handler that are no page of its own.
var (
	errNotFound  = errors.New("no such page")
	errForbidden = errors.New("not allowed")
)

// Serve answers a request under Root; false if the path is not.
func (a *Admin) Serve(x *guard.Exchange) bool {
	path := x.Request.URL.Path
	if path+"/" == Root {
		x.RedirectToSlash(Root)
		return true
	}
	rest, under := strings.CutPrefix(path, Root)
	if !under {
		return false
	}
	if a.site.ServeAsset(x) {
		return true
	}
	keepToItself(x)
	x.Header()["Vary"] = []string{"Cookie"}
	x.Header()["Cache-Control"] = []string{"no-store"}
	v := &visit{Exchange: x, language: pages.LanguageOf(x.Request)}
	if err := a.serve(v, rest); err != nil {
		a.fail(v, err)
	}
	return true
}

// keepToItself takes back what lets the pages of other origins read an answer:
// an origin that may use the API may not look at users through a superuser's
// browser.
func keepToItself(x *guard.Exchange) {
	for name := range x.Header() {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(x.Header(), name)
		}
	}
}

func (a *Admin) serve(v *visit, path string) error {
	r, id, found := find(path)
	if !found {
		if _, _, found = find(path + "/"); found {
			v.RedirectToSlash(Root + path + "/")
			return nil
		}
	}
	x := v.Exchange
	x.Route = Root
	if found {
		x.Route, v.id, v.section = Root+r.pattern, id, r.section
	}
	if err := a.recognise(v); err != nil {
		return err
	}
	if found && r.open {
		return a.act(v, r)
	}
	// Who is not staff learns nothing of which pages there are.
	if v.known == nil || !v.known.IsStaff {
		if v.known != nil {
			a.denied(v)
		}
		redirect(x, Root+"login/?next="+url.QueryEscape(returnPath(v.Request)))
		return nil
	}
	if !found {
		return errNotFound
	}
	return a.act(v, r)
}

// returnPath is where to go after a login: to what was asked for, or, from
// something that was sent, to the page it was sent from.
func returnPath(r *http.Request) string {
	if isRead(r.Method) {
		return r.URL.RequestURI()
	}
	return Root
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// act checks method, token and permission, and lets the route answer.
func (a *Admin) act(v *visit, r *route) error {
	handler := r.get
	if v.Request.Method == http.MethodPost {
		handler = r.post
	} else if !isRead(v.Request.Method) {
		handler = nil
	}
	if handler == nil {
		return a.notAllowed(v, r)
	}
	if v.Request.Method == http.MethodPost {
		if err := checkSender(v); err != nil {
			return err
		}
		if r.attempt {
			if admitted, err := a.admitAttempt(v); err != nil || !admitted {
				return err
			}
		}
		if err := a.readForm(v); err != nil {
			return err
		}
	}
	if !r.open {
		steward, err := a.Realm.Steward(v.Request.Context(), v.known.UserID)
		if err != nil {
			return err
		}
		v.steward = steward
		if r.permission != "" && !steward.Can(r.permission) {
			return errForbidden
		}
	}
	return handler(a, v)
}

func (a *Admin) notAllowed(v *visit, r *route) error {
	allow := "GET, HEAD"
	switch {
	case r.get == nil:
		allow = "POST"
	case r.post != nil:
		allow = "GET, HEAD, POST"
	}
	v.Header()["Allow"] = []string{allow}
	return a.message(v, http.StatusMethodNotAllowed, "Method not allowed", "This page can't be used in that way.")
}

// recognise finds out who sends the request.
func (a *Admin) recognise(v *visit) error {
	key, found := v.SessionKey()
	if !found {
		return nil
	}
	checked, err := a.Realm.Check(v.Request.Context(), key)
	switch {
	case errors.Is(err, auth.ErrNoSession):
		// The cookie stays: of a form that was sent twice, the second may still
		// have the key that the first one renewed.
		return nil
	case err != nil:
		return err
	}
	v.known, v.key, v.UserID = checked.Known, key, checked.UserID
	if checked.Renewed {
		v.SetSessionCookie(key, checked.CookieAge(a.Realm.Policy(), a.Now()))
	}
	return nil
}

// maxFields is how many fields a form may have, as in Django
// (DATA_UPLOAD_MAX_NUMBER_FIELDS).
const maxFields = 1000

// checkSender refuses a POST whose headers say that it is no form of this
// site, before its body is read.
func checkSender(v *visit) error {
	// A page of this site can't come from another one, whatever origins the API trusts.
	if err := v.CheckOwnOrigin(); err != nil {
		return &refusal{http.StatusForbidden, "This was sent from another site, and nothing was changed."}
	}
	mediaType, _, _ := strings.Cut(v.Request.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded") {
		return &refusal{http.StatusUnsupportedMediaType, "This page takes forms only."}
	}
	return nil
}

// readForm reads the form of a POST and checks its token.
func (a *Admin) readForm(v *visit) error {
	body, err := v.Body()
	if errors.Is(err, guard.ErrBodyTooLarge) {
		return &refusal{http.StatusRequestEntityTooLarge, "What was sent is too large."}
	}
	if errors.Is(err, guard.ErrTooManyBodies) {
		return err
	}
	if err != nil {
		return &refusal{http.StatusBadRequest, "What was sent did not arrive whole."}
	}
	if bytes.Count(body, []byte("&")) >= maxFields {
		return &refusal{http.StatusBadRequest, "The form has too many fields."}
	}
	v.form, err = url.ParseQuery(string(body))
	if err != nil {
		return &refusal{http.StatusBadRequest, "What was sent is not a form."}
	}
	token := func() (string, error) { return v.form.Get("csrfmiddlewaretoken"), nil }
	if v.known != nil {
		return v.CheckCSRF(v.known.CSRFSecret, token)
	}
	return v.CheckCSRFOfStranger(token)
}

// refusal is an answer to what can't be read.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// unfinished says what was done of several things, and what was not.
type unfinished struct {
	text string // in the viewer's language
	err  error
}

func (u *unfinished) Error() string { return u.err.Error() }
func (u *unfinished) Unwrap() error { return u.err }

// remaining says what it means that sessions could not be removed.
func remaining(e *auth.SessionsRemain) string {
	if e.Deleted {
		return "The user is deleted. The user's sessions could not be removed from their store. They are no longer valid and will expire there."
	}
	return "The change is saved. The user's sessions could not be removed from their store. They are not valid now, but would be again if a user who was deactivated were activated before they expire. When the store can be reached, end the user's sessions again."
}

// isDenied reports whether somebody was refused for want of a permission.
func isDenied(err error) bool {
	for _, denied := range []error{errForbidden, auth.ErrNotAllowed, auth.ErrSuperuser, auth.ErrRights} {
		if errors.Is(err, denied) {
			return true
		}
	}
	return false
}

// denied notes once that the viewer was refused the request.
func (a *Admin) denied(v *visit) {
	if v.denied {
		return
	}
	v.denied = true
	what := auth.Refused{Page: v.Route}
	switch v.section {
	case "users":
		what.UserID = v.id
	case "groups":
		what.Group = v.id
	}
	a.Realm.RecordRefusal(a.actor(v), what)
}

// fail shows an error to a person.
func (a *Admin) fail(v *visit, err error) {
	if isDenied(err) {
		a.denied(v)
	}
	status, title, text := a.describe(v, err)
	if err := a.message(v, status, title, text); err != nil {
		v.Log().LogAttrs(v.Request.Context(), slog.LevelError, "page not rendered", slog.Any("error", err))
		v.ServerError()
	}
}

func (a *Admin) describe(v *visit, err error) (status int, title, text string) {
	var (
		refused *refusal
		partly  *unfinished
		remain  *auth.SessionsRemain
	)
	_, csrf := guard.IsCSRFError(err)
	switch {
	case errors.As(err, &partly):
		v.Log().LogAttrs(v.Request.Context(), slog.LevelError, "not everything was done", slog.Any("error", err))
		return http.StatusServiceUnavailable, "Not everything was done", partly.text
	case errors.As(err, &remain):
		v.Log().LogAttrs(v.Request.Context(), slog.LevelError, "sessions not removed", slog.Any("error", err))
		return http.StatusServiceUnavailable, "Saved, but sessions remain", remaining(remain)
	case errors.As(err, &refused):
		return refused.status, "This can't be read", refused.text
	case csrf:
		return http.StatusForbidden, "The form is out of date",
			"The form could not be matched to your session, and nothing was changed. Go back, reload the page and send it again. Cookies must be allowed."
	case errors.Is(err, errForbidden), errors.Is(err, auth.ErrNotAllowed):
		return http.StatusForbidden, "You may not do this", "Your account lacks the permission. Ask a superuser for it."
	case ruleBroken(err) != "":
		return http.StatusForbidden, "You may not do this", ruleBroken(err)
	case errors.Is(err, errNotFound), errors.Is(err, auth.ErrNoUser), errors.Is(err, auth.ErrNoGroup):
		return http.StatusNotFound, "There is no such page", "What you look for is not here, or no longer."
	case errors.Is(err, auth.ErrBadPlace):
		return http.StatusNotFound, "There is no such page", "The link to this part of the list is broken. Begin at the first page."
	case errors.Is(err, password.ErrBusy):
		v.retryAfter(time.Second)
		return http.StatusServiceUnavailable, "Try again in a moment", "Too many passwords are being checked. Nothing was changed."
	case errors.Is(err, guard.ErrTooManyBodies):
		v.retryAfter(time.Second)
		return http.StatusServiceUnavailable, "Try again in a moment", "Too many forms are being sent. Nothing was changed."
	case errors.Is(err, auth.ErrUnavailable), v.Request.Context().Err() != nil:
		v.Log().LogAttrs(v.Request.Context(), slog.LevelError, "page unavailable", slog.Any("error", err))
		v.retryAfter(time.Second)
		if v.Request.Method == http.MethodPost {
			// A commit whose answer is lost may have been made.
			return http.StatusServiceUnavailable, "Try again in a moment", "The server is too busy, or its database can't be reached. Check whether the change was made before you try again."
		}
		return http.StatusServiceUnavailable, "Try again in a moment", "The server is too busy, or its database can't be reached."
	}
	v.Log().LogAttrs(v.Request.Context(), slog.LevelError, "unexpected error", slog.Any("error", err))
	return http.StatusInternalServerError, "Something went wrong", "The error is in the server's log, under the id of this request."
}

func (a *Admin) message(v *visit, status int, title, text string) error {
	return a.show(v, status, "message", title, text)
}

// view is what the templates of this site need beside the page's own data.
type view struct {
	Section string
	Links   []link
	API     string
	Data    any
}

type link struct{ Section, Path, Text string }

// links are the sections that the viewer may see.
func (v *visit) links() []link {
	if v.steward == nil {
		return nil
	}
	all := []link{{"dashboard", Root, "Overview"}}
	for _, l := range []struct{ permission, section, path, text string }{
		{"auth.view_user", "users", "auth/user/", "Users"},
		{"auth.view_group", "groups", "auth/group/", "Groups"},
		{"sessions.view_session", "sessions", "sessions/session/", "Sessions"},
		{"admin.view_logentry", "audit", "audit/", "Audit log"},
	} {
		if v.steward.Can(l.permission) {
			all = append(all, link{l.section, Root + l.path, l.text})
		}
	}
	return all
}

// notices are what a page may say at its top after a redirect, by ?done=.
var notices = map[string]string{
	"saved":       "Saved.",
	"added":       "Added.",
	"deleted":     "Deleted.",
	"password":    "The password was changed. The user's sessions have ended.",
	"no-password": "The user can no longer log in with a password. The user's sessions have ended.",
	"out":         "You are logged out.",
	"deleted-all": "What was selected is deleted.",
	"ended":       "The sessions have ended, on every node.",
	"activated":   "The users may log in.",
	"deactivated": "The users are shut out, and their sessions have ended.",
	"own":         "Your password was changed. Your other sessions have ended.",
	"nothing":     "Nothing was selected, and nothing was changed.",
}

// show answers with a page of the site.
func (a *Admin) show(v *visit, status int, name, title string, data any) error {
	bound := ""
	if v.known != nil {
		bound = v.known.CSRFSecret
	}
	secret, err := v.FormSecret(bound)
	if err != nil {
		return err
	}
	token, err := a.Mask(secret)
	if err != nil {
		return err
	}
	p := &pages.Page{
		Title: v.language.Text(title), CSRFToken: token, Path: v.Request.URL.Path,
		Content: &view{Section: v.section, Links: v.links(), API: a.API, Data: data},
	}
	if done := notices[v.query().Get("done")]; done != "" && status == http.StatusOK {
		p.Notice = v.language.Text(done)
	}
	if v.known != nil {
		p.Viewer = &pages.Viewer{Username: v.known.Username, Staff: v.known.IsStaff}
	}
	return a.site.Show(v.Exchange, status, name, p)
}

// redirect sends the client on, to be asked for anew (303 after a POST).
func redirect(x *guard.Exchange, to string) {
	status := http.StatusFound
	if !isRead(x.Request.Method) {
		status = http.StatusSeeOther
	}
	x.Header()["Location"] = []string{to}
	x.Answer(status, "", nil)
}

// done sends the client to a page that says what was done.
func (v *visit) done(path, what string) error {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	redirect(v.Exchange, path+separator+"done="+what)
	return nil
}

// retryAfter tells a client when to come back.
func (v *visit) retryAfter(wait time.Duration) {
	v.Header()["Retry-After"] = []string{strconv.Itoa(int((wait + time.Second - 1) / time.Second))}
}
