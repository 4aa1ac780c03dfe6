package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// experiment measures one or more figures.
type experiment struct {
	figures []figure
	// crowded says that it needs the large database.
	crowded bool
	// run returns the rounds of each of the figures.
	run func(*lab, context.Context) ([][]round, error)
}

const (
	emptyHandler, quietMachine = "the empty handler", "the quiet machine"
	bareHash, libraryHash      = "the bare hash", "the bare hash of golang.org/x/crypto"
)

// quietServer is the same server without the flood.
const quietServer = "the quiet server"

// megabyte is 10^6 bytes, mebibyte 2^20.
const (
	megabyte = 1e6
	mebibyte = 1 << 20
)

// experiments are all there are, in the order of the table.
func experiments(s scale) []experiment { return append(nodeExperiments(), storeExperiments(s)...) }

// nodeExperiments measure one node, with its users and sessions in SQLite.
func nodeExperiments() []experiment {
	const checks, perSecond = "GET /api/user/, warm, 32 connections", "requests/s"
	return []experiment{
		{[]figure{{name: checks, against: emptyHandler, unit: perSecond, goal: 0.9}}, false, (*lab).warmChecks},
		{[]figure{{name: "the same, a million sessions stored, a tenth in use", against: "a thousand stored", unit: perSecond, goal: 0.9}}, true, (*lab).manySessions},
		{[]figure{{name: "the same, random among a million, cold", against: emptyHandler, unit: perSecond, goal: 0.5}}, true, (*lab).coldChecks},
		{[]figure{
			{name: "logins", against: bareHash, unit: "logins/s", goal: 0.9},
			{name: "processor time of a login", against: bareHash, unit: "ms"},
		}, false, (*lab).logins},
		{[]figure{{name: "logins, beside the library", against: libraryHash, unit: "logins/s", goal: 0.9}}, false, (*lab).loginsBesideLibrary},
		{[]figure{{name: "registrations, durable", against: bareHash, unit: "registrations/s", goal: 0.85}}, false, (*lab).registering},
		{[]figure{
			{name: "checks while 64 clients log in without pause", against: quietMachine, unit: perSecond, goal: 0.6},
			{name: "99th percentile of the checks in that storm", against: quietMachine, unit: "ms", goal: 3, atMost: true},
			{name: "peak memory in that storm, above idle", against: fmt.Sprintf("%d hashes and 50 MB", processors), unit: "MB", goal: 1, atMost: true},
		}, false, (*lab).storm},
		{[]figure{
			{name: "99th percentile of one client's checks amid a flood of bodies", against: quietServer, unit: "ms", goal: 4, atMost: true},
			{name: "peak memory in that flood", unit: "MB", goal: 300 * mebibyte / megabyte, atMost: true},
		}, false, (*lab).flooded},
		{[]figure{{name: "start to first answer, a million users", unit: "ms", goal: 150, atMost: true}}, true, (*lab).starts},
		{[]figure{{name: "resident memory, idle", unit: "MB", goal: 40, atMost: true}}, true, (*lab).idle},
		{[]figure{{name: "a remembered session", unit: "bytes", goal: 400, atMost: true}}, true, (*lab).remembered},
		{[]figure{
			{name: "admin site: first page of a million users", unit: "ms", goal: 50, atMost: true},
			{name: "admin site: search by prefix among them", unit: "ms", goal: 50, atMost: true},
			{name: "admin site: the heaviest page", unit: "KB", goal: 60, atMost: true},
		}, true, (*lab).administer},
	}
}

func (l *lab) warmChecks(ctx context.Context) ([][]round, error) {
	s, err := l.start(l.small)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	empty, err := l.startEmpty(s)
	if err != nil {
		return nil, err
	}
	defer empty.stop()
	script := checks(l.jar, inTurn(checkClients))
	rounds, err := l.aside(
		func() (float64, error) { return l.rate(ctx, s, checkClients, script) },
		func() (float64, error) { return l.rate(ctx, empty, checkClients, script) })
	return [][]round{rounds}, err
}

