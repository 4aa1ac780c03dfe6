package drf

import (
	"errors"
	"fmt"
	"io"
)

// NonFieldErrors is the name under which errors stand that belong to no field.
const NonFieldErrors = "non_field_errors"

// Serializer is a table of the fields a body is checked against, in the order of its errors.
// It is not changed by use, so one may serve all requests.
type Serializer []CharField

// Run checks the fields of a body, all of them, whatever is wrong with the others. Fields that the
// serializer does not know are ignored. Taken is asked about fields with Unique; it may be nil when
// there are none.
//
// Errors is nil when all is well, and Values is empty when it is not. The error is one of taken's.
func (s Serializer) Run(d Data, taken Taken) (Values, Errors, error) {
	switch d.top {
	case kindDict:
	case kindNull:
		return Values{}, Errors{{NonFieldErrors, []string{"No data provided"}}}, nil
	default:
		message := fmt.Sprintf("Invalid data. Expected a dictionary, but got %s.", kindNames[d.top])
		return Values{}, Errors{{NonFieldErrors, []string{message}}}, nil
	}
	if taken == nil {
		taken = noTaken
	}
	values := Values{make([]member, 0, len(s))}
	var errs Errors
	for i := range s {
		f := &s[i]
		o, err := f.run(d.lookup(f.Name), d.inputs, taken)
		if err != nil {
			return Values{}, nil, err
		}
		if o.messages != nil {
			errs = append(errs, FieldError{f.Name, o.messages})
			continue
		}
		if o.kind != kindAbsent {
			values.members = append(values.members, member{f.Name, value{kind: o.kind, text: o.text}})
		}
	}
	if errs != nil {
		return Values{}, errs, nil
	}
	return values, nil, nil
}

func noTaken(field, _ string) (bool, error) {
	return false, errors.New("drf: field " + field + " is unique, but nothing was given to ask")
}

// Values are the checked texts of a body. They may be passwords, so they do not print.
type Values struct{ members []member }

// Get returns the text of a field: empty when the field was absent or null.
func (v Values) Get(field string) string {
	for i := range v.members {
		if v.members[i].name == field {
			return v.members[i].value.text
		}
	}
	return ""
}

// Has reports whether the field was in the body, be it blank or null.
func (v Values) Has(field string) bool {
	for i := range v.members {
		if v.members[i].name == field {
			return true
		}
	}
	return false
}

// Format prints the type under every verb, and nothing of the values.
func (v Values) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, "drf.Values")
}

// Errors are the messages of fields, in the order of the serializer. Render writes them as an object:
// {"field":["message", …], …}.
type Errors []FieldError

// FieldError holds the messages of one field.
type FieldError struct {
	Field    string
	Messages []string
}

// Object returns the body of the answer, which goes with status 400.
func (e Errors) Object() Object {
	o := make(Object, len(e))
	for i, f := range e {
		o[i] = Member{f.Field, f.Messages}
	}
	return o
}
