package admin

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/auth"
)

// field is an input of a form. Label, Help and Errors are in English; the
// templates translate them.
type field struct {
	Name, Label, Type, Value, Help, Autocomplete string
	Required, Checked, Disabled                  bool
	MaxLength                                    int
	Errors                                       []string
}

// wrong reports whether anything is wrong with a field; nothing is with none.
func (f *field) wrong() bool { return f != nil && len(f.Errors) > 0 }

// choice is one of several that may be ticked.
type choice struct {
	ID      int64
	Text    string
	Checked bool
}

// text is a field of one line.
func text(name, label, value string, maxLength int) field {
	return field{Name: name, Label: label, Type: "text", Value: value, MaxLength: maxLength}
}

// newPassword are the two fields of a new password.
func newPassword() []field {
	return []field{
		{Name: "password1", Label: "New password", Type: "password", Autocomplete: "new-password", Required: true},
		{Name: "password2", Label: "New password, once more", Type: "password", Autocomplete: "new-password", Required: true},
	}
}

// fields is a form's inputs with what is wrong with them.
type fields []field

// blame puts messages at a field; it reports whether there is such a field.
func (f fields) blame(name string, messages ...string) bool {
	for i := range f {
		if f[i].Name == name {
			f[i].Errors = append(f[i].Errors, messages...)
			return true
		}
	}
	return false
}

// refuse shows what the database has against a user at its field; without one
// it returns the sentence for the form.
func (f fields) refuse(e *auth.RefusedError) (problem string) {
	if e.Field != "" && f.blame(e.Field, e.Problem) {
		return ""
	}
	return e.Problem
}

// Wrong reports whether anything is wrong.
func (f fields) Wrong() bool {
	return slices.ContainsFunc(f, func(one field) bool { return len(one.Errors) > 0 })
}

func (f fields) value(name string) string {
	for i := range f {
		if f[i].Name == name {
			return f[i].Value
		}
	}
	return ""
}

// ids are the numbers of a form's field that may come several times, sorted
// and each once. ok is false if anything else was sent, which no page of ours does.
func (v *visit) ids(name string) (ids []int64, ok bool) {
	ok = true
	for _, sent := range v.form[name] {
		id, err := strconv.ParseInt(sent, 10, 64)
		if err != nil || id <= 0 {
			ok = false
			continue
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), ok
}

// notOffered is what Django says of a choice that there is not, or no longer.
const notOffered = "Select a valid choice. That choice is not one of the available choices."

// notText says why a value that was sent can't be kept, "" if it can:
// PostgreSQL holds no NUL, and neither database should hold invalid UTF-8.
func notText(sent string) string {
	switch {
	case strings.ContainsRune(sent, 0):
		return "Null characters are not allowed."
	case !utf8.ValidString(sent):
		return "This is not valid UTF-8."
	}
	return ""
}

// query is the query of the request. What is no text finds nothing: a
// replacement character is put in its place.
func (v *visit) query() url.Values { return onlyText(v.Request.URL.Query()) }

func onlyText(query url.Values) url.Values {
	for _, values := range query {
		for i, value := range values {
			if notText(value) != "" {
				values[i] = strings.ReplaceAll(strings.ToValidUTF8(value, "\uFFFD"), "\x00", "\uFFFD")
			}
		}
	}
	return query
}

// line is a field of one line, without the spaces around it.
func (v *visit) line(name string) string { return strings.TrimSpace(v.form.Get(name)) }

// ticked reports whether a box was ticked.
func (v *visit) ticked(name string) bool { return v.form.Get(name) != "" }

// tick marks the choices whose ids are in the set.
func tick(choices []choice, ids []int64) {
	for i := range choices {
		choices[i].Checked = slices.Contains(ids, choices[i].ID)
	}
}
