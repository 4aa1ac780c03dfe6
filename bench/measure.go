package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// scale is how much is measured.
type scale struct {
	few, many     int // users of the two databases
	inUse         int // of the many
	some, grown   int // sessions in the engines, and in the largest database of PostgreSQL
	revocations   int // in a round
	cuts          int // of the link over which a node hears news
	bodies        int // of 1 MiB, in a burst of the flood
	rounds        int
	warm, measure time.Duration
	hashKiB       int // memory of a password's hash; 0 for the program's default
}

var (
	fullScale = scale{few: 1000, many: 1_000_000, inUse: 100_000, some: 100_000, grown: 10_000_000, revocations: 200, cuts: 10, bodies: 150, rounds: 3, warm: time.Second, measure: 4 * time.Second}
	// Cheap hashes keep 64 logins at once in time on the busiest of machines.
	shortScale = scale{few: 200, many: 4000, inUse: 1000, some: 1000, grown: 2000, revocations: 5, cuts: 1, bodies: 10, rounds: 1, warm: 50 * time.Millisecond, measure: 250 * time.Millisecond, hashKiB: 1024}
)

const (
	checkClients = 32
	loginClients = 64
)

// lab is what the experiments work with.
type lab struct {
	scale
	dir           string // for what a run leaves behind
	postern       string // the programs
	empty, hash   string
	small, large  database
	jar           jar // keys of the large database; those of the small one are its first
	hashMemory    int // of one hash, in bytes
	hashFlags     []string
	registrations int                              // series of names used so far
	say           func(format string, args ...any) // what takes long
	engines       *engines
	noEngines     error // why they could not be started
}

// newLab finds the programs, the one to measure and the baselines in bin, and
// makes the small database.
func newLab(ctx context.Context, dir, postern, bin string, s scale, say func(string, ...any)) (*lab, error) {
	l := &lab{
		scale: s, say: say, dir: dir, postern: postern, empty: filepath.Join(bin, "empty"), hash: filepath.Join(bin, "hash"),
		small: database{path: filepath.Join(dir, "small.sqlite3"), crowd: crowd{users: s.few, sessions: s.few, fresh: s.few}, hashKiB: s.hashKiB},
		large: database{path: filepath.Join(dir, "large.sqlite3"), crowd: crowd{users: s.many, sessions: s.many, fresh: s.inUse}, hashKiB: s.hashKiB},
		jar:   newJar(s.many),
	}
	for _, program := range []string{l.postern, l.empty, l.hash} {
		if _, err := os.Stat(program); err != nil {
			return nil, fmt.Errorf("a program to measure is missing: %w", err)
		}
	}
	if err := l.small.create(ctx, dir, postern); err != nil {
		return nil, err
	}
	kib, flags, err := l.small.hashCost(ctx)
	l.hashMemory, l.hashFlags = kib*1024, flags
	return l, err
}

// start runs the program on a database, and returns when it answers a check.
func (l *lab) start(h home, environment ...string) (*server, error) {
	first := checks(l.jar, inTurn(1))(nil)
	return startServer(l.dir, l.postern, []string{"serve"}, append(h.environment(), environment...), first)
}

// startEmpty runs the baseline with an answer of s, and makes sure that the two
// answers are the same.
func (l *lab) startEmpty(s *server) (*server, error) {
	request := checks(l.jar, inTurn(1))(nil)
	want, wire, err := s.exchange(request)
	if err != nil {
		return nil, fmt.Errorf("take an answer for the empty handler: %w", err)
	}
	path := filepath.Join(l.dir, "answer")
	if err := os.WriteFile(path, wire, 0o600); err != nil {
		return nil, fmt.Errorf("keep the answer for the empty handler: %w", err)
	}
	empty, err := startServer(l.dir, l.empty, []string{"-answer", path}, nil, request)
	if err != nil {
		return nil, err
	}
	got, _, err := empty.exchange(request)
	if err == nil {
		err = same(got, want)
	}
	if err != nil {
		empty.stop()
		return nil, fmt.Errorf("compare the empty handler's answer: %w", err)
	}
	return empty, nil
}

// same holds two answers against each other, all but their dates.
func same(got, want *http.Response) error {
	got.Header.Del("Date")
	want.Header.Del("Date")
	if !reflect.DeepEqual(got.Header, want.Header) {
		return fmt.Errorf("its headers are %v, want %v", got.Header, want.Header)
	}
	gotBody, err1 := io.ReadAll(got.Body)
	wantBody, err2 := io.ReadAll(want.Body)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !bytes.Equal(gotBody, wantBody) {
		return fmt.Errorf("its body is %q, want %q", gotBody, wantBody)
	}
	return nil
}

// aside measures A B A B.
func (l *lab) aside(a, b func() (float64, error)) ([]round, error) { return asideFor(l.rounds, a, b) }

func asideFor(times int, a, b func() (float64, error)) ([]round, error) {
	var rounds []round
	for range times {
		measured, err := a()
		if err != nil {
			return nil, err
		}
		baseline, err := b()
		if err != nil {
			return nil, fmt.Errorf("the baseline: %w", err)
		}
		rounds = append(rounds, round{measured, baseline})
	}
	return rounds, nil
}

// rate measures how many requests of the script a server answers a second.
func (l *lab) rate(ctx context.Context, s *server, clients int, sc script) (float64, error) {
	t, err := l.load(ctx, s, clients, sc)
	return t.rate(), err
}

// load measures what comes of a script.
func (l *lab) load(ctx context.Context, s *server, clients int, sc script) (tally, error) {
	t, err := drive(ctx, load{address: s.address, clients: clients, script: sc, warm: l.warm, measure: l.measure})
	return t, errors.Join(err, ctx.Err(), t.err())
}

// send sends n requests and measures nothing.
func (l *lab) send(ctx context.Context, s *server, sc script, n int) error {
	t, err := drive(ctx, load{address: s.address, clients: checkClients, script: sc, requests: n})
	return errors.Join(err, ctx.Err(), t.err())
}

// bareHash measures hashes a second on all processors, with more flags.
func (l *lab) bareHash(ctx context.Context, more ...string) (float64, error) {
	flags := append([]string{"-warm", l.warm.String(), "-for", l.measure.String()}, l.hashFlags...)
	flags = append(flags, more...)
	output, err := exec.CommandContext(ctx, l.hash, flags...).Output()
	if err != nil {
		return 0, fmt.Errorf("hash: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(output)), 64)
}
