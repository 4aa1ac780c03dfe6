package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
)

// superuser is a user who may do everything, in the making.
type superuser struct {
	program   *program
	directory *postern.Directory
	config    postern.Config
	wanted    postern.NewUser
	hasEmail  bool
	// lenient lets a weak password pass.
	lenient bool
	// askedName: a person gave the name, and may give another.
	askedName bool
}

func (p *program) createSuperuserCommand() *cobra.Command {
	var noInput, allowWeak, asJSON bool
	var username, email string
	cmd := &cobra.Command{
		Use:     "createsuperuser [flags]",
		GroupID: groupAdmin,
		Short:   "Create a user who may do everything",
		Long: "Create a user who may do everything. What is not given is asked for.\n\n" +
			"With --no-input nothing is asked: the name and the e-mail address come from flags,\n" +
			"POSTERN_SUPERUSER_USERNAME and POSTERN_SUPERUSER_EMAIL, the password from\n" +
			"POSTERN_SUPERUSER_PASSWORD. Django's DJANGO_SUPERUSER_… count too.",
		Args: cobra.NoArgs,
	}
	b := p.bind(cmd, forDatabase|forPasswords, nil)
	flags := cmd.Flags()
	flags.StringVar(&username, "username", "", "name to log in with")
	flags.StringVar(&email, "email", "", "e-mail address")
	flags.BoolVar(&noInput, "no-input", false, "ask nothing")
	flags.BoolVar(&allowWeak, "allow-weak-password", false, "let a weak password pass")
	jsonFlag(cmd, &asJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		wanted := postern.NewUser{Username: username, Email: email, IsStaff: true, IsSuperuser: true}
		if noInput {
			if err := p.fromEnvironment(&wanted); err != nil {
				return err
			}
		} else if !p.interactive() {
			return &usageError{"there is no terminal to ask at; give --no-input"}
		}
		return b.administer(cmd.Context(), func(d *postern.Directory, r *resolved) error {
			s := &superuser{
				program: p, directory: d, config: r.config, wanted: wanted,
				hasEmail: wanted.Email != "", lenient: allowWeak,
			}
			make := s.converse
			if noInput {
				make = s.create
			}
			created, err := make(cmd.Context())
			switch {
			case noInput && isWeak(err):
				return fmt.Errorf("%w (--allow-weak-password lets it pass)", err)
			case errors.Is(err, postern.ErrUsernameTaken):
				return about(s.wanted.Username, err)
			case err != nil:
				return err
			}
			return p.report(asJSON, userForPrograms(created), "Superuser created successfully.")
		})
	}
	return cmd
}

// fromEnvironment completes what the flags left open.
func (p *program) fromEnvironment(n *postern.NewUser) error {
	if n.Username == "" {
		n.Username = p.getenv(envSuperuserUsername, "DJANGO_SUPERUSER_USERNAME")
	}
	if n.Email == "" {
		n.Email = p.getenv(envSuperuserEmail, "DJANGO_SUPERUSER_EMAIL")
	}
	n.Password = p.getenv(envSuperuserPassword, "DJANGO_SUPERUSER_PASSWORD")
	var mistakes []error
	if n.Username == "" {
		mistakes = append(mistakes, &usageError{"--username or " + envSuperuserUsername + " is needed with --no-input"})
	}
	if n.Password == "" {
		mistakes = append(mistakes, &usageError{envSuperuserPassword + " is needed with --no-input"})
	}
	return errors.Join(mistakes...)
}

// converse asks for what is missing, and again for what is refused.
func (s *superuser) converse(ctx context.Context) (*postern.User, error) {
	if err := s.validateGiven(); err != nil {
		return nil, err
	}
	for {
		if err := s.ask(ctx); err != nil {
			return nil, err
		}
		created, err := s.create(ctx)
		if err == nil {
			return created, nil
		}
		if err := s.reconsider(ctx, err); err != nil {
			return nil, err
		}
	}
}

// validateGiven looks at what the flags say, before anything is asked.
func (s *superuser) validateGiven() error {
	var name error
	if s.wanted.Username != "" {
		name = postern.ValidateUsername(s.wanted.Username)
	}
	return errors.Join(name, postern.ValidateEmail(s.wanted.Email))
}

