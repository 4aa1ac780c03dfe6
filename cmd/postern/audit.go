package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
)

// auditJSON is an entry of the audit log for programs.
type auditJSON struct {
	ID         int64      `json:"id"`
	At         *time.Time `json:"at"`
	Act        string     `json:"act"`
	ActorID    int64      `json:"actor_id"` // 0: nobody who is known
	ActorName  string     `json:"actor_name"`
	TargetID   int64      `json:"target_id"`
	TargetName string     `json:"target_name"`
	Source     string     `json:"source"`
	Address    string     `json:"address"`
	UserAgent  string     `json:"user_agent"`
	Detail     string     `json:"detail"`
}

func (p *program) auditCommand() *cobra.Command {
	var q postern.AuditQuery
	var since string
	asJSON := false
	cmd := &cobra.Command{
		Use:     "audit [flags]",
		GroupID: groupAdmin,
		Short:   "Show who did what to whom, when and from where, newest first",
		Long:    "Show the audit log, newest first.\n\nThe acts are " + strings.Join(postern.AuditActs(), ", ") + ".",
		Args:    cobra.NoArgs,
	}
	bound := p.bind(cmd, forDatabase, nil)
	jsonFlag(cmd, &asJSON)
	flags := cmd.Flags()
	flags.StringVar(&q.Act, "act", "", "only this act")
	flags.StringVar(&q.Username, "user", "", "only what this user did, or what was done to it")
	flags.StringVar(&since, "since", "", `only since then: a time ago such as "24h", or a date such as 2026-01-31 (UTC)`)
	flags.Int64Var(&q.BeforeID, "before", 0, "only ids below this one: the next page")
	flags.IntVar(&q.Limit, "limit", 100, "at most so many")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(q.Limit); err != nil {
			return err
		}
		if q.Act != "" && !slices.Contains(postern.AuditActs(), q.Act) {
			return &usageError{fmt.Sprintf("--act %q is no act; the acts are %s", q.Act, strings.Join(postern.AuditActs(), ", "))}
		}
		var err error
		if q.Since, err = parseSince(since, time.Now()); err != nil {
			return err
		}
		return bound.administer(cmd.Context(), func(d *postern.Directory, _ *resolved) error {
			return p.listAudit(cmd.Context(), d, q, asJSON)
		})
	}
	return cmd
}

// parseSince reads a time ago or a date; the zero time for "".
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &usageError{fmt.Sprintf(`--since %q is neither a time ago, such as "24h", nor a date, such as 2026-01-31`, s)}
}

func (p *program) listAudit(ctx context.Context, d *postern.Directory, q postern.AuditQuery, asJSON bool) error {
	limit := q.Limit
	q.Limit++
	entries, err := d.Audit(ctx, q)
	if err != nil {
		return err
	}
	if len(entries) > limit {
		entries = entries[:limit]
		fmt.Fprintf(p.stderr, "postern: there are more; go on with --before %d\n", entries[limit-1].ID)
	}
	if asJSON {
		list := make([]auditJSON, len(entries))
		for i := range entries {
			e := &entries[i]
			list[i] = auditJSON{
				ID: e.ID, At: orNull(e.At), Act: e.Act, ActorID: e.ActorID, ActorName: e.ActorName,
				TargetID: e.TargetID, TargetName: e.TargetName, Source: e.Source, Address: e.Address,
				UserAgent: e.UserAgent, Detail: e.Detail,
			}
		}
		return printJSON(p.stdout, list)
	}
	rows := [][]string{{"TIME", "ACT", "WHO", "WHOM OR WHAT", "BY WAY OF", "ADDRESS", "DETAIL"}}
	for i := range entries {
		e := &entries[i]
		rows = append(rows, []string{
			e.At.UTC().Format("2006-01-02 15:04:05"), e.Act, orDash(e.ActorName), orDash(e.TargetName), e.Source, orDash(e.Address), e.Detail,
		})
	}
	return columns(p.stdout, rows...)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
