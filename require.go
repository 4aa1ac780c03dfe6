package postern

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/django"
	"github.com/postern-auth/postern/internal/drf"
	"github.com/postern-auth/postern/internal/guard"
)

type contextKey struct{}

// visitor is what RequireUser knows of who asks.
type visitor struct {
	user   *User
	secret string
	mask   func(string) (string, error)
}

// UserFrom returns the user that [Server.RequireUser] let in; false outside
// of it.
func UserFrom(ctx context.Context) (*User, bool) {
	v, ok := ctx.Value(contextKey{}).(*visitor)
	if !ok {
		return nil, false
	}
	return v.user, true
}

// CSRFToken returns a masked token for a page behind [Server.RequireUser]:
// for the header X-CSRFToken of its scripts, or for the field
// csrfmiddlewaretoken of forms that go to the API's endpoints. "" outside of it.
func CSRFToken(ctx context.Context) string {
	v, ok := ctx.Value(contextKey{}).(*visitor)
	if !ok {
		return ""
	}
	token, err := v.mask(v.secret)
	if err != nil {
		return ""
	}
	return token
}

// RequireUser lets through to next only who has a live session, and puts the
// user into the request's context. Others get the answer of the API: 403 (or
// 401) with a JSON detail. An unsafe request must also bring its CSRF token,
// in the header X-CSRFToken. Answers are marked Cache-Control: no-store.
func (s *Server) RequireUser(next http.Handler) http.Handler {
	return s.guard.Middleware(s.identify, next)
}

func (s *Server) identify(x *guard.Exchange) (*http.Request, bool) {
	r := x.Request
	x.Route = routePage
	x.Header()["Vary"] = []string{"Cookie, origin"}
	checked, err := s.check(x)
	if err != nil {
		s.refuse(x, err)
		return nil, false
	}
	if guard.IsUnsafe(r.Method) {
		noForm := func() (string, error) { return "", nil }
		if err := x.CheckCSRF(checked.CSRFSecret, noForm); err != nil {
			s.refuse(x, err)
			return nil, false
		}
	}
	x.UserID, x.Quiet = checked.UserID, true
	x.Header()["Cache-Control"] = []string{"no-store"}
	ctx := context.WithValue(r.Context(), contextKey{}, &visitor{
		user:   knownUser(checked.Known),
		secret: checked.CSRFSecret,
		mask:   func(secret string) (string, error) { return django.Mask(s.config.Rand, secret) },
	})
	return r.WithContext(ctx), true
}

func (s *Server) check(x *guard.Exchange) (auth.Checked, error) {
	key, found := x.SessionKey()
	if !found {
		return auth.Checked{}, auth.ErrNoSession
	}
	checked, err := s.realm.Check(x.Request.Context(), key)
	switch {
	case errors.Is(err, auth.ErrNoSession):
		x.DeleteSessionCookie()
	case err == nil && checked.Renewed:
		x.SetSessionCookie(key, checked.CookieAge(s.realm.Policy(), s.config.Now()))
	}
	return checked, err
}

func (s *Server) refuse(x *guard.Exchange, err error) {
	if refused, ok := guard.IsCSRFError(err); ok {
		answer(x, http.StatusForbidden, drf.CSRFFailed(refused.Reason))
		return
	}
	if errors.Is(err, auth.ErrNoSession) {
		answer(x, s.config.UnauthenticatedStatus, drf.NotAuthenticated)
		return
	}
	x.Log().LogAttrs(x.Request.Context(), slog.LevelError, "session not checked", slog.Any("error", err))
	x.Header()["Retry-After"] = []string{"1"}
	answer(x, http.StatusServiceUnavailable, &drf.Error{Detail: "Service temporarily unavailable, try again later."})
}

func answer(x *guard.Exchange, status int, e *drf.Error) {
	x.Answer(status, "application/json", drf.Render(e.Object(), 0))
}
