package api

import (
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/drf"
	"github.com/postern-auth/postern/internal/password"
)

const usernameTaken = "A user with that username already exists."

func (a *API) serveRegister(e *exchange) error {
	data, err := e.parse()
	if err != nil {
		return err
	}
	ctx := e.Request.Context()
	var lookup error
	values, errs := a.register.Run(data, drf.Check{Field: "username", Test: func(name string) string {
		taken, err := a.Realm.UsernameTaken(ctx, auth.NormalizeUsername(name))
		if err != nil {
			lookup = err
		}
		if taken {
			return usernameTaken
		}
		return ""
	}})
	if lookup != nil {
		return lookup
	}
	if len(errs) > 0 {
		return errs
	}
	name := auth.NormalizeUsername(values.Get("username"))
	if utf8.RuneCountInString(name) > auth.MaxUsername {
		return drf.FieldError("username", drf.MaxLengthMessage(auth.MaxUsername))
	}
	if values.Get("password") != values.Get("password2") {
		return drf.FieldError("password", "Passwords do not match.")
	}
	opened, err := a.Realm.Register(ctx, auth.Registration{
		Username: name,
		Email:    drf.NormalizeEmail(values.Get("email")),
		Password: values.Get("password"),
	}, e.visit())
	var weak *password.Weak
	switch {
	case errors.As(err, &weak):
		return drf.FieldError("password", weak.Messages...)
	case errors.Is(err, auth.ErrUsernameTaken):
		return drf.FieldError("username", usernameTaken)
	case err != nil:
		return err
	}
	a.open(e, opened)
	return e.reply(http.StatusCreated, userBody(&opened.Identity.User))
}

// open gives the client its new session.
func (a *API) open(e *exchange, opened *auth.Opened) {
	session := &opened.Identity.Session
	e.identity, e.UserID = opened.Identity, opened.Identity.User.ID
	h := e.Header()
	h["Cache-Control"] = noStore
	delete(h, "Set-Cookie") // of the session that was there before
	e.SetCSRFCookie(session.CSRFSecret)
	e.SetSessionCookie(opened.Key, a.Realm.Policy().CookieAge(session, a.Now()))
}

func userBody(u *auth.User) drf.Object {
	return drf.Object{{Name: "id", Value: u.ID}, {Name: "username", Value: u.Username}, {Name: "email", Value: u.Email}}
}
