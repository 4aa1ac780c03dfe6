package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/password"
)

// Acts that are hard to undo, or that hand out rights, ask for the password
// once more: a session left open on a desk is not enough for them. Who has
// given it is not asked again for confirmedFor, in this session.
const (
	confirmedFor    = 15 * time.Minute
	confirmedCookie = "postern_confirmed"
)

// confirmed reports whether the viewer gave the password lately.
func (a *Admin) confirmed(v *visit) bool {
	sent, found := v.Cookie(confirmedCookie)
	if !found || v.known == nil {
		return false
	}
	session, err := a.Unsign(sent, confirmedFor)
	return err == nil && session == v.known.SessionID.String()
}

// confirmation is the field for the viewer's own password, nil if it need
// not be given.
func (a *Admin) confirmation(v *visit) *field {
	if a.confirmed(v) {
		return nil
	}
	return &field{
		Name: "your_password", Label: "Your own password", Type: "password", Autocomplete: "current-password", Required: true,
		Help: "To make sure that it is you.",
	}
}

// confirm checks the viewer's own password, if it has to be given. What is
// wrong with it stands in the field that is returned; nil when all is well.
func (a *Admin) confirm(v *visit) (*field, error) {
	f := a.confirmation(v)
	if f == nil {
		return nil, nil
	}
	plain := v.form.Get(f.Name)
	if plain == "" {
		f.Errors = []string{"Give your own password to do this."}
		return f, nil
	}
	problem, err := a.reauthenticate(v, plain)
	if err != nil {
		return nil, err
	}
	if problem != "" {
		f.Errors = []string{problem}
		return f, nil
	}
	v.SetPageCookie(confirmedCookie, a.Sign(v.known.SessionID.String()), Root, confirmedFor)
	return nil, nil
}

// reauthenticate verifies the viewer's own password under the throttles of a
// login, and gives this browser the session's new key. It returns what is wrong
// with the password, "" when it is right.
func (a *Admin) reauthenticate(v *visit, plain string) (problem string, err error) {
	if wait := a.throttleLogin(v, v.known.Username); wait > 0 {
		v.retryAfter(wait)
		v.throttled = true
		return "There were too many attempts. Wait a little, then try again.", nil
	}
	const wrong = "This is not your password."
	ctx := a.actor(v)
	if len(plain) > password.MaxBytes {
		v.steward.ReauthenticationFailed(ctx)
		return wrong, nil
	}
	visit := auth.Visit{Address: v.Address, UserAgent: v.Request.UserAgent()}
	known, key, err := v.steward.Reauthenticate(ctx, visit, v.known, plain)
	if errors.Is(err, auth.ErrInvalidCredentials) {
		return wrong, nil
	}
	if err != nil {
		return "", err
	}
	v.known, v.key = known, key
	delete(v.Header(), "Set-Cookie") // of the key that was renewed
	v.SetCSRFCookie(known.CSRFSecret)
	v.SetSessionCookie(key, known.CookieAge(a.Realm.Policy(), a.Now()))
	return "", nil
}

// refusedStatus is the status of a form that has to be corrected.
func (v *visit) refusedStatus() int {
	if v.throttled {
		return http.StatusTooManyRequests
	}
	return http.StatusUnprocessableEntity
}
