package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usage prints the help of a command without settings.
func usage(cmd *cobra.Command) error {
	w := cmd.OutOrStderr()
	printSynopsis(w, cmd)
	printFlags(w, cmd, nil)
	return nil
}

// usage prints the help of a command with settings, group by group.
func (b *bound) usage(cmd *cobra.Command) error {
	w := cmd.OutOrStderr()
	printSynopsis(w, cmd)
	if cmd.HasAvailableSubCommands() {
		return nil
	}
	taken := map[string]bool{"config": true}
	for _, s := range b.settings {
		taken[s.flagName()] = true
	}
	printFlags(w, cmd, taken)
	fmt.Fprint(w, "\nSettings: a flag counts before the environment, the environment before the file.\n")
	printSetting(w, "--config FILE", envConfig, "TOML file of settings; a key is the variable's name in lower case without postern_", "none")
	group := ""
	for i := range b.settings {
		s := &b.settings[i]
		if s.group != group {
			group = s.group
			fmt.Fprintf(w, "\n%s:\n", group)
		}
		printSetting(w, s.synopsis(), s.env(), s.usage, s.defaultText(b.preset(s)))
	}
	return nil
}

// synopsis is how the flag is written, "" without one.
func (s *setting) synopsis() string {
	switch {
	case s.flagName() == "":
		return ""
	case s.hint == "":
		return "--" + s.flagName()
	}
	return "--" + s.flagName() + " " + s.hint
}

func printSetting(w io.Writer, synopsis, env, text, preset string) {
	if synopsis == "" {
		fmt.Fprintf(w, "  %s (no flag: flags show in the list of processes)\n", env)
	} else {
		fmt.Fprintf(w, "  %-42s %s\n", synopsis, env)
	}
	fmt.Fprintf(w, "        %s (default: %s)\n", text, preset)
}

func printSynopsis(w io.Writer, cmd *cobra.Command) {
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "Usage:\n  %s COMMAND [flags]\n", cmd.CommandPath())
		printCommands(w, cmd)
		fmt.Fprintf(w, "\nRun %q for a command's flags and settings.\n", cmd.CommandPath()+" COMMAND --help")
		return
	}
	fmt.Fprintf(w, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
}

func printCommands(w io.Writer, cmd *cobra.Command) {
	for _, group := range cmd.Groups() {
		fmt.Fprintf(w, "\n%s\n", group.Title)
		printCommandsOf(w, cmd, group.ID)
	}
	heading := "\nCommands:\n"
	if len(cmd.Groups()) > 0 {
		heading = "\nOther:\n"
	}
	fmt.Fprint(w, heading)
	printCommandsOf(w, cmd, "")
}

func printCommandsOf(w io.Writer, cmd *cobra.Command, group string) {
	for _, sub := range cmd.Commands() {
		if sub.GroupID == group && (sub.IsAvailableCommand() || sub.Name() == "help") {
			fmt.Fprintf(w, "  %-17s %s\n", sub.Name(), sub.Short)
		}
	}
}

// printFlags prints the flags that are not among taken.
func printFlags(w io.Writer, cmd *cobra.Command, taken map[string]bool) {
	rest := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !taken[f.Name] {
			rest.AddFlag(f)
		}
	})
	if rest.HasAvailableFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s\n", strings.TrimRight(rest.FlagUsages(), "\n"))
	}
}

// subcommand refuses the argument of a command that only has others below it.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	problem := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		problem += "; did you mean " + near[0] + "?"
	}
	return &usageError{problem}
}

// exclusive refuses two flags that can't go together.
func exclusive(cmd *cobra.Command, one, other string) error {
	if cmd.Flags().Changed(one) && cmd.Flags().Changed(other) {
		return &usageError{"--" + one + " and --" + other + " can't go together"}
	}
	return nil
}

func checkLimit(limit int) error {
	if limit < 1 || limit > maxLimit {
		return &usageError{fmt.Sprintf("--limit must be from 1 to %d", maxLimit)}
	}
	return nil
}

// maxLimit is the longest list, which is held in memory.
const maxLimit = 100_000
