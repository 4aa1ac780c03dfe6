package main

import (
	"fmt"
	"strings"
)

// report is the result of a run.
type report struct {
	environment []fact
	figures     []figure
	scale       scale
	short       bool
}

// fact is a line of the head.
type fact struct{ name, value string }

const introduction = `<!-- Made by "make bench". -->
# Benchmarks

`

const pictureLine = `![The ratios as bars, with their targets](benchmarks.svg)

`

const howMeasured = `## How it is measured

` + "`make bench`" + ` builds everything from this source, runs the real binary on databases made for the run, and takes the same
machine's measure of a baseline right beside each of its own: A B A B. A ratio is that of the two neighbours; the table
shows the median of the rounds and, in brackets, the least and the most. Only ratios say much: the load comes from the same
processors, and another machine has other numbers.

- **The empty handler** is net/http with nothing set but a handler that sends the same headers and the same body
  (` + "`bench/empty`" + `). **The bare hash** is argon2id on all processors with the parameters that are found in the
  database (` + "`bench/hash`" + `): Postern's own function, and in a row of its own that of golang.org/x/crypto.
- **The load** comes from one thread that waits for all connections at once. It takes as little of the processors as wrk
  does, most of it in the kernel; what it takes, it takes from both sides of a ratio.
- **Checks** are sent over 32 connections that stay open, each the next when it has the answer to the last. **Logins** and
  **registrations** come over 64 connections, of distinct users; each is on the disk before its answer. They take twice the
  rounds: how fast a hash is varies most. **The processor time of a login** is what the process took of all processors, hash included,
  by the number of answers; what PostgreSQL and Redis take beside it is theirs alone on a machine of their own.
- **Cold**: a server just started, sessions in random order, none asked for twice. Nine in ten of them count as used just
  now, so that no sign of life is due; in the other rows these are written as in production.
- **The storm** is 64 clients that log in without pause while 32 others check.
- **The flood** is one burst after the other of 150 anonymous logins, each from an address of its own, with a JSON body of 1 MiB that
  holds 209,714 empty members; throttling is off. All wait for their last byte, and get it at once. One client checks meanwhile.
- **The start** is the time from exec to the answer to the first check, with the database in the page cache.
- **A remembered session** is what the resident memory grows by when sessions are used for the first time, divided by
  their number, with GOGC=10, so that garbage that waits to be collected counts little. No sign of life is due here either.
- **PostgreSQL and Redis** are servers that the run starts for itself on the same machine, reached over TCP on the loopback
  interface without TLS, with 100,000 sessions of 10,000 users in each. PostgreSQL has its presets but for 256 MB of shared buffers;
  Redis has ` + "`appendfsync always`" + `: with both, what is acknowledged is on the disk, as with SQLite. "Sessions in Redis" means
  users in PostgreSQL. The servers take their share of the processors, which a machine of their own would give them.
- **Cold checks** of these rows: a node that remembers nothing (` + "`POSTERN_RECALL_ENTRIES=0`" + `), random sessions, 32
  connections. With sessions in Redis each check reads both engines, one after the other.
- **A logout holds on another node**: two nodes share the engines. A user logs in at one, checks twice at the other, which
  remembers the session, and logs out at the first. Then the other is asked without pause: the time is that from the acknowledgement
  of the logout to the first no, 200 times a round. **Cut off from the news**: the connection on which the other hears news goes
  through a proxy that drops everything from just before the logout on, and closes nothing; the worst of ten.
- **Growth**: cold checks of random sessions among ever more, ten for each user, of three nodes in turn. Where 20 GB of disk are not
  free, the largest database is smaller, and the head says so.
- **A stored session, a stored user** in PostgreSQL: the table and its indexes, filled by 100,000 rows in no order, by their number;
  in Redis: what ` + "`INFO memory`" + ` grows by, the index of the user's sessions included. The browser's name has 101 bytes.
- Memory is counted in bytes, MB are 10^6 of them; what is resident includes the pages of the program's file.
- An answer other than 2xx spoils its figure.
`

// markdown is docs/benchmarks.md.
func (r report) markdown() string {
	var b strings.Builder
	b.WriteString(introduction)
	b.WriteString(r.head())
	b.WriteString("\n")
	b.WriteString(r.table())
	b.WriteString("\n")
	b.WriteString(pictureLine)
	b.WriteString(howMeasured)
	return b.String()
}

func (r report) head() string {
	var b strings.Builder
	for _, f := range r.environment {
		fmt.Fprintf(&b, "- %s: %s\n", f.name, cell(f.value))
	}
	fmt.Fprintf(&b, "- rounds: %d of A B, %v each after %v to warm up\n", r.scale.rounds, r.scale.measure, r.scale.warm)
	if r.short {
		b.WriteString("- a short run: it shows that the benchmarks work, its figures mean nothing\n")
	}
	return b.String()
}

// table is what is printed, too.
func (r report) table() string {
	var b strings.Builder
	b.WriteString("| what | measured | against | ratio | target | |\n|---|--:|---|--:|--:|---|\n")
	for _, f := range r.figures {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(f.cells(), " | "))
	}
	return b.String()
}

func (f figure) cells() []string {
	target := "≥ "
	if f.atMost {
		target = "≤ "
	}
	switch {
	case !f.hasGoal():
		target = ""
	case f.against == "":
		target += amount(f.goal) + " " + f.unit
	default:
		target += ratio(f.goal)
	}
	if f.failure != nil {
		return []string{cell(f.name), "", cell(f.against), "", target, "failed: " + cell(f.failure.Error())}
	}
	verdict := "**short of it**"
	switch {
	case !f.hasGoal():
		verdict = ""
	case f.holds():
		verdict = "holds"
	}
	least, most := spread(f.values())
	if f.against == "" {
		measured := fmt.Sprintf("%s %s (%s to %s)", amount(f.measured()), f.unit, amount(least), amount(most))
		return []string{cell(f.name), measured, "", "", target, verdict}
	}
	return []string{
		cell(f.name),
		amount(f.measured()) + " " + f.unit,
		fmt.Sprintf("%s: %s", cell(f.against), amount(f.baseline())),
		fmt.Sprintf("**%s** (%s to %s)", ratio(median(f.values())), ratio(least), ratio(most)),
		target,
		verdict,
	}
}

// cell makes text fit a cell of a table, on one line.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
