package api

import (
	"errors"
	"net/http"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/drf"
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
	opened, err := a.Realm.Login(e.Request.Context(), values.Get("username"), values.Get("password"), e.visit())
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
