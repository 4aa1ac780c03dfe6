// Command postern is session authentication for web applications in one
// program: the server (dev, serve, check) and what an operator does beside it
// (migrate, createsuperuser, changepassword, users, sessions). It is built on
// the package github.com/postern-auth/postern alone.
//
// Settings come from flags, then POSTERN_… in the environment, then a TOML
// file, then defaults; settings.go has the table that all four are made from.
//
// It exits with 0 when all went well, 1 when something failed, and 2 when it
// was called or configured wrongly: then nothing was begun, and standard error
// has one line for each mistake.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/redact"
)

// Exit codes.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

// program is what the process gives to the commands.
type program struct {
	stdin          *os.File
	stdout, stderr *os.File
	environ        []string
	// begun is true once flags and arguments made sense: an error before
	// that is one of usage.
	begun bool
}

func main() {
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	os.Exit(p.run(os.Args[1:]))
}

// run is the whole program; it returns the exit code.
func (p *program) run(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go endOnSignals(cancel)
	return p.execute(ctx, args)
}

// execute is run until ctx ends.
func (p *program) execute(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !p.begun {
		err = errors.New(redact.Text(err.Error())) // arguments are quoted
	}
	printError(p.stderr, err)
	if !p.begun {
		fmt.Fprintf(p.stderr, "Run %q for help.\n", cmd.CommandPath()+" --help")
		return exitUsage
	}
	if isUsage(err) {
		return exitUsage
	}
	return exitFailed
}

// endOnSignals lets the program finish what is under way at the first SIGINT,
// SIGTERM or SIGHUP, and ends it at the second. SIGHUP is left alone where it
// is ignored, as under nohup. Go's runtime ends the program with a dump of its
// goroutines at SIGQUIT and SIGABRT, and takes no notice of the signals that
// are left, but for SIGPIPE: see startServer.
func endOnSignals(finish context.CancelFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	<-signals
	finish()
	<-signals
	os.Exit(exitFailed)
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "postern",
		Short:         "Session authentication for web applications",
		Long:          "Postern is session authentication for web applications: registration, login, logout\nand \"who is this?\" over HTTP, with a session cookie and CSRF protection.",
		Args:          subcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			p.begun = true
		},
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetUsageFunc(usage)
	root.AddGroup(
		&cobra.Group{ID: groupServer, Title: "Servers:"},
		&cobra.Group{ID: groupAdmin, Title: "Administration:"},
	)
	root.AddCommand(
		p.devCommand(), p.serveCommand(), p.checkCommand(),
		p.migrateCommand(), p.createSuperuserCommand(), p.changePasswordCommand(), p.usersCommand(), p.sessionsCommand(), p.auditCommand(),
		p.versionCommand(), p.settingsCommand(),
	)
	return root
}

// Groups of commands in the help.
const (
	groupServer = "server"
	groupAdmin  = "admin"
)

// usageError is a mistake in how a command was called.
type usageError struct{ problem string }

func (e *usageError) Error() string { return e.problem }

func isUsage(err error) bool {
	var usage *usageError
	var config *postern.ConfigError
	return errors.As(err, &usage) || errors.As(err, &config)
}

// printError writes one line for each error that err joins.
func printError(w io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			printError(w, e)
		}
		return
	}
	fmt.Fprintf(w, "postern: %s\n", oneLine(err.Error()))
}
