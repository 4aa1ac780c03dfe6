package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
)

func (p *program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "serve [flags]",
		GroupID: groupServer,
		Short:   "Start the server, for production",
		Long: "Start the server, for production: weak passwords are refused and nothing is guessed.\n" +
			"A setting that is missing or wrong stops the start with one line for each mistake.",
		Example: "  POSTERN_SECRET_KEY_FILE=/run/secrets/postern postern serve \\\n" +
			"      --database sqlite:/var/lib/postern/postern.sqlite3 --allowed-hosts example.com",
		Args: cobra.NoArgs,
	}
	b := p.bind(cmd, forServer, nil)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r := b.resolve()
		r.checkListening()
		r.useSystemd()
		r.validate()
		if err := r.err(); err != nil {
			return err
		}
		return p.startServer(cmd.Context(), r, welcome{title: "server", weaknesses: true})
	}
	return cmd
}

// err is every mistake in the settings, or nil.
func (r *resolved) err() error { return errors.Join(r.mistakes...) }

// checkListening judges what Config does not know: where to listen, and where
// to send traces.
func (r *resolved) checkListening() {
	if r.listen.UnixSocket != "" && !r.isSet("ADDR") {
		r.listen.Addr = ""
	}
	switch l := &r.listen; {
	case strings.Contains(l.TLSKey, "-----BEGIN"):
		r.reject("TLS_KEY", "", "holds the key itself; write it to a file, and give the path of that")
	case l.TLSCert != "" && l.TLSKey == "":
		r.reject("TLS_KEY", "", "is not set, but "+r.label("TLS_CERT")+" is; set both or neither")
	case l.TLSCert == "" && l.TLSKey != "":
		r.reject("TLS_CERT", "", "is not set, but "+r.label("TLS_KEY")+" is; set both or neither")
	}
	if r.isSet("UNIX_SOCKET_MODE") && r.listen.UnixSocket == "" {
		r.reject("UNIX_SOCKET", "", "is not set, but "+r.label("UNIX_SOCKET_MODE")+" is")
	}
	if env := environment(r.bound.program.environ); wantsTraces(env) {
		r.mistakes = append(r.mistakes, tracingMistakes(env)...)
	}
}

// useSystemd takes the sockets that systemd passes, and tells it of start and
// stop. Where a unit names the sockets, a setting that names others is a
// mistake.
func (r *resolved) useSystemd() {
	r.listen.Systemd = true
	if !socketsPassed(environment(r.bound.program.environ)) {
		return
	}
	for _, name := range []string{"ADDR", "UNIX_SOCKET", "UNIX_SOCKET_MODE"} {
		if r.isSet(name) {
			r.reject(name, "", "is set, but systemd passes sockets to listen on; set it, or use the .socket unit")
		}
	}
}

// socketsPassed reports whether systemd passes sockets to this process, by
// sd_listen_fds(3).
func socketsPassed(env map[string]string) bool {
	count, err := strconv.Atoi(env["LISTEN_FDS"])
	return err == nil && count > 0 && env["LISTEN_PID"] == strconv.Itoa(os.Getpid())
}

// startServer opens the database and serves until ctx ends.
func (p *program) startServer(ctx context.Context, r *resolved, w welcome) (err error) {
	// Without this the server would die of SIGPIPE when whoever reads its log
	// goes away.
	signal.Ignore(syscall.SIGPIPE)
	defer holdHeapFloor()()
	log, flush := p.serverLogger(r)
	defer flush()
	r.config.Log = log
	r.limitMemory(ctx, log)
	r.config.Passwords.LowPriority = true
	endTraces, err := r.trace(ctx, environment(p.environ), log)
	if err != nil {
		return err
	}
	defer endTraces()
	server, err := postern.Open(ctx, r.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if w.warning != "" {
		log.LogAttrs(ctx, slog.LevelWarn, w.warning)
	}
	if w.weaknesses {
		r.warnOfWeaknesses(ctx, log)
	}
	if l := r.listen.AdminAddr; l != "" && !isLoopback(l) {
		log.LogAttrs(ctx, slog.LevelWarn, "metrics and profiles are open to whoever reaches the admin address", slog.String("address", l))
	}
	r.listen.Ready = func(addrs []net.Addr) { p.welcome(w, r, addrs) }
	return server.Serve(ctx, r.listen)
}

// warnOfWeaknesses logs what check --deploy says of settings with which
// sessions are in danger, or nobody can log in.
func (r *resolved) warnOfWeaknesses(ctx context.Context, log *slog.Logger) {
	for _, w := range r.weaknesses() {
		if w.AtStart {
			setting := r.label(strings.TrimPrefix(w.Setting, envPrefix))
			attrs := []slog.Attr{slog.String("setting", setting)}
			if w.Value != "" { // a secret has none
				attrs = append(attrs, slog.String("value", w.Value))
			}
			log.LogAttrs(ctx, slog.LevelWarn, setting+": "+w.Why, append(attrs, slog.String("fix", w.WayOut), slog.String("id", w.ID))...)
		}
	}
}

// logger logs to standard error.
func (p *program) logger(r *resolved) *slog.Logger { return r.loggerTo(p.stderr) }

// serverLogger logs to standard error in the background; flush ends that. A
// log that its reader did not take is no failure of the server's.
func (p *program) serverLogger(r *resolved) (log *slog.Logger, flush func()) {
	w := newLogWriter(p.stderr, func(lines int) []byte {
		var line bytes.Buffer
		r.loggerTo(&line).Warn("log lines were dropped: the reader of the log is too slow", slog.Int("lines", lines))
		return line.Bytes()
	})
	return r.loggerTo(w), w.close
}

func (r *resolved) loggerTo(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: r.logLevel}
	if r.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