func (s *superuser) ask(ctx context.Context) (err error) {
	if s.wanted.Username == "" {
		if err := s.askUsername(ctx); err != nil {
			return err
		}
	}
	if !s.hasEmail {
		if err := s.askEmail(ctx); err != nil {
			return err
		}
	}
	if s.wanted.Password == "" {
		s.wanted.Password, err = s.program.terminal().askNewPassword(ctx)
	}
	return err
}

// reconsider tells what was refused and forgets it, so that it is asked for
// again; or it returns err, when asking again would not help.
func (s *superuser) reconsider(ctx context.Context, err error) error {
	t := s.program.terminal()
	switch {
	case isWeak(err):
		printWeak(t, err)
		bypass, err := t.confirm(ctx, "Bypass password validation and create user anyway?")
		if s.lenient = bypass; !bypass {
			s.wanted.Password = ""
		}
		return err
	case isInvalid(err, "password"):
		refused(t, err)
		s.wanted.Password = ""
	case errors.Is(err, postern.ErrUsernameTaken) && s.askedName:
		fmt.Fprintln(t.out, "Error: That username is already taken.")
		s.wanted.Username = ""
	default:
		return err
	}
	return nil
}

// askUsername asks until a name comes that nobody has.
func (s *superuser) askUsername(ctx context.Context) error {
	t := s.program.terminal()
	s.askedName = true
	preset := s.systemUsername(ctx)
	question := "Username: "
	if preset != "" {
		question = fmt.Sprintf("Username (leave blank to use '%s'): ", preset)
	}
	for {
		name, err := t.ask(ctx, question)
		if err != nil {
			return err
		}
		if name = strings.TrimSpace(name); name == "" {
			name = preset
		}
		if name == "" {
			fmt.Fprintln(t.out, "Error: This field cannot be blank.")
			continue
		}
		if refused(t, postern.ValidateUsername(name)) {
			continue
		}
		free, err := s.isFree(ctx, name)
		if err != nil {
			return err
		}
		if free {
			s.wanted.Username = name
			return nil
		}
		fmt.Fprintln(t.out, "Error: That username is already taken.")
	}
}

func (s *superuser) isFree(ctx context.Context, name string) (bool, error) {
	_, err := s.directory.User(ctx, name)
	if errors.Is(err, postern.ErrNoUser) {
		return true, nil
	}
	return false, err
}

// systemUsername is the name of who runs this, as Django proposes it: in
// lower case without spaces; "" when it is taken.
func (s *superuser) systemUsername(ctx context.Context) string {
	current, err := user.Current()
	if err != nil {
		return ""
	}
	name := current.Username[strings.LastIndexByte(current.Username, '\\')+1:] // DOMAIN\name on Windows
	name = strings.ToLower(strings.ReplaceAll(name, " ", ""))
	if free, err := s.isFree(ctx, name); err != nil || !free {
		return ""
	}
	return name
}

func (s *superuser) askEmail(ctx context.Context) error {
	t := s.program.terminal()
	for {
		email, err := t.ask(ctx, "Email address: ")
		if err != nil {
			return err
		}
		if email = strings.TrimSpace(email); !refused(t, postern.ValidateEmail(email)) {
			s.wanted.Email, s.hasEmail = email, true
			return nil
		}
	}
}

// refused tells what is wrong with an answer.
func refused(t terminal, err error) bool {
	var invalid *postern.InvalidFieldError
	if errors.As(err, &invalid) {
		fmt.Fprintln(t.out, "Error: "+invalid.Problem)
	}
	return err != nil
}

// create makes the user, when lenient through a directory whose validators
// only warn.
func (s *superuser) create(ctx context.Context) (_ *postern.User, err error) {
	if !s.lenient {
		return s.directory.CreateUser(ctx, s.wanted)
	}
	config := s.config
	config.Passwords.WarnOnly = true
	d, err := postern.OpenDirectory(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.CreateUser(ctx, s.wanted)
}

// isInvalid reports whether that field was refused.
func isInvalid(err error, field string) bool {
	var invalid *postern.InvalidFieldError
	return errors.As(err, &invalid) && invalid.Field == field
}

func isWeak(err error) bool {
	var weak *postern.WeakPasswordError
	return errors.As(err, &weak)
}

// printWeak shows the validators' messages, one a line.
func printWeak(t terminal, err error) {
	var weak *postern.WeakPasswordError
	if errors.As(err, &weak) {
		fmt.Fprintln(t.out, strings.Join(weak.Messages, "\n"))
	}
}
