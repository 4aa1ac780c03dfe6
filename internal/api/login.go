package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/drf"
	"github.com/postern-auth/postern/internal/guard"
)

var loginFields = drf.Serializer{
	{Name: "username"},
	{Name: "password", MaxBytes: maxPassword},
}

var errInvalidCredentials = &drf.Error{Status: http.StatusUnauthorized, Detail: "Invalid credentials"}

func (a *API) serveLogin(e *exchange) error {
	data, err := e.parse()
	if err != nil {
		return err
	}
	values, errs, err := loginFields.Run(data, nil)
	if err != nil {
		return err
	}
	if errs != nil {
		return invalid(errs)
	}
	name := values.Get("username")
	if wait := a.throttleLogin(e, name); wait > 0 {
		return drf.Throttled(wait)
	}
	opened, err := a.Realm.Login(e.Request.Context(), name, values.Get("password"), e.visit())
	if errors.Is(err, auth.ErrInvalidCredentials) {
		return errInvalidCredentials
	}
	if err != nil {
		return err
	}
	token, err := a.Mask(opened.Identity.Session.CSRFSecret)
	if err != nil {
		return err
	}
	a.open(e, opened)
	return e.reply(http.StatusOK, drf.Object{
		{Name: "message", Value: "Login successful"},
		{Name: "user", Value: userBody(&opened.Identity.User)},
		{Name: "csrf_token", Value: token},
	})
}

// throttleLogin counts an attempt by its address, and by the account and the
// address's neighbourhood together: a stranger who guesses one account's
// password from many addresses is slowed down on each, and never shuts its
// owner, who comes from elsewhere, out.
func (a *API) throttleLogin(e *exchange, name string) time.Duration {
	address := guard.AddressKey(e.Address)
	if wait := a.LoginByAddress.Take(address); wait > 0 {
		return wait
	}
	return a.LoginByAccount.Take(address + "\x00" + name)
}
