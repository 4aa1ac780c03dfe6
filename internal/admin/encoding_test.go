package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

const unstorable = "Characters that the database cannot store are not allowed."

// TestEncoding_TheFieldSaysWhatTheDatabaseLacks registers, logs in and edits
// with characters that the encoding of the database has, and has not; through
// PgBouncer, with a replica that answers the session checks.
func TestEncoding_TheFieldSaysWhatTheDatabaseLacks(t *testing.T) {
	primary := pgtest.Start(t, pgtest.Fast)
	pooler, standby := primary.StartPooler(t), primary.StartReplica(t, pgtest.Fast)
	for _, test := range []struct{ encoding, has, lacks string }{
		{"LATIN1", "jürgen", "Жанна"}, {"WIN1251", "Жанна", "jürgen"}, {"EUC_JP", "太郎", "한"},
	} {
		t.Run(test.encoding, func(t *testing.T) {
			database := "enc_" + strings.ToLower(test.encoding)
			primary.Exec(t, "postgres", "create database "+database+" encoding '"+test.encoding+"' lc_collate 'C' lc_ctype 'C' template template0")
			c := siteConfig(t)
			c.Database, c.DatabaseListen, c.DatabaseReplica = pooler.Through(database), primary.URL(database), standby.URL(database)
			c.RecallEntries = -1 // every check reads
			_, base := serve(t, c)
			pgtest.Exec(t, primary.URL(database)+"&client_encoding=UTF8", `insert into auth_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
				values ($1, '!', false, '', '', '', false, true, now())`, test.has)
			tryLacking(t, base, test.has, test.lacks)
		})
	}
}

func tryLacking(t *testing.T, base, has, lacks string) {
	t.Helper()
	client := newBrowser(t, base)
	register := func(name, email string) answer {
		return client.api("POST", "/api/register/", map[string]string{"username": name, "email": email, "password": goodPassword, "password2": goodPassword})
	}
	if a := register(has, ""); a.status != http.StatusBadRequest || !strings.Contains(a.body, `{"username":["A user with that username already exists."`) {
		t.Errorf("a name that is taken: %d %s", a.status, a.body)
	}
	if a := register(lacks, ""); a.status != http.StatusBadRequest || a.body != `{"username":["`+unstorable+`"]}` {
		t.Errorf("a name: %d %s", a.status, a.body)
	}
	if a := register("new", lacks+"@example.com"); a.status != http.StatusBadRequest || !strings.Contains(a.body, `{"email":["`) {
		t.Errorf("an address: %d %s", a.status, a.body)
	}
	for _, name := range []string{lacks, has} {
		if a := client.api("POST", "/api/login/", map[string]string{"username": name, "password": goodPassword}, "User-Agent", lacks); a.status != http.StatusUnauthorized {
			t.Errorf("log in as %s: %d %s", name, a.status, a.body)
		}
	}
	if a := register(has+"2", ""); a.status != http.StatusCreated {
		t.Errorf("a name that it has: %d %s", a.status, a.body)
	}
	for range 20 { // some of which the replica answers
		if a := client.get("/api/user/"); a.status != http.StatusOK || !strings.Contains(a.body, has+"2") {
			t.Fatalf("the session: %d %s", a.status, a.body)
		}
	}
	root := enter(t, base, "root")
	for _, test := range []struct {
		path  string
		form  url.Values
		field string
	}{
		{"/admin/auth/user/add/", url.Values{"username": {lacks}}, "username"},
		{"/admin/auth/user/2/change/", url.Values{"username": {"ada"}, "first_name": {lacks}}, "first_name"},
		{"/admin/auth/user/2/change/", url.Values{"username": {lacks}}, "username"},
		{"/admin/auth/group/add/", url.Values{"name": {lacks}}, "name"},
	} {
		if a := root.post(test.path, test.form); a.status != http.StatusUnprocessableEntity || !says(a.body, unstorable) || !strings.Contains(a.body, `id="wrong-`+test.field+`"`) {
			t.Errorf("%s, %s: %d", test.path, test.field, a.status)
		}
	}
	if a := root.get("/admin/auth/user/?q=" + url.QueryEscape(has)); a.status != http.StatusOK || strings.Count(a.body, has) < 2 {
		t.Errorf("search: %d", a.status)
	}
	if a := root.get("/admin/auth/user/?q=" + url.QueryEscape(lacks)); a.status != http.StatusOK {
		t.Errorf("search of what it lacks: %d", a.status)
	}
}
