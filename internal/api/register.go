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

// maxPassword is the longest password, in bytes: what is longer is refused
// before any hashing.
const maxPassword = 4096

var registerFields = drf.Serializer{
	{Name: "username", MaxLength: auth.MaxUsername, Validators: []drf.Validator{drf.Username}, Unique: usernameTaken},
	drf.EmailField(drf.CharField{Name: "email", Optional: true, AllowBlank: true, MaxLength: auth.MaxEmail}),
	{Name: "password", MaxBytes: maxPassword},
	{Name: "password2", MaxBytes: maxPassword},
}

func (a *API) serveRegister(e *exchange) error {
	data, err := e.parse()
	if err != nil {
		return err
	}
	ctx := e.Request.Context()
	values, errs, err := registerFields.Run(data, func(_, name string) (bool, error) {
		return a.Realm.UsernameTaken(ctx, auth.NormalizeUsername(name))
	})
	if err != nil {
		return err
	}
	if errs != nil {
		return invalid(errs)
	}
	name := auth.NormalizeUsername(values.Get("username"))
	if utf8.RuneCountInString(name) > auth.MaxUsername {
		return fieldError("username", "Ensure this field has no more than 150 characters.")
	}
	if values.Get("password") != values.Get("password2") {
		return fieldError("password", "Passwords do not match.")
	}
	opened, err := a.Realm.Register(e.acting(), auth.Registration{
		Username: name,
		Email:    drf.NormalizeEmail(values.Get("email")),
		Password: values.Get("password"),
	}, e.visit())
	var weak *password.Weak
	var refused *auth.RefusedError
	switch {
	case errors.As(err, &weak):
		return fieldError("password", weak.Messages...)
	case errors.Is(err, auth.ErrUsernameTaken):
		return fieldError("username", usernameTaken)
	case errors.As(err, &refused):
		return fieldError(refusedField(refused), refused.Problem)
	case err != nil:
		return err
	}
	a.open(e, opened)
	return a.reply(e, http.StatusCreated, userBody(&opened.Identity.User))
}

// refusedField is where the form shows that the database refuses a user.
func refusedField(e *auth.RefusedError) string {
	if e.Field == "username" || e.Field == "email" {
		return e.Field
	}
	return "non_field_errors"
}

// open gives the client its new session; its address is known from now on.
func (a *API) open(e *exchange, opened *auth.Opened) {
	session := &opened.Identity.Session
	a.LoginByAccount.LoggedIn(opened.Identity.User.Username, e.Address)
	e.UserID = opened.Identity.User.ID
	e.opened = opened.Identity
	h := e.Header()
	h["Cache-Control"] = noStore
	delete(h, "Set-Cookie") // of the session that was there before
	e.SetCSRFCookie(session.CSRFSecret)
	e.SetSessionCookie(opened.Key, a.Realm.Policy().CookieAge(session, session.Created))
}

// UserAnswer is the body of GET /api/user/ for a user: compact JSON.
func UserAnswer(u *auth.User) []byte { return drf.Render(userBody(u), 0) }

func userBody(u *auth.User) drf.Object {
	return drf.Object{{Name: "id", Value: u.ID}, {Name: "username", Value: u.Username}, {Name: "email", Value: u.Email}}
}
