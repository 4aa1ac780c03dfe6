package admin

import (
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/password"
)

// checkFields judges the fields of a user that have rules of their own.
func (a *Admin) checkFields(f fields) {
	for i := range f {
		one := &f[i]
		switch {
		case one.Disabled:
			continue
		case notText(one.Value) != "":
			one.Errors = append(one.Errors, notText(one.Value))
		case one.Required && one.Value == "" && one.Type != "password":
			one.Errors = append(one.Errors, "This field is required.")
		case one.MaxLength > 0 && utf8.RuneCountInString(one.Value) > one.MaxLength:
			one.Errors = append(one.Errors, "This is too long.")
		case one.Name == "username":
			one.Errors = append(one.Errors, problems(a.UsernameProblem(one.Value))...)
		case one.Name == "email" && one.Value != "":
			one.Errors = append(one.Errors, problems(a.EmailProblem(one.Value))...)
		}
	}
}

func problems(problem string) []string {
	if problem == "" {
		return nil
	}
	return []string{problem}
}

// readNewPassword reads the two fields of a new password, without the white
// space around it, and blames what is wrong. Passwords never go back into a page.
func (a *Admin) readNewPassword(v *visit, f fields, required bool) string {
	typed := v.form.Get("password1")
	plain := password.Trim(typed)
	switch {
	case typed == "" && required:
		f.blame("password1", "This field is required.")
	case typed != "" && plain == "":
		f.blame("password1", "This field may not be blank.")
	case len(plain) > password.MaxBytes:
		f.blame("password1", "This is too long.")
	case notText(plain) != "":
		f.blame("password1", notText(plain))
	case plain != password.Trim(v.form.Get("password2")):
		f.blame("password2", "The two passwords are not the same.")
	}
	return plain
}

// passwordForm is the page that sets a user's password.
type passwordForm struct {
	Card    *auth.UserCard
	Hasher  string
	Usable  bool
	Fields  fields
	Confirm *field
	Problem string
}

// Wrong reports whether what was sent has to be corrected.
func (f *passwordForm) Wrong() bool { return f.Fields.Wrong() || f.Confirm.wrong() }

func (a *Admin) passwordForm(v *visit) (*passwordForm, error) {
	card, err := v.steward.User(v.Request.Context(), v.id)
	if err != nil {
		return nil, err
	}
	if !v.steward.MaySetPassword(&card.User) {
		return nil, errForbidden
	}
	return &passwordForm{
		Card: card, Hasher: password.Describe(card.Password), Usable: password.Usable(card.Password),
		Fields: newPassword(), Confirm: a.confirmation(v),
	}, nil
}

func (a *Admin) passwordPage(v *visit) error {
	f, err := a.passwordForm(v)
	if err != nil {
		return err
	}
	return a.show(v, http.StatusOK, "password", "Set a password", f)
}

func (a *Admin) setPassword(v *visit) error {
	f, err := a.passwordForm(v)
	if err != nil {
		return err
	}
	disable := v.form.Get("action") == "disable"
	plain := ""
	if !disable {
		plain = a.readNewPassword(v, f.Fields, true)
	}
	if !f.Fields.Wrong() {
		if f.Confirm, err = a.confirm(v); err != nil {
			return err
		}
	}
	if f.Fields.Wrong() || f.Confirm != nil {
		return a.show(v, v.refusedStatus(), "password", "Set a password", f)
	}
	err = v.steward.SetPassword(a.actor(v), v.Address, v.id, plain)
	var weak *password.Weak
	if errors.As(err, &weak) {
		f.Fields.blame("password1", weak.Messages...)
		return a.show(v, http.StatusUnprocessableEntity, "password", "Set a password", f)
	}
	if f.Problem = a.ruleBroken(v, err); f.Problem != "" {
		return a.show(v, http.StatusConflict, "password", "Set a password", f)
	}
	if err != nil {
		return err
	}
	if disable {
		return v.done(userPath(v.id, "change"), "no-password")
	}
	return v.done(userPath(v.id, "change"), "password")
}

func ownPasswordFields() fields {
	old := field{Name: "old_password", Label: "Your password so far", Type: "password", Autocomplete: "current-password", Required: true}
	return append(fields{old}, newPassword()...)
}

func (a *Admin) ownPasswordPage(v *visit) error {
	return a.show(v, http.StatusOK, "own_password", "Change your password", ownPasswordFields())
}

// ownPassword changes the viewer's own password. All its sessions end; this
// browser gets a new one.
func (a *Admin) ownPassword(v *visit) error {
	f := ownPasswordFields()
	plain := a.readNewPassword(v, f, true)
	if old := v.form.Get("old_password"); old == "" {
		f.blame("old_password", "This field is required.")
	} else if !f.Wrong() {
		problem, err := a.reauthenticate(v, old)
		if err != nil {
			return err
		}
		if problem != "" {
			f.blame("old_password", problem)
		}
	}
	if f.Wrong() {
		return a.show(v, v.refusedStatus(), "own_password", "Change your password", f)
	}
	opened, err := v.steward.ChangeOwnPassword(a.actor(v), auth.Visit{Address: v.Address, UserAgent: v.Request.UserAgent()}, plain)
	var weak *password.Weak
	if errors.As(err, &weak) {
		f.blame("password1", weak.Messages...)
		return a.show(v, v.refusedStatus(), "own_password", "Change your password", f)
	}
	if err != nil {
		return err
	}
	a.open(v, opened)
	return v.done(Root, "own")
}
