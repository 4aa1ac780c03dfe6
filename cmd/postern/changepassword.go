package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
)

// passwordTries is how many weak passwords changepassword listens to.
const passwordTries = 3

func (p *program) changePasswordCommand() *cobra.Command {
	var noInput, asJSON bool
	cmd := &cobra.Command{
		Use:     "changepassword NAME [flags]",
		GroupID: groupAdmin,
		Short:   "Give a user a new password and end its sessions",
		Long: "Give a user a new password and end its sessions. The password is asked for, or with\n" +
			"--no-input taken from POSTERN_NEW_PASSWORD.",
		Args: cobra.ExactArgs(1),
	}
	b := p.bind(cmd, forDatabase|forPasswords, nil)
	cmd.Flags().BoolVar(&noInput, "no-input", false, "ask nothing")
	jsonFlag(cmd, &asJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, plain := args[0], p.getenv(envNewPassword)
		switch {
		case noInput && plain == "":
			return &usageError{envNewPassword + " is needed with --no-input"}
		case !noInput && !p.interactive():
			return &usageError{"there is no terminal to ask at; give --no-input and " + envNewPassword}
		}
		return b.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
			u, err := d.User(cmd.Context(), name)
			if err != nil {
				return about(name, err)
			}
			if noInput {
				err = d.SetPassword(cmd.Context(), name, plain)
			} else {
				err = p.askAndSetPassword(cmd.Context(), d, u.Username)
			}
			if err != nil {
				return about(name, err)
			}
			return p.report(asJSON, map[string]any{"username": u.Username, "password_changed": true},
				fmt.Sprintf("Password changed successfully for user '%s'.", printable(u.Username)))
		})
	}
	return cmd
}

func (p *program) askAndSetPassword(ctx context.Context, d *postern.Directory, name string) error {
	t := p.terminal()
	fmt.Fprintf(t.out, "Changing password for user '%s'\n", printable(name))
	for try := 1; ; try++ {
		plain, err := t.askNewPassword(ctx)
		if err != nil {
			return err
		}
		err = d.SetPassword(ctx, name, plain)
		if !isWeak(err) && !isInvalid(err, "password") {
			return err
		}
		printWeak(t, err)
		refused(t, err)
		if try == passwordTries {
			return fmt.Errorf("the password is as it was: %d attempts were refused", passwordTries)
		}
	}
}

// about says which user an error is about. Of an error that is known the
// steps that led to it are left out.
func about(name string, err error) error {
	for _, known := range []error{postern.ErrNoUser, postern.ErrUsernameTaken, postern.ErrUserInUse, postern.ErrLastSuperuser} {
		if errors.Is(err, known) {
			err = known
		}
	}
	remain, ok := errors.AsType[*postern.SessionsRemainError](err)
	switch {
	case ok && remain.Deleted:
		return fmt.Errorf("user %q: %w; they are no longer valid and will expire there", name, remain)
	case ok:
		return fmt.Errorf("user %q: %w; when it can be reached, run \"postern sessions revoke-all %s\", above all before the user is activated again", name, remain, printable(name))
	}
	return fmt.Errorf("user %q: %w", name, err)
}
