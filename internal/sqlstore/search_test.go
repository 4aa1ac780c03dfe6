package sqlstore

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/auth"
)

// lowerASCII is the case folding of SQLite's LIKE.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func FuzzSearch(f *testing.F) {
	s, err := OpenSQLite(f.Context(), filepath.Join(f.TempDir(), "postern.sqlite3"), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	if _, err := s.Migrate(f.Context()); err != nil {
		f.Fatal(err)
	}
	names := []string{"alice", "ALICE", "%", "_", `\`, `a\%b_c`, "Ольга", "K", "'; drop table auth_user; --", "é", "e\u0301", "🦊", "\uFFFD"}
	for _, name := range names {
		u := benchUser(0)
		u.Username, u.Email = name, strings.Repeat(name, 2)+"@x.org"
		if err := s.CreateUser(f.Context(), &u); err != nil {
			f.Fatal(err)
		}
		f.Add(name)
		f.Add(name[:1])
	}
	for _, part := range []string{"", "%%", `\\`, "a%", "X.ORG", "\x00", "li\x00", "\xff", "\uFFFD", strings.Repeat("a", 300), "ice@", "eé"} {
		f.Add(part)
	}
	f.Fuzz(func(t *testing.T, part string) {
		var want []string
		for _, name := range names {
			if strings.Contains(lowerASCII(name), lowerASCII(part)) || strings.Contains(lowerASCII(name+name+"@x.org"), lowerASCII(part)) {
				want = append(want, name)
			}
		}
		users, err := s.Users(t.Context(), auth.UserFilter{Search: part})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range users {
			got = append(got, users[i].Username)
		}
		if !utf8.ValidString(part) {
			want = nil // half a letter is no text
		}
		if !slices.Equal(got, want) {
			t.Errorf("search for %q = %q, want %q", part, got, want)
		}
	})
}

func FuzzIDRange(f *testing.F) {
	for _, prefix := range []string{"", "a", "AB", "abc", "g", strings.Repeat("f", 64), strings.Repeat("0", 65), "ab ", "\x00"} {
		f.Add(prefix, []byte("some id"))
	}
	f.Fuzz(func(t *testing.T, prefix string, seed []byte) {
		first, last, ok := idRange(prefix)
		if !ok {
			if isHex(prefix) && len(prefix) <= 64 {
				t.Errorf("%q selects nothing", prefix)
			}
			return
		}
		id := auth.IDOf(string(seed))
		// Half of the time, an id that does start so.
		if len(seed)%2 == 0 {
			copy(id[:], first[:(len(prefix)+1)/2])
		}
		inRange := slices.Compare(first[:], id[:]) <= 0 && slices.Compare(id[:], last[:]) <= 0
		if starts := strings.HasPrefix(id.String(), strings.ToLower(prefix)); starts != inRange {
			t.Errorf("%v starts with %q: %v, is in its range: %v", id, prefix, starts, inRange)
		}
	})
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
