// Package api is the five JSON endpoints, one file each, in the order of
// rest_framework.views.APIView.dispatch: negotiate, authenticate (with CSRF),
// check the permission, look for the method, parse, act, answer.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/drf"
	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/password"
)

// Options is what the API is made of.
type Options struct {
	Realm *auth.Realm
	// UnauthenticatedStatus is 403 or 401.
	UnauthenticatedStatus int
	// Mask makes a CSRF token of a secret.
	Mask func(secret string) (string, error)
	Now  func() time.Time
	// The throttles, by address and by account; nil lets everything through.
	LoginByAddress, RegisterByAddress *guard.Throttle
	LoginByAccount                    *guard.AccountThrottle
	// LoginOutcome and RegisterOutcome, if set, are told what came of each
	// attempt: one of the outcomes in outcome.go.
	LoginOutcome, RegisterOutcome func(outcome string)
	// Page shows an answer to a person; nil: answers are JSON only.
	Page func(x *guard.Exchange, p *Page) error
}

// API answers the endpoints under /api/.
type API struct {
	Options
	endpoints map[string]*endpoint
}

// endpoint is one URL with what it can do.
type endpoint struct {
	path    string
	name    string // as OPTIONS and the page show it
	method  string // the one method beside OPTIONS; GET brings HEAD with it
	private bool   // needs a session
	allow   []string
	act     func(a *API, e *exchange) error
	// attempts counts the requests of an address before their body is read;
	// nil lets everything through.
	attempts *guard.Throttle
	outcome  func(string) // told what came of the act; nil: nobody asks
}

// New returns the API.
func New(o Options) *API {
	a := &API{Options: o, endpoints: make(map[string]*endpoint)}
	for _, e := range []*endpoint{
		{path: "/api/register/", name: "Register Api", method: http.MethodPost, act: (*API).serveRegister, attempts: o.RegisterByAddress, outcome: o.RegisterOutcome},
		{path: "/api/login/", name: "Login Api", method: http.MethodPost, act: (*API).serveLogin, attempts: o.LoginByAddress, outcome: o.LoginOutcome},
		{path: "/api/logout/", name: "Logout Api", method: http.MethodPost, private: true, act: (*API).serveLogout},
		{path: "/api/user/", name: "User Status Api", method: http.MethodGet, private: true, act: (*API).serveUser},
		{path: "/api/protected/", name: "Protected Api", method: http.MethodGet, private: true, act: (*API).serveProtected},
	} {
		e.allow = []string{"POST, OPTIONS"}
		if e.method == http.MethodGet {
			e.allow = []string{"GET, HEAD, OPTIONS"}
		}
		a.endpoints[e.path] = e
	}
	return a
}

// Serve answers one request; paths that are not the API's get a 404.
func (a *API) Serve(x *guard.Exchange) {
	x.Request.Method = strings.ToUpper(x.Request.Method) // as WSGI servers and Django do
	path := x.Request.URL.Path
	if e, ok := a.endpoints[path]; ok {
		x.Route = e.path
		of := exchanges.Get().(*exchange)
		*of = exchange{Exchange: x, endpoint: e}
		a.dispatch(of)
		*of = exchange{} // it may hold a password
		exchanges.Put(of)
		return
	}
	dropped := x.DropMalformedSessionCookie()
	if dropped {
		x.Header()["Vary"] = []string{"Cookie, origin"}
	}
	if !strings.HasSuffix(path, "/") && a.endpoints[path+"/"] != nil {
		x.RedirectToSlash(path + "/")
		return
	}
	x.NotFound()
}

