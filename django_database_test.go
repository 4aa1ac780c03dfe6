package postern_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The database in testdata/django was made by a Django 5.2 with users of
// every hasher; the sheet beside it holds their passwords.
func TestADjangoDatabaseOpensAndEachOfItsUsersLogsIn(t *testing.T) {
	text, err := os.ReadFile("testdata/django/django-5.2.sheet.json")
	if err != nil {
		t.Fatal(err)
	}
	var sheet struct {
		Users []struct {
			ID                  int
			Username, Algorithm string
			Password            *string
			IsActive            *bool `json:"is_active"`
		}
	}
	if err := json.Unmarshal(text, &sheet); err != nil || len(sheet.Users) != 12 {
		t.Fatalf("%d users, %v", len(sheet.Users), err)
	}
	database, err := os.ReadFile("testdata/django/django-5.2.sqlite3")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "django.sqlite3")
	if err := os.WriteFile(path, database, 0o600); err != nil {
		t.Fatal(err)
	}
	config := testConfig(t)
	config.Database, config.Passwords.Hasher = "sqlite:"+path, "argon2" // not as the Django hashes
	srv, base := startServer(t, config)
	for _, u := range sheet.Users {
		t.Run(u.Username, func(t *testing.T) {
			c := newClient(t, base)
			password := "anything"
			if u.Password != nil {
				password = *u.Password
			}
			if u.Algorithm == "md5" { // the wrong ones of each hasher are tested where the hashers are
				if status, body := c.login(u.Username, password+"x"); status != http.StatusUnauthorized {
					t.Errorf("a wrong password: %d %s", status, body)
				}
			}
			status, body := c.login(u.Username, password)
			if u.Password == nil || u.IsActive != nil && !*u.IsActive {
				if status != http.StatusUnauthorized {
					t.Errorf("%d %s", status, body)
				}
				return
			}
			if status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
			c.isIn(true)
			user, err := srv.User(t.Context(), u.Username)
			if err != nil {
				t.Fatal(err)
			}
			if user.ID != int64(u.ID) || !strings.HasPrefix(user.PasswordHasher, "argon2id m=") {
				t.Errorf("user %d, hashed with %s after the login", user.ID, user.PasswordHasher)
			}
			if u.Algorithm != "argon2" { // which keeps its hash: it is stronger than the tests' setting
				if status, body := newClient(t, base).login(u.Username, password); status != http.StatusOK {
					t.Errorf("again, with the new hash: %d %s", status, body)
				}
			}
			c.isIn(true)
		})
	}
}
