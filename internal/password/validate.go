package password

import (
	"strings"
)

// Attributes are what is known of the user whose password is judged. Empty
// ones don't count.
type Attributes struct {
	Username  string
	FirstName string
	LastName  string
	Email     string
}

// A Validator judges a password before it is hashed.
type Validator interface {
	// Validate returns what is wrong with the password, in Django's words, or
	// "" if nothing is.
	Validate(password string, who Attributes) (message string)
}

// Validators returns Django's four, in the order of the AUTH_PASSWORD_VALIDATORS
// that startproject writes. minLength counts characters; Django's is 8.
func Validators(minLength int) []Validator {
	return []Validator{
		attributeSimilarity{maxSimilarity: 0.7},
		minimumLength(minLength),
		common{},
		numeric{},
	}
}

// Validate returns the messages of all validators that refuse the password, in
// their order; none means that it is good.
func Validate(vs []Validator, password string, who Attributes) []string {
	var messages []string
	for _, v := range vs {
		if message := v.Validate(password, who); message != "" {
			messages = append(messages, message)
		}
	}
	return messages
}

// Weak is the error for a password that validators refuse.
type Weak struct {
	Messages []string // at least one, in Django's words
}

func (w *Weak) Error() string { return "weak password: " + strings.Join(w.Messages, " ") }
