package admin

import (
	"errors"
	"time"

	"github.com/postern-auth/postern/internal/auth"
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
	if len(plain) > maxPassword {
		f.Errors = []string{"This is not your password."}
		return f, nil
	}
	if wait := a.throttleLogin(v, v.known.Username); wait > 0 {
		v.retryAfter(wait)
		f.Errors = []string{"There were too many attempts. Wait a little, then try again."}
		return f, nil
	}
	err := v.steward.Confirm(v.Request.Context(), v.Address, plain)
	if errors.Is(err, auth.ErrInvalidCredentials) {
		f.Errors = []string{"This is not your password."}
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	v.SetPageCookie(confirmedCookie, a.Sign(v.known.SessionID.String()), Root, confirmedFor)
	return nil, nil
}
