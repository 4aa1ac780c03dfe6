package auth_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/postern-auth/postern/internal/auth"
)

func TestLogin_UnreadableUserGetsTheAnswerOfAWrongPassword(t *testing.T) {
	path := database(t)
	realm, _ := newRealm(t, path, nil)
	opened, err := realm.Register(t.Context(), auth.Registration{Username: "user", Password: good}, auth.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := realm.Register(t.Context(), auth.Registration{Username: "other", Password: good}, auth.Visit{}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range []struct {
		change string
		may    bool
	}{
		{"date_joined = '2020-02-30 00:00:00'", false}, {"date_joined = 'garbage'", true}, {"date_joined = '2020-01-01'", true},
		{"email = x'ff'", false}, {"email = ''", true}, {"is_active = 'true'", false}, {"is_active = '1'", true},
	} {
		if _, err := db.Exec("update auth_user set " + c.change + " where username = 'user'"); err != nil {
			t.Fatal(err)
		}
		if _, err := realm.Check(t.Context(), opened.Key); (err == nil) != c.may {
			t.Errorf("%s: the session: %v", c.change, err)
		}
		if _, err := realm.Login(t.Context(), "user", good, auth.Visit{}); (err == nil) != c.may || err != nil && !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("%s: log in: %v", c.change, err)
		}
		if _, err := realm.Login(t.Context(), "other", good, auth.Visit{}); err != nil {
			t.Errorf("%s: another user: %v", c.change, err)
		}
		reset := "update auth_user set date_joined = '2020-01-01', email = '', is_active = 1"
		if _, err := db.Exec(reset); err != nil {
			t.Fatal(err)
		}
	}
}
