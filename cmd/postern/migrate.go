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

// migrationJSON is a migration for programs.
type migrationJSON struct {
	Name    string     `json:"name"`
	Applied *time.Time `json:"applied"` // null: pending
}

func (p *program) migrateCommand() *cobra.Command {
	var status, dryRun, makeIndexes, dropIndexes, asJSON bool
	cmd := &cobra.Command{
		Use:     "migrate [flags]",
		GroupID: groupAdmin,
		Short:   "Bring the database's schema up to date",
		Long: "Bring the database's schema up to date. Running it twice, or while a server runs, is safe.\n" +
			"A server does the same at its start, unless it is told not to.",
		Args: cobra.NoArgs,
	}
	b := p.bind(cmd, forDatabase, nil)
	cmd.Flags().BoolVar(&status, "status", false, "show which steps are applied, and change nothing")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the SQL of the pending steps, and change nothing")
	cmd.Flags().BoolVar(&makeIndexes, "admin-indexes", false, "then make the admin site's indexes on a Django project's auth_user")
	cmd.Flags().BoolVar(&dropIndexes, "drop-admin-indexes", false, "drop the admin site's indexes on auth_user, and do nothing else")
	jsonFlag(cmd, &asJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := errors.Join(exclusive(cmd, "status", "dry-run"), exclusive(cmd, "dry-run", "json"), exclusive(cmd, "admin-indexes", "drop-admin-indexes"),
			exclusive(cmd, "status", "admin-indexes"), exclusive(cmd, "status", "drop-admin-indexes"), exclusive(cmd, "dry-run", "admin-indexes"), exclusive(cmd, "dry-run", "drop-admin-indexes")); err != nil {
			return err
		}
		r := b.resolve()
		r.useDefaultDatabase()
		r.validate()
		if status || dryRun || dropIndexes {
			r.requireDatabase()
		}
		if err := r.err(); err != nil {
			return err
		}
		ctx := cmd.Context()
		switch {
		case status:
			return p.showMigrations(ctx, r.config, asJSON)
		case dryRun:
			return p.printPending(ctx, r.config)
		case dropIndexes:
			if err := postern.DropAdminIndexes(ctx, r.config); err != nil {
				return err
			}
			return p.report(asJSON, migrationsJSON(nil), "dropped the admin site's indexes on auth_user")
		}
		return p.migrate(ctx, r.config, makeIndexes, asJSON)
	}
	return cmd
}

func (p *program) migrate(ctx context.Context, c postern.Config, makeIndexes, asJSON bool) error {
	applied, err := postern.Migrate(ctx, c)
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, m := range applied {
		fmt.Fprintf(&lines, "applied %s\n", m.Name)
	}
	if len(applied) == 0 {
		lines.WriteString("nothing to do: the schema is up to date\n")
	}
	if makeIndexes {
		if err := postern.MakeAdminIndexes(ctx, c); err != nil {
			return err
		}
		lines.WriteString("made the admin site's indexes on auth_user\n")
	} else if made, all, err := postern.AdminIndexes(ctx, c); err != nil {
		return err
	} else if made < all && len(applied) > 0 {
		lines.WriteString("left out the admin site's indexes on auth_user, which is a Django project's; its lists are slow without: --admin-indexes makes them\n")
	}
	return p.report(asJSON, migrationsJSON(applied), strings.TrimSuffix(lines.String(), "\n"))
}

func (p *program) showMigrations(ctx context.Context, c postern.Config, asJSON bool) error {
	all, err := postern.Migrations(ctx, c)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, migrationsJSON(all))
	}
	rows := [][]string{{"STEP", "APPLIED"}}
	for _, m := range all {
		applied := "pending"
		if !m.Applied.IsZero() {
			applied = moment(m.Applied, time.Now())
		}
		rows = append(rows, []string{m.Name, applied})
	}
	made, of, err := postern.AdminIndexes(ctx, c)
	if err != nil {
		return err
	}
	rows = append(rows, []string{"admin indexes on auth_user", fmt.Sprintf("%d of %d", made, of)})
	return columns(p.stdout, rows...)
}

func (p *program) printPending(ctx context.Context, c postern.Config) error {
	all, err := postern.Migrations(ctx, c)
	if err != nil {
		return err
	}
	for _, m := range all {
		if !m.Applied.IsZero() {
			continue
		}
		if _, err := fmt.Fprintf(p.stdout, "-- %s\n%s\n", m.Name, strings.TrimSpace(m.SQL)); err != nil {
			return err
		}
	}
	return nil
}

func migrationsJSON(migrations []postern.Migration) []migrationJSON {
	list := make([]migrationJSON, len(migrations))
	for i, m := range migrations {
		list[i] = migrationJSON{Name: m.Name, Applied: orNull(m.Applied)}
	}
	return list
}
