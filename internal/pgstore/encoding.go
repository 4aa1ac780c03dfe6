package pgstore

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/auth"
)

// A database of another encoding than UTF-8 lacks characters. The server refuses
// a text with one (codeUnstorable), and does not say which text it was.
const selectText = `select $1::text`

// field is a text on its way to the database.
type field struct {
	name string
	text *string
}

// explainUnstorable names the field of a refused change that the database can't
// store, by asking for one after the other.
func (s *Store) explainUnstorable(ctx context.Context, err error, fields ...field) error {
	if code(err) != codeUnstorable {
		return err
	}
	for _, f := range fields {
		if f.text != nil && s.lacks(ctx, *f.text) {
			return auth.RefusedEncoding(f.name)
		}
	}
	return err
}

func userFields(u *auth.User) []field {
	if u == nil {
		return nil
	}
	return []field{{"username", &u.Username}, {"email", &u.Email}, {"first_name", &u.FirstName}, {"last_name", &u.LastName}}
}

// lacks reports whether the database's encoding lacks a character of a text.
func (s *Store) lacks(ctx context.Context, text string) bool {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var same string
	return code(s.pool.QueryRow(ctx, selectText, text).Scan(&same)) == codeUnstorable
}

// storable returns what the database can hold of a text that a client sent:
// where it lacks a character, what is not ASCII becomes question marks.
func (s *Store) storable(ctx context.Context, text string) string {
	text = textOnly(text)
	if isASCII(text) || s.isUTF8.Load() || !s.lacks(ctx, text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, text)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (s *Store) storableEntry(ctx context.Context, e *auth.AuditEntry) *auth.AuditEntry {
	entry := *e
	for _, text := range []*string{&entry.ActorName, &entry.TargetName, &entry.UserAgent, &entry.Detail} {
		*text = s.storable(ctx, *text)
	}
	return &entry
}
