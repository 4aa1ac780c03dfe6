package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// settingsCommand writes the page docs/settings.md; see go:generate in
// settings.go.
func (p *program) settingsCommand() *cobra.Command {
	var markdown bool
	var output string
	cmd := &cobra.Command{
		Use:    "settings --markdown [--output FILE]",
		Short:  "Write the table of settings",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if !markdown {
				return &usageError{"give --markdown: it is the only form there is"}
			}
			if output == "" {
				_, err := p.stdout.Write(settingsPage())
				return err
			}
			return os.WriteFile(output, settingsPage(), 0o644)
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "as a page of Markdown")
	cmd.Flags().StringVar(&output, "output", "", "file to write, instead of standard output")
	return cmd
}

const settingsIntro = `<!-- Made by "go generate ./cmd/postern" from cmd/postern/settings.go. -->
# Settings

Each setting has a variable in the environment, a flag (secrets have none: flags show in the list of processes)
and a key in a TOML file given by ` + "`--config FILE` or `POSTERN_CONFIG`" + `: the variable's name in lower case without ` + "`POSTERN_`" + `.
A flag counts before the environment, the environment before the file, the file before the default.
Every mistake stops the start, all are told at once, and the exit code is 2.

- Durations are whole seconds (` + "`1209600`" + `), as in Django, or Go's (` + "`336h`, `90s`" + `).
- Switches are ` + "`true`, `1`, `yes`, `on` or `false`, `0`, `no`, `off`" + `.
- Lists are separated by commas, or arrays in the file. A flag of a list may come several times.
- An empty variable counts as not set, but for a list it is the empty list.

` + "`postern dev`" + ` has other defaults where the table names two.
The administration (` + "`migrate`, `createsuperuser`, `changepassword`, `users`, `sessions`" + `) takes from the same variables and file what it needs;
` + "`--help`" + ` of a command lists that.
`

// settingsPage is docs/settings.md.
func settingsPage() []byte {
	var page bytes.Buffer
	page.WriteString(settingsIntro)
	group := ""
	for i := range table {
		s := &table[i]
		if s.group != group {
			group = s.group
			fmt.Fprintf(&page, "\n## %s\n\n| variable | flag | default | meaning |\n|---|---|---|---|\n", group)
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", s.env(), s.flagCell(), s.defaultCell(), escapeCell(s.usage))
	}
	page.WriteString(settingsOthers)
	return page.Bytes()
}

const settingsOthers = `
## For one command

| variable | command | meaning |
|---|---|---|
| ` + "`POSTERN_CONFIG`" + ` | all | the TOML file |
| ` + "`POSTERN_SUPERUSER_USERNAME`, `POSTERN_SUPERUSER_EMAIL`, `POSTERN_SUPERUSER_PASSWORD`" + ` | ` + "`createsuperuser --no-input`" + ` | the superuser; Django's ` + "`DJANGO_SUPERUSER_…`" + ` count too |
| ` + "`POSTERN_NEW_PASSWORD`" + ` | ` + "`changepassword --no-input`" + ` | the new password |

## Exit codes

| code | meaning |
|---|---|
| 0 | all went well; a server was told to stop and finished what was under way |
| 1 | something failed, or a check found something |
| 2 | called or configured wrongly: nothing was begun |
`

func (s *setting) flagCell() string {
	if s.flagName() == "" {
		return "none"
	}
	return "`" + escapeCell(s.synopsis()) + "`"
}

func (s *setting) defaultCell() string {
	cell := code(s.preset, s.absent)
	if dev, ok := devPresets[s.name]; ok && s.name != "DATABASE_URL" {
		cell += "; dev: " + code(dev, "")
	}
	return cell
}

func code(preset, absent string) string {
	if preset == "" {
		return escapeCell(absent)
	}
	return "`" + escapeCell(preset) + "`"
}

func escapeCell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
