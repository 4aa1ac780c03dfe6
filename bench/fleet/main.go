// Fleet tells how many nodes behave that share their sessions: how often they
// recall a session instead of reading it, how much news each of them hears,
// and what the databases behind them have to bear. It is a simulation and a
// plan; docs/scaling.md has their tables and says what follows from them.
//
// The simulation runs the real auth.Realm with the real recall.Memory in each
// node, on a clock of its own: only the network, the balancer, the clients and
// the store are modelled. It is seeded: the same flags give the same figures.
//
//	go run ./bench/fleet                                  all tables
//	go run ./bench/fleet -users 5e6 -checks 2e4 -nodes 4  the plan for that
//	go run ./bench/fleet -write docs/scaling.md           "make fleet"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

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
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// order is what a run is asked for.
type order struct {
	write    string // the page whose tables are made anew; "" to print them
	own      bool   // whether a plan of the caller's own is asked for
	inputs   inputs
	followed int
}

func parse(args []string, usage io.Writer) (order, error) {
	o := order{inputs: tenMillion}
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&o.write, "write", "", "make the tables in this `file` anew, instead of printing them")
	flags.IntVar(&o.followed, "followed", 10_000, "`sessions` that the simulation follows, of a million")
	for _, f := range inputFields {
		flags.Func(f.flag, fmt.Sprintf("plan: %s (default %s)", f.usage, short(*f.of(&tenMillion))), func(text string) error {
			o.own = true
			return f.set(&o.inputs, text)
		})
	}
	if err := flags.Parse(args); err != nil {
		return order{}, err
	}
	if err := o.validate(flags.NArg()); err != nil {
		fmt.Fprintln(usage, err)
		return order{}, err
	}
	return o, nil
}

func (o order) validate(rest int) error {
	switch {
	case rest > 0:
		return errors.New("fleet takes flags only")
	case o.own && o.write != "":
		return errors.New("the page holds the plans for 10 million and a billion users: -write goes with no flag of a plan")
	case o.followed < 100 || o.followed > 1_000_000:
		return errors.New("-followed must be 100 to 1000000")
	}
	return o.inputs.validate()
}

// run prints the tables that are asked for, or writes them to the page.
func run(ctx context.Context, o order, out io.Writer) error {
	if o.own {
		own := []inputs{o.inputs}
		_, err := fmt.Fprintf(out, "%s\n%s", inputsTable(own), plansTable(own))
		return err
	}
	tables, err := simulated(ctx, o.followed)
	if err != nil {
		return err
	}
	tables = append(tables, planTables()...)
	if o.write != "" {
		return rewrite(o.write, tables)
	}
	for _, t := range tables {
		if _, err := fmt.Fprintf(out, "%s:\n\n%s\n", t.name, t.text); err != nil {
			return err
		}
	}
	return nil
}

// planTables are those of the two plans of the page.
func planTables() []table {
	plans := []inputs{tenMillion, billion}
	return []table{{"inputs", inputsTable(plans)}, {"plan", plansTable(plans)}}
}