func (l *lab) manySessions(ctx context.Context) ([][]round, error) {
	large, err := l.start(l.large)
	if err != nil {
		return nil, err
	}
	defer large.stop()
	small, err := l.start(l.small)
	if err != nil {
		return nil, err
	}
	defer small.stop()
	err = errors.Join(
		l.send(ctx, large, checks(l.jar, inTurn(l.inUse)), l.inUse),
		l.send(ctx, small, checks(l.jar, inTurn(l.few)), l.few))
	if err != nil {
		return nil, err
	}
	inLarge, inSmall := checks(l.jar, atRandom(l.inUse)), checks(l.jar, atRandom(l.few))
	rounds, err := l.aside(
		func() (float64, error) { return l.rate(ctx, large, checkClients, inLarge) },
		func() (float64, error) { return l.rate(ctx, small, checkClients, inSmall) })
	return [][]round{rounds}, err
}

// coldChecks starts the server anew for each round, so that it remembers
// nothing.
func (l *lab) coldChecks(ctx context.Context) ([][]round, error) {
	model, err := l.start(l.small)
	if err != nil {
		return nil, err
	}
	empty, err := l.startEmpty(model)
	model.stop()
	if err != nil {
		return nil, err
	}
	defer empty.stop()
	script, same := checks(l.jar, onceEach(l.many)), checks(l.jar, onceEach(l.many))
	rounds, err := l.aside(
		func() (float64, error) {
			s, err := l.start(l.large)
			if err != nil {
				return 0, err
			}
			defer s.stop()
			return l.rate(ctx, s, checkClients, script)
		},
		func() (float64, error) { return l.rate(ctx, empty, checkClients, same) })
	return [][]round{rounds}, err
}

func (l *lab) logins(ctx context.Context) ([][]round, error) {
	rates, times, _, err := l.besideBareHash(ctx, l.small, func() script { return logins(l.few) }, nil)
	return [][]round{rates, times}, err
}

func (l *lab) loginsBesideLibrary(ctx context.Context) ([][]round, error) {
	rates, _, _, err := l.besideBareHash(ctx, l.small, func() script { return logins(l.few) }, nil, "-library")
	return [][]round{rates}, err
}

func (l *lab) registering(ctx context.Context) ([][]round, error) {
	rates, _, _, err := l.besideBareHash(ctx, l.small, func() script {
		l.registrations++
		return registrations(fmt.Sprintf("new%d-", l.registrations))
	}, nil)
	return [][]round{rates}, err
}

// besideBareHash measures how many a second there are, and the processor time
// of each: in the server beside that of a bare hash, and in the engines. It
// takes twice the rounds: how fast a hash is, which waits for the memory and
// little else, varies most on a machine that others share.
func (l *lab) besideBareHash(ctx context.Context, h home, newScript func() script, engines []*process, flags ...string) (rates, own, theirs []round, err error) {
	s, err := l.start(h)
	if err != nil {
		return nil, nil, nil, err
	}
	defer s.stop()
	script := newScript()
	rates, err = asideFor(2*l.rounds,
		func() (float64, error) {
			before, err := processorTimes(s.process, engines)
			if err != nil {
				return 0, err
			}
			rate, err := l.rate(ctx, s, loginClients, script)
			if err != nil {
				return 0, err
			}
			after, err := processorTimes(s.process, engines)
			answers := rate * (l.warm + l.measure).Seconds()
			own = append(own, round{measured: milliseconds(after.server-before.server) / answers})
			theirs = append(theirs, round{measured: milliseconds(after.engines-before.engines) / answers})
			return rate, err
		},
		func() (float64, error) { return l.bareHash(ctx, flags...) })
	if err != nil {
		return nil, nil, nil, err
	}
	for i, r := range rates {
		own[i].baseline = float64(processors) * 1000 / r.baseline
	}
	return rates, own, theirs, nil
}

// taken is the processor time that processes have taken so far.
type taken struct{ server, engines time.Duration }

func processorTimes(server *process, engines []*process) (t taken, err error) {
	if t.server, err = server.processorTime(); err != nil {
		return t, err
	}
	for _, e := range engines {
		more, err := e.processorTime()
		if err != nil {
			return t, err
		}
		t.engines += more
	}
	return t, nil
}

