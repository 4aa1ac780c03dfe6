package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
)

// userArgument is how a command names a user: by a name, or by an id, which is
// the only way if the name can't be read.
type userArgument struct{ id int64 }

func (a *userArgument) of(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&a.id, "id", 0, "the user with this id, instead of NAME")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("id") {
			return cobra.NoArgs(cmd, args)
		}
		return cobra.ExactArgs(1)(cmd, args)
	}
}

// find returns the user that was named.
func (a *userArgument) find(ctx context.Context, d *postern.Directory, args []string) (*postern.User, error) {
	if len(args) > 0 {
		u, err := d.User(ctx, args[0])
		if err != nil {
			return nil, about(args[0], err)
		}
		return u, nil
	}
	u, err := d.UserByID(ctx, a.id)
	if err != nil {
		return nil, about(fmt.Sprintf("id %d", a.id), err)
	}
	return u, nil
}

func (c *usersCommands) repairCommand() *cobra.Command {
	var who userArgument
	var with postern.Repair
	var joined string
	cmd := &cobra.Command{
		Use:   "repair NAME [flags]",
		Short: "Replace what can't be read of a user, so that it can log in",
		Long: "Replaces the values of a user's row in auth_user that can't be read, and no others. " +
			"\"postern users show\" names them. Texts become empty, a password unusable, the last login never, the date of joining now.",
	}
	who.of(cmd)
	flags := cmd.Flags()
	flags.StringVar(&with.Username, "username", "", "the name, if it can't be read")
	flags.StringVar(&with.Email, "email", "", "the e-mail address, if it can't be read")
	flags.StringVar(&joined, "joined", "", "the date of joining, if it can't be read, such as 2026-01-31")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if joined != "" {
			var err error
			if with.DateJoined, err = time.Parse(time.DateOnly, joined); err != nil {
				return &usageError{"--joined must be a date such as 2026-01-31"}
			}
		}
		return c.bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
			u, err := who.find(cmd.Context(), d, args)
			if err != nil {
				return err
			}
			return c.repair(cmd.Context(), d, u, with)
		})
	}
	return cmd
}

func (c *usersCommands) repair(ctx context.Context, d *postern.Directory, u *postern.User, with postern.Repair) error {
	repaired, err := d.RepairUser(ctx, u.ID, with)
	if errors.Is(err, postern.ErrNeedsUsername) {
		return &usageError{fmt.Sprintf("the username of the user with the id %d can't be read; give a new one with --username", u.ID)}
	}
	if err != nil {
		return about(u.Username, err)
	}
	line := fmt.Sprintf("User with id %d: repaired %s.", u.ID, strings.Join(repaired, ", "))
	if repaired == nil {
		repaired, line = []string{}, fmt.Sprintf("User with id %d: nothing to repair.", u.ID)
	}
	return c.report(c.asJSON, map[string]any{"id": u.ID, "repaired": repaired}, line)
}
