package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
)

// sessionJSON is a session for programs.
type sessionJSON struct {
	ID        string     `json:"id"`
	UserID    int64      `json:"user_id"`
	Username  *string    `json:"username"` // null when the user is gone
	Created   *time.Time `json:"created"`
	LastSeen  *time.Time `json:"last_seen"`
	Expires   *time.Time `json:"expires"`
	Address   *string    `json:"address"`
	UserAgent string     `json:"user_agent"`
}

// shownID is how many digits of a session's id people see: enough to revoke it.
const shownID = 12

// sessionsCommands is what the commands below "postern sessions" share.
type sessionsCommands struct {
	*program
	bound  *bound
	asJSON bool
}

func (p *program) sessionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "sessions",
		GroupID: groupAdmin,
		Short:   "List sessions, end one or all of a user, clear the expired",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c := &sessionsCommands{program: p}
	c.bound = p.bind(cmd, forDatabase|forSessions, nil)
	jsonFlag(cmd, &c.asJSON)
	cmd.AddCommand(c.listCommand(), c.revokeCommand(), c.revokeAllCommand(), c.clearExpiredCommand())
	return cmd
}

func (c *sessionsCommands) listCommand() *cobra.Command {
	var q postern.SessionQuery
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List live sessions, newest first",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().StringVar(&q.Username, "user", "", "only those of this user")
	cmd.Flags().IntVar(&q.Limit, "limit", 100, "at most so many")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(q.Limit); err != nil {
			return err
		}
		return c.bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
			return c.list(cmd.Context(), d, q)
		})
	}
	return cmd
}

func (c *sessionsCommands) list(ctx context.Context, d *postern.Directory, q postern.SessionQuery) error {
	limit := q.Limit
	q.Limit++
	sessions, err := d.Sessions(ctx, q)
	if err != nil {
		if errors.Is(err, postern.ErrNoUser) {
			return about(q.Username, err)
		}
		return err
	}
	if len(sessions) > limit {
		sessions = sessions[:limit]
		fmt.Fprintf(c.stderr, "postern: there are more; see them with a higher --limit\n")
	}
	names, err := usernames(ctx, d, sessions)
	if err != nil {
		return err
	}
	if c.asJSON {
		list := make([]sessionJSON, len(sessions))
		for i := range sessions {
			list[i] = sessionForPrograms(&sessions[i], names)
		}
		return printJSON(c.stdout, list)
	}
	now := time.Now()
	rows := [][]string{{"ID", "USER", "STARTED", "LAST SEEN", "EXPIRES", "ADDRESS", "USER AGENT"}}
	for i := range sessions {
		s := &sessions[i]
		rows = append(rows, []string{
			s.ID[:min(shownID, len(s.ID))], nameOrID(names, s.UserID),
			relative(s.Created, now), relative(s.LastSeen, now), relative(s.Expires, now), addressOf(s), s.UserAgent,
		})
	}
	return columns(c.stdout, rows...)
}

// usernames finds the names of the sessions' users.
func usernames(ctx context.Context, d *postern.Directory, sessions []postern.Session) (map[int64]string, error) {
	names := map[int64]string{}
	asked := map[int64]bool{}
	for i := range sessions {
		id := sessions[i].UserID
		if asked[id] {
			continue
		}
		asked[id] = true
		u, err := d.UserByID(ctx, id)
		switch {
		case err == nil:
			names[id] = u.Username
		case !errors.Is(err, postern.ErrNoUser):
			return nil, err
		}
	}
	return names, nil
}

func nameOrID(names map[int64]string, id int64) string {
	if name, ok := names[id]; ok {
		return name
	}
	return "#" + strconv.FormatInt(id, 10)
}

func addressOf(s *postern.Session) string {
	if !s.Address.IsValid() {
		return "unknown"
	}
	return s.Address.String()
}

func sessionForPrograms(s *postern.Session, names map[int64]string) sessionJSON {
	j := sessionJSON{
		ID: s.ID, UserID: s.UserID, Created: orNull(s.Created), LastSeen: orNull(s.LastSeen), Expires: orNull(s.Expires),
		UserAgent: s.UserAgent,
	}
	if name, ok := names[s.UserID]; ok {
		j.Username = &name
	}
	if s.Address.IsValid() {
		address := s.Address.String()
		j.Address = &address
	}
	return j
}

func (c *sessionsCommands) revokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID [flags]",
		Short: "End the session whose id starts like that",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
				if err := d.RevokeSession(cmd.Context(), args[0]); err != nil {
					return err
				}
				return c.reportEnded(1)
			})
		},
	}
}

func (c *sessionsCommands) revokeAllCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke-all NAME [flags]",
		Short: "End every session of a user",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
				n, err := d.RevokeSessions(cmd.Context(), args[0])
				if err != nil {
					return about(args[0], err)
				}
				return c.reportEnded(n)
			})
		},
	}
}

func (c *sessionsCommands) reportEnded(n int) error {
	return c.report(c.asJSON, map[string]any{"ended": n}, plural(n, "session")+" ended.")
}

func (c *sessionsCommands) clearExpiredCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clear-expired [flags]",
		Short: "Delete sessions that are over, which a running server does by itself",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
				n, err := d.ClearExpired(cmd.Context())
				if err != nil {
					return err
				}
				return c.report(c.asJSON, map[string]any{"cleared": n}, plural(n, "expired session")+" cleared.")
			})
		},
	}
}
