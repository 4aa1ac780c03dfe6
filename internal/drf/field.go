package drf

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CharField describes one text field of a serializer, as rest_framework.fields.CharField. The zero value
// is the model's default: required, not blank, not null, trimmed, of any length.
//
// Numbers are taken for their text, as Python writes them; anything else that is no text is refused.
type CharField struct {
	Name       string
	Optional   bool // may be absent (required=False)
	AllowBlank bool // may be empty, and is then not checked further
	AllowNull  bool // may be null, and then counts as absent for Values.Get
	KeepSpace  bool // white space around the text stays (trim_whitespace=False)
	MaxLength  int  // in characters (Unicode code points); 0 is no limit
	MinLength  int  // in characters; 0 is no limit
	MaxBytes   int  // in bytes of UTF-8, which the model has no limit for; 0 is no limit

	// Validators run before the rules above that concern the length, like the validators of a model field.
	Validators []Validator

	// Unique is the message when the text is taken. It makes Serializer.Run ask, after Validators, whether
	// it is. A text that cannot be stored anyway (over MaxLength, or holding U+0000 or a surrogate) is not asked about.
	Unique string

	invalid string // message for a value that is no text; empty for CharField's own
	last    Validator
}

// Validator checks the text of a field. It returns what is wrong with it, or nothing when it is fine.
type Validator func(text string) string

// EmailField makes f an EmailField: its text must be an email address (see Email).
func EmailField(f CharField) CharField {
	f.invalid = emailMessage
	f.last = Email
	return f
}

// Taken reports whether a text is in use in a field that has to be unique. An error is passed on by
// Serializer.Run as it is.
type Taken func(field, text string) (bool, error)

// outcome is what a field makes of a value: a text, null, nothing at all, or messages.
type outcome struct {
	text     string
	kind     kind // kindText, kindNull or kindAbsent
	messages []string
}

func refused(messages ...string) (outcome, error) { return outcome{messages: messages}, nil }

// run does what get_value and run_validation of the model do.
func (f *CharField) run(v value, form bool, taken Taken) (outcome, error) {
	if form && v.kind == kindText && v.text == "" {
		v = f.emptyInput()
	}
	if f.isBlank(v) {
		if !f.AllowBlank {
			return refused("This field may not be blank.")
		}
		return outcome{kind: kindText}, nil
	}
	switch v.kind {
	case kindAbsent:
		if !f.Optional {
			return refused("This field is required.")
		}
		return outcome{kind: kindAbsent}, nil
	case kindNull:
		if !f.AllowNull {
			return refused("This field may not be null.")
		}
		return outcome{kind: kindNull}, nil
	case kindText, kindInt, kindFloat:
		return f.check(f.trim(v.text), v.surrogate, taken)
	}
	if f.invalid != "" {
		return refused(f.invalid)
	}
	return refused("Not a valid string.")
}

// emptyInput is what an empty text in a form stands for, which cannot say null or leave a field out.
func (f *CharField) emptyInput() value {
	switch {
	case f.AllowBlank, !f.Optional && !f.AllowNull:
		return value{kind: kindText}
	case f.AllowNull:
		return value{kind: kindNull}
	default:
		return value{kind: kindAbsent}
	}
}

func (f *CharField) isBlank(v value) bool {
	switch v.kind {
	case kindText:
		return f.trim(v.text) == ""
	case kindFile:
		return !f.KeepSpace && isBlank(v.text)
	}
	return false
}

func (f *CharField) trim(text string) string {
	if f.KeepSpace {
		return text
	}
	return strip(text)
}

// check runs all validators and gathers what they say, in the model's order.
func (f *CharField) check(text string, surrogate rune, taken Taken) (outcome, error) {
	var messages []string
	say := func(message string) {
		if message != "" {
			messages = append(messages, message)
		}
	}
	for _, validate := range f.Validators {
		say(validate(text))
	}
	length := utf8.RuneCountInString(text)
	tooLong := f.MaxLength > 0 && length > f.MaxLength
	hasNull := strings.Contains(text, "\x00")
	if f.Unique != "" && !tooLong && !hasNull && surrogate == 0 {
		found, err := taken(f.Name, text)
		if err != nil {
			return outcome{}, err
		}
		if found {
			say(f.Unique)
		}
	}
	if tooLong {
		say(fmt.Sprintf("Ensure this field has no more than %d characters.", f.MaxLength))
	}
	if length < f.MinLength {
		say(fmt.Sprintf("Ensure this field has at least %d characters.", f.MinLength))
	}
	if f.MaxBytes > 0 && len(text) > f.MaxBytes && !tooLong {
		say(fmt.Sprintf("Ensure this field has no more than %d characters.", f.MaxBytes))
	}
	if hasNull {
		say("Null characters are not allowed.")
	}
	if surrogate != 0 {
		say(fmt.Sprintf("Surrogate characters are not allowed: U+%X.", surrogate))
	}
	if f.last != nil {
		say(f.last(text))
	}
	return outcome{text: text, kind: kindText, messages: messages}, nil
}
