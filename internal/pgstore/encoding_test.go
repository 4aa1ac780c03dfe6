package pgstore

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

// Each database is written to by another program that speaks UTF-8, as Django
// does.
func TestEncoding_NamesAgreeWithOtherPrograms(t *testing.T) {
	server := pgtest.Shared(t)
	pooler := server.StartPooler(t)
	for _, c := range []struct{ encoding, name, lacks string }{
		{"LATIN1", "jürgen", "Ж"}, {"WIN1251", "Жанна", "ü"}, {"EUC_JP", "太郎", "한"}, {"SQL_ASCII", "jürgen太郎", ""}, {"UTF8", "jürgen太郎", ""},
	} {
		database := "enc_" + strings.ToLower(c.encoding)
		t.Run(c.encoding, func(t *testing.T) { tryEncoding(t, server.URL(database), database, c.encoding, c.name, c.lacks) })
		database += "_pooled"
		t.Run(c.encoding+" through PgBouncer", func(t *testing.T) { tryEncoding(t, pooler.Through(database), database, c.encoding, c.name, c.lacks) })
	}
}

func tryEncoding(t *testing.T, url, database, encoding, name, lacks string) {
	server := pgtest.Shared(t)
	server.Exec(t, "postgres", "create database "+database+" encoding '"+encoding+"' lc_collate 'C' lc_ctype 'C' template template0")
	s := openMigrated(t, url, Options{})
	other := server.URL(database) + "&client_encoding=UTF8"
	pgtest.Exec(t, other, `insert into auth_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
		values ($1, '!', false, '', '', '', false, true, now())`, name)
	u, err := s.UserByName(t.Context(), name)
	if err != nil || u.Username != name {
		t.Fatalf("%+v, %v", u, err)
	}
	again := &auth.User{Username: name, Password: "!", IsActive: true, DateJoined: time.Now()}
	if err := s.CreateUser(t.Context(), again); !errors.Is(err, auth.ErrUsernameTaken) {
		t.Errorf("the name again: %v", err)
	}
	first, _ := utf8.DecodeRuneInString(name)
	for _, reach := range []reach{defaultReach, {pick: 0, walk: 100}} { // by the index of a word, and along the order
		s.reach = reach
		for _, l := range []auth.UserList{{Search: name}, {Search: string(first), Sort: auth.ByUsername}, {Search: "*" + string(first), Sort: auth.ByUsername, Descending: true}} {
			if page, err := s.ListUsers(t.Context(), l); err != nil || len(page.Users) != 1 || page.Users[0].Username != name {
				t.Errorf("search of %+v: %+v, %v", l, page, err)
			}
		}
	}
	start := &auth.Start{
		NewUser: &auth.User{Username: "agent", Password: "!", IsActive: true, DateJoined: time.Now()},
		Session: auth.Session{ID: auth.IDOf("x"), Created: time.Now(), LastSeen: time.Now(), Expires: time.Now().Add(time.Hour), UserAgent: "ü Ж 太郎 Ç"},
		Audit:   &auth.AuditEntry{At: time.Now(), Act: auth.ActRegister, UserAgent: "ü Ж 太郎", Detail: "Ж"},
	}
	if err := s.Start(t.Context(), start); err != nil {
		t.Errorf("a session: %v", err)
	}
	if lacks == "" {
		return
	}
	if _, err := s.UserByName(t.Context(), lacks); !errors.Is(err, auth.ErrNoUser) {
		t.Errorf("a name that the encoding lacks: %v", err)
	}
	for _, u := range []*auth.User{{Username: "x" + lacks, Password: "!"}, {Username: "x", Email: lacks, Password: "!"}} {
		u.DateJoined = time.Now()
		bad, ok := errors.AsType[*auth.RefusedError](s.CreateUser(t.Context(), u))
		if want := map[bool]string{true: "email", false: "username"}[u.Email != ""]; !ok || bad.Field != want {
			t.Errorf("%+v: %v, want %s", u, bad, want)
		}
		start.NewUser, start.Session.ID = u, auth.IDOf("y")
		if _, ok := errors.AsType[*auth.RefusedError](s.Start(t.Context(), start)); !ok {
			t.Errorf("%+v: Start does not name the field", u)
		}
	}
	if _, err := s.CreateGroup(t.Context(), lacks, nil); !errors.As(err, new(*auth.RefusedError)) {
		t.Errorf("a group: %v", err)
	}
	if err := s.EditUser(t.Context(), 1, auth.UserEdit{FirstName: &lacks}); !errors.As(err, new(*auth.RefusedError)) {
		t.Errorf("an edit: %v", err)
	}
	if page, err := s.ListUsers(t.Context(), auth.UserList{Search: lacks}); err != nil || len(page.Users) != 0 {
		t.Errorf("search: %+v, %v", page, err)
	}
	if _, err := s.Users(t.Context(), auth.UserFilter{Search: lacks}); err != nil {
		t.Error(err)
	}
	if _, err := s.Audit(t.Context(), auth.AuditFilter{User: lacks}); err != nil {
		t.Error(err)
	}
	if _, err := s.Groups(t.Context(), auth.GroupList{Search: lacks}); err != nil {
		t.Error(err)
	}
}

func TestEncoding_BytesOfASCIIThatAreNotUTF8AreAnOddRow(t *testing.T) {
	server := pgtest.Shared(t)
	pooler := server.StartPooler(t)
	for name, url := range map[string]string{"enc_odd": server.URL("enc_odd"), "enc_odd_pooled": pooler.Through("enc_odd_pooled")} {
		server.Exec(t, "postgres", "create database "+name+" encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0")
		tryOddBytes(t, openMigrated(t, url, Options{}), server.URL(name))
	}
}

func tryOddBytes(t *testing.T, s *Store, url string) {
	t.Helper()
	pgtest.Exec(t, url, `insert into auth_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
		values (E'j\xfcrgen', E'pw\xff', false, '', '', '', false, true, now())`)
	all, err := s.Users(t.Context(), auth.UserFilter{})
	if err != nil || len(all) != 1 || all[0].Unreadable != auth.ColumnUsername|auth.ColumnPassword || all[0].Password != "" {
		t.Errorf("%+v, %v", all, err)
	}
}