// exchange is a request to one endpoint.
type exchange struct {
	*guard.Exchange
	endpoint *endpoint
	accepted drf.Accepted
	known    *auth.Known // nil: anonymous
	data     drf.Data
	parsed   bool
	parseErr error
	opened   *auth.Identity // the session that the request began, nil for none
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

var (
	varyAcceptOrigin       = []string{"Accept, origin"}
	varyAcceptCookieOrigin = []string{"Accept, Cookie, origin"}
	noStore                = []string{"no-store"}
	applicationJSON        = []string{"application/json"}
)

func (a *API) dispatch(e *exchange) {
	h := e.Header()
	h["Allow"] = e.endpoint.allow
	h["Vary"] = varyAcceptOrigin

	accept := e.Request.Header["Accept"]
	accepted, err := a.negotiate(strings.Join(accept, ","), len(accept) > 0, drf.QueryValue(e.Request.URL.RawQuery, "format"))
	if err != nil {
		if e.DropMalformedSessionCookie() {
			h["Vary"] = varyAcceptCookieOrigin
		}
		a.fail(e, err)
		return
	}
	e.accepted = accepted
	h["Vary"] = varyAcceptCookieOrigin
	err = a.answer(e)
	if told := e.endpoint.outcome; told != nil && e.Request.Method == e.endpoint.method {
		told(outcomeOf(e.Request.Context(), err))
	}
	if err != nil {
		a.fail(e, err)
	}
}

func (a *API) negotiate(accept string, hasAccept bool, format string) (drf.Accepted, error) {
	if a.Page == nil {
		return drf.NegotiateJSON(accept, hasAccept, format)
	}
	return drf.Negotiate(accept, hasAccept, format)
}

// answer is the way of a request whose answer's form is settled.
func (a *API) answer(e *exchange) error {
	if err := a.authenticate(e); err != nil {
		return err
	}
	if e.endpoint.private && e.known == nil {
		return errNotAuthenticated
	}
	method := e.Request.Method
	switch {
	case method == http.MethodOptions:
		return a.reply(e, http.StatusOK, drf.Metadata(e.endpoint.name, "", a.Page != nil))
	case method == e.endpoint.method, method == http.MethodHead && e.endpoint.method == http.MethodGet:
		return e.endpoint.act(a, e)
	}
	return drf.NotAllowed(method)
}

// authenticate is rest_framework.authentication.SessionAuthentication: who
// has a session must also pass the CSRF check. An anonymous login or
// registration from a foreign page is refused too (login CSRF).
func (a *API) authenticate(e *exchange) error {
	key, found := e.SessionKey()
	if found {
		checked, err := a.Realm.Check(e.Request.Context(), key)
		switch {
		case err == nil:
			a.recognise(e, checked, key)
		case errors.Is(err, auth.ErrNoSession):
			e.DeleteSessionCookie()
		default:
			return err
		}
	}
	if _, err := e.MendCSRFCookie(e.boundSecret()); err != nil {
		return err
	}
	if !guard.IsUnsafe(e.Request.Method) {
		return nil
	}
	if e.known != nil {
		return e.CheckCSRF(e.known.CSRFSecret, e.formToken)
	}
	if !e.endpoint.private {
		return e.CheckOrigin()
	}
	return nil
}

func (a *API) recognise(e *exchange, checked auth.Checked, key string) {
	e.known = checked.Known
	e.UserID = checked.UserID
	e.Header()["Cache-Control"] = noStore
	if checked.Renewed {
		age := checked.CookieAge(a.Realm.Policy(), a.Now())
		e.SetSessionCookie(key, age)
	}
}

func (e *exchange) boundSecret() string {
	if e.known == nil {
		return ""
	}
	return e.known.CSRFSecret
}

// formToken is request.POST.get("csrfmiddlewaretoken") of a DRF request: it
// parses the body, and a body that can't be parsed is answered as such.
func (e *exchange) formToken() (string, error) {
	if e.Request.Method != http.MethodPost {
		return "", nil
	}
	data, err := e.parse()
	if err != nil || !data.IsForm() {
		return "", err
	}
	return data.FormValue("csrfmiddlewaretoken"), nil
}

var (
	errTooLarge      = &drf.Error{Status: http.StatusRequestEntityTooLarge, Detail: "Request body too large."}
	errTooManyBodies = &drf.Error{Status: http.StatusServiceUnavailable, Detail: "Too many requests at once. Try again in a moment.", RetryAfter: 1}
)

// parse reads and parses the body, once. Before that it counts the attempt
// for the client's address: a body that does not parse costs one, and one of
// an address that has to wait is not read.
func (e *exchange) parse() (drf.Data, error) {
	if e.parsed {
		return e.data, e.parseErr
	}
	e.parsed = true
	if wait := e.endpoint.attempts.Take(guard.AddressKey(e.Address)); wait > 0 {
		e.LeaveBody()
		e.parseErr = drf.Throttled(wait)
		return e.data, e.parseErr
	}
	body, err := e.Body()
	switch {
	case errors.Is(err, guard.ErrTooManyBodies):
		e.parseErr = errTooManyBodies
	case errors.Is(err, guard.ErrBodyTooLarge):
		e.parseErr = errTooLarge
	case err != nil:
		e.parseErr = &drf.Error{Status: http.StatusBadRequest, Detail: "The request body did not arrive whole."}
	default:
		e.data, e.parseErr = drf.Body(e.Request.Header.Get("Content-Type"), body)
	}
	return e.data, e.parseErr
}

// visit is what a new session is told about its client.
func (e *exchange) visit() auth.Visit {
	v := auth.Visit{Address: e.Address, UserAgent: e.Request.UserAgent()}
	if e.known != nil {
		v.Current = e.known.SessionID
	}
	return v
}

// acting is the context of an act of the client, for the audit log.
func (e *exchange) acting() context.Context {
	actor := auth.Actor{Source: auth.SourceAPI, Address: e.Address, UserAgent: e.Request.UserAgent()}
	if e.known != nil {
		actor.UserID, actor.Name = e.known.UserID, e.known.Username
	}
	return auth.WithActor(e.Request.Context(), actor)
}

// reply writes an answer in the accepted form.
func (a *API) reply(e *exchange, status int, body any) error {
	if e.accepted.Format == drf.HTML {
		return a.page(e, status, body)
	}
	e.Header()["Content-Type"] = applicationJSON
	e.Answer(status, "", drf.Render(body, e.accepted.Indent))
	return nil
}

var errNotAuthenticated = errors.New("not authenticated")

// invalid is what is wrong with the fields of a body.
type invalid drf.Errors

func (invalid) Error() string { return "invalid fields" }

func fieldError(field string, messages ...string) error {
	return invalid{{Field: field, Messages: messages}}
}

func detail(text string) drf.Object { return drf.Object{{Name: "detail", Value: text}} }

// fail turns an error of the domain into an answer.
func (a *API) fail(e *exchange, err error) {
	status, body := a.describe(e, err)
	if err := a.reply(e, status, body); err != nil {
		e.Log().LogAttrs(e.Request.Context(), slog.LevelError, "answer not rendered", slog.Any("error", err))
		e.ServerError()
	}
}

func (a *API) describe(e *exchange, err error) (int, any) {
	var (
		known  *drf.Error
		fields invalid
	)
	refused, csrf := guard.IsCSRFError(err)
	switch {
	case errors.As(err, &known):
		if known.RetryAfter > 0 {
			e.Header()["Retry-After"] = []string{strconv.Itoa(known.RetryAfter)}
		}
		return known.Status, known.Object()
	case errors.As(err, &fields):
		return http.StatusBadRequest, drf.Errors(fields).Object()
	case csrf:
		return http.StatusForbidden, drf.CSRFFailed(refused.Reason).Object()
	case errors.Is(err, errNotAuthenticated):
		if a.UnauthenticatedStatus == http.StatusUnauthorized {
			e.Header()["Www-Authenticate"] = []string{`Session realm="api"`}
		}
		return a.UnauthenticatedStatus, drf.NotAuthenticated.Object()
	case errors.Is(err, password.ErrBusy):
		return unavailable(e, "Too many sign-ins at once. Try again in a moment.")
	case errors.Is(err, auth.ErrUnavailable):
		e.Log().LogAttrs(e.Request.Context(), slog.LevelError, "store unavailable", slog.Any("error", err))
		return unavailable(e, "Service temporarily unavailable, try again later.")
	case e.Request.Context().Err() != nil:
		return unavailable(e, "Service temporarily unavailable, try again later.")
	}
	e.Log().LogAttrs(e.Request.Context(), slog.LevelError, "unexpected error", slog.Any("error", err))
	return http.StatusInternalServerError, detail("A server error occurred.")
}

// unavailable is a 503 that says when to come back.
func unavailable(e *exchange, text string) (int, any) {
	e.Header()["Retry-After"] = []string{"1"}
	return http.StatusServiceUnavailable, detail(text)
}