// storm measures the checks quiet and with logins in turn, and the memory at
// its worst.
func (l *lab) storm(ctx context.Context) ([][]round, error) {
	s, err := l.start(l.small)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	time.Sleep(l.warm)
	idle, err := s.resident()
	if err != nil {
		return nil, err
	}
	bound := float64(processors*l.hashMemory) + 50*megabyte
	script, storming := checks(l.jar, inTurn(checkClients)), logins(l.few)
	var rates, latencies, peaks []round
	for range l.rounds {
		quiet, err := l.load(ctx, s, checkClients, script)
		if err != nil {
			return nil, fmt.Errorf("the quiet machine: %w", err)
		}
		if err := s.forgetPeak(); err != nil {
			return nil, err
		}
		busy, err := l.whileLoggingIn(ctx, s, storming, script)
		if err != nil {
			return nil, err
		}
		peak, err := s.peak()
		if err != nil {
			return nil, err
		}
		rates = append(rates, round{busy.rate(), quiet.rate()})
		latencies = append(latencies, round{milliseconds(busy.quantile(0.99)), milliseconds(quiet.quantile(0.99))})
		peaks = append(peaks, round{(peak - idle) / megabyte, bound / megabyte})
	}
	return [][]round{rates, latencies, peaks}, nil
}

// whileLoggingIn measures checks amid logins without pause.
func (l *lab) whileLoggingIn(ctx context.Context, s *server, logins, checks script) (tally, error) {
	storm, calm := context.WithCancel(ctx)
	defer calm()
	type ending struct {
		tally tally
		err   error
	}
	ended := make(chan ending, 1)
	go func() {
		t, err := drive(storm, load{address: s.address, clients: loginClients, script: logins, measure: time.Hour})
		ended <- ending{t, err}
	}()
	measured, err := l.load(ctx, s, checkClients, checks)
	calm()
	came := <-ended
	if loginErr := errors.Join(came.err, came.tally.err()); loginErr != nil {
		err = errors.Join(err, fmt.Errorf("the logins: %w", loginErr))
	}
	return measured, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// starts measures more often than the others: a start is short.
func (l *lab) starts(context.Context) ([][]round, error) {
	const times = 3
	var rounds []round
	for range times * l.rounds {
		s, err := l.start(l.large)
		if err != nil {
			return nil, err
		}
		s.stop()
		rounds = append(rounds, round{measured: milliseconds(s.started)})
	}
	return [][]round{rounds}, nil
}

func (l *lab) idle(context.Context) ([][]round, error) {
	var rounds []round
	for range l.rounds {
		s, err := l.start(l.large)
		if err != nil {
			return nil, err
		}
		time.Sleep(l.warm)
		memory, err := s.resident()
		s.stop()
		if err != nil {
			return nil, err
		}
		rounds = append(rounds, round{measured: memory / megabyte})
	}
	return [][]round{rounds}, nil
}

// remembered uses a tenth of the sessions first, which fills what does not grow
// with their number, and then others. The checks after that give the garbage
// collector the time to end. The sessions are those of which no sign of life is
// due, for these wait in memory, too.
func (l *lab) remembered(ctx context.Context) ([][]round, error) {
	var rounds []round
	for range l.rounds {
		grown, err := l.growth(ctx)
		if err != nil {
			return nil, err
		}
		rounds = append(rounds, round{measured: grown / float64(l.inUse)})
	}
	return [][]round{rounds}, nil
}

func (l *lab) growth(ctx context.Context) (float64, error) {
	s, err := l.start(l.large, "GOGC=10")
	if err != nil {
		return 0, err
	}
	defer s.stop()
	quiet := inTurn(l.many - l.inUse)
	next, few := checks(l.jar, func() int { return l.inUse + quiet() }), checks(l.jar, inTurn(checkClients))
	settled := func(n int) (float64, error) {
		if err := l.send(ctx, s, next, n); err != nil {
			return 0, err
		}
		if err := l.send(ctx, s, few, n/10+checkClients); err != nil {
			return 0, err
		}
		return s.resident()
	}
	before, err := settled(l.inUse / 10)
	if err != nil {
		return 0, err
	}
	after, err := settled(l.inUse)
	return after - before, err
}
