package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/pages"
	"github.com/postern-auth/postern/internal/password"
)

// loginForm is what the login page shows.
type loginForm struct {
	Username, Next string
	Problem        string
	// Intruder says that someone is logged in who is not staff.
	Intruder string
}

func (a *Admin) loginPage(v *visit) error {
	next := pages.LocalPath(v.Request.URL.Query().Get("next"))
	if v.known != nil && v.known.IsStaff {
		redirect(v.Exchange, orRoot(next))
		return nil
	}
	form := &loginForm{Next: next}
	if v.known != nil {
		form.Intruder = v.known.Username
	}
	return a.show(v, http.StatusOK, "login", "Log in", form)
}

func orRoot(path string) string {
	if path == "" {
		return Root
	}
	return path
}

// The one answer to a wrong name, a wrong password and an account that is not
// staff, as Django's.
const wrongLogin = "Please enter the correct username and password for a staff account. Note that both fields may be case-sensitive."

func (a *Admin) login(v *visit) error {
	form := &loginForm{Username: v.form.Get("username"), Next: pages.LocalPath(v.form.Get("next"))}
	plain := v.form.Get("password")
	for _, sent := range []string{form.Username, plain} {
		if problem := notText(sent); problem != "" {
			return a.refuseLogin(v, http.StatusOK, form, problem)
		}
	}
	if form.Username == "" || plain == "" || len(plain) > password.MaxBytes {
		return a.refuseLogin(v, http.StatusOK, form, wrongLogin)
	}
	if wait := a.throttleAccount(v, form.Username); wait > 0 {
		return a.refuseEarlyLogin(v, form, wait)
	}
	opened, err := a.Realm.Login(a.actor(v), form.Username, plain, auth.Visit{
		Address: v.Address, UserAgent: v.Request.UserAgent(), Current: v.sessionID(), StaffOnly: true, AsTyped: true,
	})
	switch {
	case errors.Is(err, auth.ErrInvalidCredentials):
		return a.refuseLogin(v, http.StatusOK, form, wrongLogin)
	case errors.Is(err, password.ErrBusy):
		v.retryAfter(time.Second)
		return a.refuseLogin(v, http.StatusServiceUnavailable, form, "Too many people log in at once. Try again in a moment.")
	case err != nil:
		return err
	}
	a.open(v, opened)
	redirect(v.Exchange, orRoot(form.Next))
	return nil
}

// open gives the client its new session.
func (a *Admin) open(v *visit, opened *auth.Opened) {
	session := &opened.Identity.Session
	a.LoginByAccount.LoggedIn(opened.Identity.User.Username, v.Address)
	v.UserID = opened.Identity.User.ID
	delete(v.Header(), "Set-Cookie") // of the session that was there before
	v.SetCSRFCookie(session.CSRFSecret)
	v.SetSessionCookie(opened.Key, a.Realm.Policy().CookieAge(session, session.Created))
}

func (a *Admin) refuseLogin(v *visit, status int, form *loginForm, problem string) error {
	form.Problem = problem
	return a.show(v, status, "login", "Log in", form)
}

func (v *visit) sessionID() (id auth.SessionID) {
	if v.known != nil {
		return v.known.SessionID
	}
	return id
}

// admitAttempt counts an attempt for the client's address before its body is
// read, with the API's throttle; false if it has answered that it is too early.
func (a *Admin) admitAttempt(v *visit) (bool, error) {
	wait := a.LoginByAddress.Take(guard.AddressKey(v.Address))
	if wait == 0 {
		return true, nil
	}
	v.LeaveBody()
	return false, a.refuseEarlyLogin(v, &loginForm{}, wait)
}

func (a *Admin) refuseEarlyLogin(v *visit, form *loginForm, wait time.Duration) error {
	v.retryAfter(wait)
	return a.refuseLogin(v, http.StatusTooManyRequests, form, "There were too many attempts. Wait a little, then try again.")
}

// throttleLogin counts an attempt whose body is read, by its address and its
// account.
func (a *Admin) throttleLogin(v *visit, name string) time.Duration {
	if wait := a.LoginByAddress.Take(guard.AddressKey(v.Address)); wait > 0 {
		return wait
	}
	return a.throttleAccount(v, name)
}

// throttleAccount counts an attempt for its account as the API does, with the
// same throttle.
func (a *Admin) throttleAccount(v *visit, name string) time.Duration {
	attempt := guard.AccountAttempt{
		Account: name, Address: v.Address,
		Addresses: func(ctx context.Context) ([]netip.Addr, error) {
			addresses, err := a.Realm.SessionAddresses(ctx, name)
			if err != nil {
				v.Log().LogAttrs(ctx, slog.LevelWarn, "addresses of sessions not read", slog.Any("error", err))
			}
			return addresses, err
		},
	}
	if v.known != nil && v.known.Username == name {
		attempt.Session = v.known.SessionID.String()
	}
	return a.LoginByAccount.Take(attempt)
}

func (a *Admin) logout(v *visit) error {
	if v.known != nil {
		if err := a.Realm.Logout(a.actor(v), v.known.SessionID); err != nil {
			return err
		}
		delete(v.Header(), "Set-Cookie")
		v.DeleteSessionCookie()
	}
	return v.done(Root+"login/", "out")
}
