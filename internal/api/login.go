package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
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
	opened, err := a.Realm.Login(e.acting(), name, values.Get("password"), e.visit())
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
	return a.reply(e, http.StatusOK, drf.Object{
		{Name: "message", Value: "Login successful"},
		{Name: "user", Value: userBody(&opened.Identity.User)},
		{Name: "csrf_token", Value: token},
	})
}

// throttleLogin counts an attempt by the account it is for; see
// guard.AccountThrottle for how the account's owner still gets in. It is
// counted by its address already.
func (a *API) throttleLogin(e *exchange, name string) time.Duration {
	attempt := guard.AccountAttempt{
		Account:   name,
		Address:   e.Address,
		Addresses: func(ctx context.Context) ([]netip.Addr, error) { return a.sessionAddresses(ctx, e, name) },
	}
	if e.known != nil && e.known.Username == name {
		attempt.Session = e.known.SessionID.String()
	}
	return a.LoginByAccount.Take(attempt)
}

// sessionAddresses is where the live sessions of that user began. When they
// can't be read, the client stays unrecognised.
func (a *API) sessionAddresses(ctx context.Context, e *exchange, name string) ([]netip.Addr, error) {
	addresses, err := a.Realm.SessionAddresses(ctx, name)
	if err != nil {
		e.Log().LogAttrs(ctx, slog.LevelWarn, "addresses of sessions not read", slog.Any("error", err))
	}
	return addresses, err
}
