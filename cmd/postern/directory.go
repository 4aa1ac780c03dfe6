package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"strconv"

	"github.com/postern-auth/postern"
)

// useDefaultDatabase takes the database of the current folder when none is set.
func (r *resolved) useDefaultDatabase() {
	if r.isSet("DATABASE_URL") || r.failed["DATABASE_URL"] {
		return
	}
	r.config.Database = defaultDatabase
	if !exists(databaseFile(defaultDatabase)) {
		r.reject("DATABASE_URL", "", "is not set, and there is no postern.sqlite3 in this folder; give --database sqlite:PATH")
	}
}

// requireDatabase refuses a file that is not there: opening would make it.
func (r *resolved) requireDatabase() {
	file := databaseFile(r.config.Database)
	if !r.failed["DATABASE_URL"] && file != "" && !exists(file) {
		r.reject("DATABASE_URL", "", "there is no file "+file+`; run "postern migrate" first`)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// administer runs act with the directory of the database that is set.
func (b *bound) administer(ctx context.Context, act func(*postern.Directory, *resolved) error) (err error) {
	r := b.resolve()
	r.useDefaultDatabase()
	r.validate()
	r.requireDatabase()
	if err := r.err(); err != nil {
		return err
	}
	r.config.Log, r.config.Operator = b.program.warnings(), operator()
	d, err := postern.OpenDirectory(ctx, r.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return act(d, r)
}

// operator is who runs the command, for the audit log: the user of the
// operating system, and who became that user by sudo.
func operator() string {
	name := "uid " + strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if by := os.Getenv("SUDO_USER"); by != "" && by != name {
		name = by + " (as " + name + ")"
	}
	return name
}

// warnings is the log of a command that is no server.
func (p *program) warnings() *slog.Logger {
	return slog.New(commandLog{slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})})
}

// commandLog lets errors through, and warnings of rows that can't be read. What
// can't be read of a user, commands say themselves.
type commandLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (h commandLog) Handle(ctx context.Context, r slog.Record) error {
	shown := r.Level >= slog.LevelError
	r.Attrs(func(a slog.Attr) bool {
		shown = shown || a.Key == "table" && a.Value.String() != "auth_user"
		return !shown
	})
	if !shown {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}
