package admin_test

import (
	"database/sql"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/password"
)

// outer is some of the white space that Python's str.strip removes.
var outer = []string{" ", "\t", "\n", "\u00a0", "\u3000", "\u2028", "\x1f", "\u0085", " \t\u2003"}

// TestPasswordSpaces_WhateverSetsItTheAPIOpens sets passwords with white space
// around them in every way there is, and logs in with and without it.
func TestPasswordSpaces_WhateverSetsItTheAPIOpens(t *testing.T) {
	srv, base := serve(t, siteConfig(t))
	root := enter(t, base, "root")
	const plain = "Xy9-longer-pass"
	number := 0
	for _, space := range outer {
		typed := space + plain + space
		for way, set := range map[string]func(name string) error{
			"CreateUser": func(name string) error {
				_, err := srv.CreateUser(t.Context(), postern.NewUser{Username: name, Password: typed, IsStaff: true})
				return err
			},
			"SetPassword": func(name string) error {
				_, err := srv.CreateUser(t.Context(), postern.NewUser{Username: name, IsStaff: true})
				return errors.Join(err, srv.SetPassword(t.Context(), name, typed))
			},
			"the form of a new user": func(name string) error {
				return refusal(root.post("/admin/auth/user/add/", url.Values{"username": {name}, "password1": {typed}, "password2": {plain}}))
			},
			"the form of a user's password": func(name string) error {
				u, err := srv.CreateUser(t.Context(), postern.NewUser{Username: name, IsStaff: true})
				if err != nil {
					return err
				}
				return refusal(root.post(userPage(u.ID, "password"), url.Values{"password1": {typed}, "password2": {typed}}))
			},
			"the form of the own password": func(name string) error {
				if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: name, Password: goodPassword, IsStaff: true}); err != nil {
					return err
				}
				return refusal(enter(t, base, name).post("/admin/password_change/", url.Values{"old_password": {goodPassword + space}, "password1": {plain}, "password2": {typed}}))
			},
			"registration": func(name string) error {
				a := newBrowser(t, base).api("POST", "/api/register/", map[string]string{"username": name, "password": typed, "password2": plain})
				if a.status != http.StatusCreated {
					return errors.New(a.body)
				}
				return nil
			},
		} {
			number++
			name := "user" + strings.Repeat("i", number)
			if err := set(name); err != nil {
				t.Errorf("%s with %q: %v", way, space, err)
				continue
			}
			for _, entered := range []string{plain, typed, plain + "\n"} {
				if a := newBrowser(t, base).api("POST", "/api/login/", map[string]string{"username": name, "password": entered}); a.status != http.StatusOK {
					t.Errorf("set by %s with %q, then %q at the API: %d", way, space, entered, a.status)
				}
				b := newBrowser(t, base)
				b.get("/admin/login/")
				a := b.post("/admin/login/", url.Values{"username": {name}, "password": {entered}})
				if staff := way != "registration" && way != "the form of a new user"; a.status == http.StatusSeeOther != staff {
					t.Errorf("set by %s with %q, then %q at the admin site: %d", way, space, entered, a.status)
				}
			}
		}
	}
}

func userPage(id int64, act string) string {
	return "/admin/auth/user/" + strconv.FormatInt(id, 10) + "/" + act + "/"
}

// refusal is nil for a form that was accepted.
func refusal(a answer) error {
	if a.status != http.StatusSeeOther {
		return errors.New(a.body)
	}
	return nil
}

// TestPasswordSpaces_DjangosOwn is a hash that Django's createsuperuser or admin
// site made of a password with spaces around it: it opens Django's admin site,
// and so ours, but not the API, as in the model.
func TestPasswordSpaces_DjangosOwn(t *testing.T) {
	c := siteConfig(t)
	srv, base := serve(t, c)
	const typed = "  tr0ub4dor-x9 "
	hashing, err := password.New(password.Options{Algorithm: password.PBKDF2SHA256, PBKDF2Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := hashing.Hash(typed)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(c.Database, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`update auth_user set password = ? where username = 'root'`, encoded); err != nil {
		t.Fatal(err)
	}
	for _, entered := range []string{goodPassword, typed + " "} {
		b := newBrowser(t, base)
		b.get("/admin/login/")
		if a := b.post("/admin/login/", url.Values{"username": {"root"}, "password": {entered}}); a.status != http.StatusOK {
			t.Errorf("%q: %d", entered, a.status)
		}
	}
	b := newBrowser(t, base)
	b.get("/admin/login/")
	for range 2 { // the second time with the hash that the login made anew
		if a := b.post("/admin/login/", url.Values{"username": {"root"}, "password": {typed}}); a.status != http.StatusSeeOther {
			t.Fatalf("as it was typed: %d", a.status)
		}
	}
	if a := newBrowser(t, base).api("POST", "/api/login/", map[string]string{"username": "root", "password": typed}); a.status != http.StatusUnauthorized {
		t.Errorf("at the API: %d", a.status)
	}
	if a := b.post("/admin/auth/user/2/delete/", url.Values{"your_password": {typed}}); a.status != http.StatusSeeOther {
		t.Errorf("confirmed as it was typed: %d", a.status)
	}
	if a := b.post("/admin/password_change/", url.Values{"old_password": {typed}, "password1": {typed}, "password2": {typed}}); a.status != http.StatusSeeOther {
		t.Errorf("set anew: %d", a.status)
	}
	if a := newBrowser(t, base).api("POST", "/api/login/", map[string]string{"username": "root", "password": typed}); a.status != http.StatusOK {
		t.Errorf("set anew, at the API: %d", a.status)
	}
	if _, err := srv.User(t.Context(), "root"); err != nil {
		t.Error(err)
	}
}

func TestPasswordSpaces_WhatIsNoPassword(t *testing.T) {
	c := siteConfig(t)
	c.Passwords.WarnOnly = true
	srv, _ := serve(t, c)
	for _, plain := range []string{" ", "\u3000\t", "a\x00b", "a\xff", strings.Repeat("x", 4097)} {
		var invalid *postern.InvalidFieldError
		if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "new", Password: plain}); !errors.As(err, &invalid) || invalid.Field != "password" {
			t.Errorf("CreateUser with %.10q: %v", plain, err)
		}
		if err := srv.SetPassword(t.Context(), "ada", plain); !errors.As(err, &invalid) || invalid.Field != "password" {
			t.Errorf("SetPassword with %.10q: %v", plain, err)
		}
		if err := srv.ValidatePassword(t.Context(), plain, "ada", ""); !errors.As(err, &invalid) || invalid.Field != "password" {
			t.Errorf("ValidatePassword with %.10q: %v", plain, err)
		}
	}
	if _, err := srv.User(t.Context(), "new"); !errors.Is(err, postern.ErrNoUser) {
		t.Errorf("a user was made: %v", err)
	}
	if err := srv.SetPassword(t.Context(), "ada", strings.Repeat("x", 4096)+" "); err != nil {
		t.Errorf("as long as can be, and a space: %v", err)
	}
}
