package auth

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// RefusedError says that the database has a rule of its own, such as a unique
// index or a check that somebody added to auth_user, which a user breaks; or
// that its encoding lacks a character of a user or of a group.
type RefusedError struct {
	// Field is the field of the user that breaks it: "username", "email",
	// "first_name" or "last_name", of a group "name"; "" if it is none of them,
	// or unknown.
	Field string
	// Problem is a sentence for who filled in the field.
	Problem string
	// Rule names the constraint, the column or the trigger, for operators.
	Rule string
}

func (e *RefusedError) Error() string {
	if e.Field == "" {
		return "the database refuses this user, by " + e.Rule
	}
	return e.Field + ": " + e.Problem
}

// A Rule is what a database has against a row of auth_user.
type Rule struct {
	Name    string   // of the constraint, the column or the trigger
	Columns []string // that it is about, as far as they are known
	Unique  bool     // there is another row with the same values
}

// fieldLabels are Django's names of the fields that people fill in.
var fieldLabels = []struct{ field, label string }{
	{"username", "username"}, {"email", "email address"}, {"first_name", "first name"}, {"last_name", "last name"},
}

// RefusedBy is the error for a user that breaks a rule: ErrUsernameTaken or a
// *RefusedError.
func RefusedBy(r Rule) error {
	for _, f := range fieldLabels {
		switch {
		case !slices.Contains(r.Columns, f.field):
		case r.Unique && f.field == "username":
			return ErrUsernameTaken
		case r.Unique:
			return &RefusedError{Field: f.field, Problem: "user with this " + f.label + " already exists.", Rule: r.Name}
		default:
			return &RefusedError{Field: f.field, Problem: "The database does not accept this value.", Rule: r.Name}
		}
	}
	return &RefusedError{Problem: "The database does not accept this user. Its operator finds the reason in the log.", Rule: r.Name}
}

// RefusedLength is the error for a user one of whose fields is longer than its
// column; limits are the columns' lengths in characters.
func RefusedLength(values, limits map[string]int) error {
	for _, f := range fieldLabels {
		if limit, ok := limits[f.field]; ok && values[f.field] > limit {
			return &RefusedError{Field: f.field, Problem: "Ensure this field has no more than " + strconv.Itoa(limit) + " characters.", Rule: f.field}
		}
	}
	return RefusedBy(Rule{Name: "the length of a column"})
}

// RefusedEncoding is the error for a field with a character that the database's
// encoding lacks.
func RefusedEncoding(field string) error {
	return &RefusedError{Field: field, Problem: "Characters that the database cannot store are not allowed.", Rule: "the encoding of the database"}
}

// Lengths are how long the fields of a user are, in characters.
func (u *User) Lengths() map[string]int {
	return map[string]int{
		"username": utf8.RuneCountInString(u.Username), "email": utf8.RuneCountInString(u.Email),
		"first_name": utf8.RuneCountInString(u.FirstName), "last_name": utf8.RuneCountInString(u.LastName),
	}
}

// Lengths are how long the fields are that it changes, in characters.
func (e *UserEdit) Lengths() map[string]int {
	lengths := map[string]int{}
	for field, value := range map[string]*string{"username": e.Username, "email": e.Email, "first_name": e.FirstName, "last_name": e.LastName} {
		if value != nil {
			lengths[field] = utf8.RuneCountInString(*value)
		}
	}
	return lengths
}

// refusedEvery is how often a rule of the database is logged.
const refusedEvery = time.Minute

// noteRefusal logs a rule of the database that no field explains: people
// can't do anything about it, an operator can.
func (r *Realm) noteRefusal(ctx context.Context, err error) error {
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || refused.Field != "" {
		return err
	}
	if ok, skipped := r.refusals.Allow(refused.Rule); ok {
		r.log.LogAttrs(ctx, slog.LevelWarn, "a rule that was added to auth_user refuses new or changed users; drop it, or give its column a default",
			slog.String("rule", refused.Rule), slog.Int("more since the last line", skipped))
	}
	return err
}
