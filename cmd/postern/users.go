package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
)

// userJSON is a user for programs.
type userJSON struct {
	ID             int64      `json:"id"`
	Username       string     `json:"username"`
	Email          string     `json:"email"`
	FirstName      string     `json:"first_name"`
	LastName       string     `json:"last_name"`
	IsActive       bool       `json:"is_active"`
	IsStaff        bool       `json:"is_staff"`
	IsSuperuser    bool       `json:"is_superuser"`
	LastLogin      *time.Time `json:"last_login"`
	DateJoined     *time.Time `json:"date_joined"`
	PasswordHasher string     `json:"password_hasher"`
	Unreadable     []string   `json:"unreadable,omitempty"`
}

func userForPrograms(u *postern.User) userJSON {
	return userJSON{
		ID: u.ID, Username: u.Username, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName,
		IsActive: u.IsActive, IsStaff: u.IsStaff, IsSuperuser: u.IsSuperuser,
		LastLogin: orNull(u.LastLogin), DateJoined: orNull(u.DateJoined), PasswordHasher: u.PasswordHasher, Unreadable: u.Unreadable,
	}
}

// usersCommands is what the commands below "postern users" share.
type usersCommands struct {
	*program
	bound  *bound
	asJSON bool
}

func (p *program) usersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "users",
		GroupID: groupAdmin,
		Short:   "List, show, activate, deactivate, delete and repair users",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c := &usersCommands{program: p}
	c.bound = p.bind(cmd, forDatabase, nil)
	jsonFlag(cmd, &c.asJSON)
	cmd.AddCommand(
		c.listCommand(), c.showCommand(),
		c.activeCommand("activate", "Let a user in", true),
		c.activeCommand("deactivate", "Shut a user out and end its sessions", false),
		c.deleteCommand(), c.repairCommand(),
	)
	return cmd
}

func (c *usersCommands) listCommand() *cobra.Command {
	var q postern.UserQuery
	var active, inactive bool
	var after int64
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List users, in the order of their ids",
		Args:  cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Search, "search", "", "only those with this in the username or the e-mail address")
	flags.BoolVar(&active, "active", false, "only those who may log in")
	flags.BoolVar(&inactive, "inactive", false, "only those who may not")
	flags.Int64Var(&after, "after", 0, "only ids above this one: the next page")
	flags.IntVar(&q.Limit, "limit", 100, "at most so many")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := errors.Join(exclusive(cmd, "active", "inactive"), checkLimit(q.Limit)); err != nil {
			return err
		}
		if active || inactive {
			q.Active = &active
		}
		if cmd.Flags().Changed("after") {
			q.After = &after
		}
		return c.bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
			return c.list(cmd.Context(), d, q)
		})
	}
	return cmd
}

func (c *usersCommands) list(ctx context.Context, d *postern.Directory, q postern.UserQuery) error {
	limit := q.Limit
	q.Limit++
	users, err := d.Users(ctx, q)
	if err != nil {
		return err
	}
	if len(users) > limit {
		users = users[:limit]
		fmt.Fprintf(c.stderr, "postern: there are more; go on with --after %d\n", users[limit-1].ID)
	}
	for i := range users {
		if u := &users[i]; u.Unreadable != nil {
			fmt.Fprintln(c.stderr, "postern: "+unreadable(u))
		}
	}
	if c.asJSON {
		list := make([]userJSON, len(users))
		for i := range users {
			list[i] = userForPrograms(&users[i])
		}
		return printJSON(c.stdout, list)
	}
	now := time.Now()
	rows := [][]string{{"ID", "USERNAME", "EMAIL", "ACTIVE", "STAFF", "SUPERUSER", "LAST LOGIN", "JOINED"}}
	for i := range users {
		u := &users[i]
		rows = append(rows, []string{
			strconv.FormatInt(u.ID, 10), u.Username, u.Email, yesNo(u.IsActive), yesNo(u.IsStaff), yesNo(u.IsSuperuser),
			relative(u.LastLogin, now), relative(u.DateJoined, now),
		})
	}
	return columns(c.stdout, rows...)
}

// unreadable says what can't be read of a user.
func unreadable(u *postern.User) string {
	return fmt.Sprintf("auth_user, id %d: unreadable %s; the user cannot log in; fix: postern users repair --id %d", u.ID, strings.Join(u.Unreadable, ", "), u.ID)
}

func (c *usersCommands) showCommand() *cobra.Command {
	var who userArgument
	cmd := &cobra.Command{Use: "show NAME [flags]", Short: "Show a user"}
	who.of(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
			u, err := who.find(cmd.Context(), d, args)
			if err != nil {
				return err
			}
			return c.show(u)
		})
	}
	return cmd
}

func (c *usersCommands) show(u *postern.User) error {
	if c.asJSON {
		return printJSON(c.stdout, userForPrograms(u))
	}
	now := time.Now()
	rows := [][]string{
		{"id", strconv.FormatInt(u.ID, 10)},
		{"username", u.Username},
		{"email", u.Email},
		{"first name", u.FirstName},
		{"last name", u.LastName},
		{"active", yesNo(u.IsActive)},
		{"staff", yesNo(u.IsStaff)},
		{"superuser", yesNo(u.IsSuperuser)},
		{"last login", moment(u.LastLogin, now)},
		{"joined", moment(u.DateJoined, now)},
		{"password", u.PasswordHasher},
	}
	if u.Unreadable != nil {
		rows = append(rows, []string{"unreadable", strings.Join(u.Unreadable, ", ") + fmt.Sprintf(" (cannot log in; fix: postern users repair --id %d)", u.ID)})
	}
	return columns(c.stdout, rows...)
}

func (c *usersCommands) activeCommand(verb, short string, active bool) *cobra.Command {
	var who userArgument
	cmd := &cobra.Command{Use: verb + " NAME [flags]", Short: short}
	who.of(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
			u, err := who.find(cmd.Context(), d, args)
			if err != nil {
				return err
			}
			if err := d.SetActiveByID(cmd.Context(), u.ID, active); err != nil {
				return about(u.Username, err)
			}
			return c.report(c.asJSON, map[string]any{"username": u.Username, "is_active": active},
				fmt.Sprintf("User '%s' %sd.", printable(u.Username), verb))
		})
	}
	return cmd
}

func (c *usersCommands) deleteCommand() *cobra.Command {
	var yes bool
	var who userArgument
	cmd := &cobra.Command{Use: "delete NAME [flags]", Short: "Delete a user and its sessions"}
	who.of(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !yes && !c.interactive() {
			return &usageError{"there is no terminal to ask at; give --yes"}
		}
		return c.bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
			u, err := who.find(cmd.Context(), d, args)
			if err != nil {
				return err
			}
			return c.delete(cmd.Context(), d, u, yes)
		})
	}
	return cmd
}

func (c *usersCommands) delete(ctx context.Context, d *postern.Directory, u *postern.User, yes bool) (err error) {
	if !yes {
		yes, err = c.terminal().confirm(ctx, fmt.Sprintf("Delete user '%s' (id %d, e-mail %s) for good?", printable(u.Username), u.ID, printable(u.Email)))
		if err != nil {
			return err
		}
		if !yes {
			return errCancelled
		}
	}
	if err := d.DeleteUserByID(ctx, u.ID); err != nil {
		return about(u.Username, err)
	}
	return c.report(c.asJSON, map[string]any{"username": u.Username, "deleted": true},
		fmt.Sprintf("User '%s' deleted.", printable(u.Username)))
}
