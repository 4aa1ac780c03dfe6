// Bench measures the real program against baselines on the same machine in the
// same run, and writes docs/benchmarks.md and docs/benchmarks.svg: "make bench".
//
// It imports nothing of the project: it makes databases with the program's own
// commands and SQL, starts the program, and talks HTTP to it. The baselines are
// programs of their own, bench/empty and bench/hash, which "make bench" builds
// beside it. It needs Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// processors are those that the servers have, too.
var processors = runtime.GOMAXPROCS(0)

// order is what a run is asked for.
type order struct {
	postern string // the program to measure
	bin     string // folder of the baselines
	dir     string // where the folder for databases is made
	out     string // folder for the results; "" for none
	only    *regexp.Regexp
	scale   scale
	short   bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (order, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(usage)
	self, err := os.Executable()
	if err != nil {
		return order{}, err
	}
	o := order{only: regexp.MustCompile("")}
	flags.StringVar(&o.postern, "postern", "postern", "the program to measure, a `file`")
	flags.StringVar(&o.bin, "bin", filepath.Dir(self), "`folder` of the programs empty and hash")
	flags.StringVar(&o.dir, "dir", ".", "`folder` for the databases, on a real disk; what is made there is deleted at the end")
	flags.StringVar(&o.out, "out", "", "`folder` for benchmarks.md and benchmarks.svg; a run that is short or not whole writes none")
	flags.BoolVar(&o.short, "short", false, "a few seconds on small databases: shows that all works, and no figures")
	flags.Func("only", "measure only what a regular `expression` finds in the first column", func(text string) (err error) {
		o.only, err = regexp.Compile("(?i)" + text)
		return err
	})
	rounds := flags.Int("rounds", 0, "how often A and B are measured in turn (default 3, or 1 when short)")
	if err := flags.Parse(args); err != nil {
		return order{}, err
	}
	if flags.NArg() > 0 || *rounds < 0 || *rounds > 100 {
		err := errors.New("bench takes flags only, and at most 100 rounds")
		fmt.Fprintln(usage, err)
		return order{}, err
	}
	// Programs are started in other folders, and without a PATH.
	for _, path := range []*string{&o.postern, &o.bin, &o.dir} {
		if *path, err = filepath.Abs(*path); err != nil {
			return order{}, fmt.Errorf("find %s: %w", *path, err)
		}
	}
	o.scale = fullScale
	if o.short {
		o.scale = shortScale
	}
	if *rounds > 0 {
		o.scale.rounds = *rounds
	}
	return o, nil
}

// run measures, prints the table to out and what it is doing to progress. A
// figure that falls short is no error; one that could not be had is.
func run(ctx context.Context, o order, out, progress io.Writer) error {
	begin := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(progress, "%4.0f s  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	// Loops that wait for the network hold a place each.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors + 2))
	lessGrown, err := o.fitDisk()
	if err != nil {
		return err
	}
	all := experiments(o.scale)
	wanted := slices.DeleteFunc(slices.Clone(all), func(e experiment) bool { return !e.matches(o.only) })
	if len(wanted) == 0 {
		return fmt.Errorf("no figure matches %q", o.only)
	}
	environment := append(describe(ctx, o.postern, begin), lessGrown...)
	figures, err := measure(ctx, o, wanted, say)
	if err != nil {
		return err
	}
	r := report{environment: environment, figures: figures, scale: o.scale, short: o.short}
	fmt.Fprintf(out, "%s\n%s", r.head(), r.table())
	if !o.short && len(wanted) == len(all) && o.out != "" {
		if err := r.write(o.out); err != nil {
			return err
		}
	}
	say("done")
	return r.err()
}

// fitDisk makes the largest database of PostgreSQL smaller, and says so, if
// the disk has no room for it.
func (o *order) fitDisk() ([]fact, error) {
	const roomy, modest = 20e9, 1_000_000 // bytes, sessions
	free, err := freeDisk(o.dir)
	if err != nil || free >= roomy || o.scale.grown <= modest {
		return nil, err
	}
	o.scale.grown = modest
	return []fact{{"growth", fmt.Sprintf("to %s sessions only: %.0f GB of disk are free, and more takes %.0f", amount(modest), free/1e9, roomy/1e9)}}, nil
}

// measure makes the databases, in a folder that is gone when it returns, and
// the experiments with them.
func measure(ctx context.Context, o order, wanted []experiment, say func(string, ...any)) ([]figure, error) {
	dir, err := os.MkdirTemp(o.dir, ".bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the databases: %w", err)
	}
	defer os.RemoveAll(dir)
	l, err := newLab(ctx, dir, o.postern, o.bin, o.scale, say)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if slices.ContainsFunc(wanted, func(e experiment) bool { return e.crowded }) {
		say("making a database of %s users and sessions", amount(float64(l.large.users)))
		if err := l.large.create(ctx, dir, o.postern); err != nil {
			return nil, err
		}
	}
	var figures []figure
	for _, e := range wanted {
		say("%s", e.figures[0].name)
		figures = append(figures, e.measure(ctx, l)...)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return figures, nil
}

func (e experiment) matches(only *regexp.Regexp) bool {
	for _, f := range e.figures {
		if only.MatchString(f.name) {
			return true
		}
	}
	return false
}

// measure returns the figures with their rounds, or with why there are none.
func (e experiment) measure(ctx context.Context, l *lab) []figure {
	rounds, err := e.run(l, ctx)
	for i := range e.figures {
		if e.figures[i].failure = err; err == nil {
			e.figures[i].rounds = rounds[i]
		}
	}
	return e.figures
}

// err names the figures that could not be had.
func (r report) err() error {
	var errs []error
	for _, f := range r.figures {
		if f.failure != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name, f.failure))
		}
	}
	return errors.Join(errs...)
}

func (r report) write(folder string) error {
	for name, content := range map[string]string{"benchmarks.md": r.markdown(), "benchmarks.svg": r.chart()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
	}
	return nil
}
