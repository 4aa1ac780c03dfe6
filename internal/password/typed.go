package password

import (
	"strings"
	"unicode/utf8"
)

// MaxBytes is the longest password, in bytes of UTF-8: what is longer is
// refused before any hashing.
const MaxBytes = 4096

// Trim removes the white space around a password, as the serializers of the
// API's model do before they hash or verify one (rest_framework.fields.CharField
// with trim_whitespace, which is str.strip). A password that was set with it
// could never be entered at the API.
func Trim(typed string) string { return strip(typed) }

// AsTyped returns the passwords that a person may have meant, in the order in
// which to try them: without the white space around it, as all passwords are
// stored here, and as it was typed, for Django's own createsuperuser and admin
// site keep the white space. They are one, unless there is such space; how many
// there are depends on what was typed alone.
func AsTyped(typed string) []string {
	trimmed := Trim(typed)
	if trimmed == typed || trimmed == "" {
		return []string{typed}
	}
	return []string{trimmed, typed}
}

// Invalid says why a text can't be anybody's password, whatever the validators
// say: nobody could log in with it at the API.
type Invalid struct{ Problem string } // a sentence, in the words of the API

func (e *Invalid) Error() string { return "password: " + e.Problem }

// CheckText returns an *Invalid if a new password, trimmed, can't be one.
func CheckText(plain string) error {
	switch {
	case plain == "":
		return &Invalid{"This field may not be blank."}
	case len(plain) > MaxBytes:
		return &Invalid{"Ensure this field has no more than 4096 characters."}
	case strings.ContainsRune(plain, 0):
		return &Invalid{"Null characters are not allowed."}
	case !utf8.ValidString(plain):
		return &Invalid{"This is not valid UTF-8."}
	}
	return nil
}
