package main

import (
	"context"
	"errors"
	"fmt"
)

const (
	sqliteBehind = "SQLite behind"
	aThousand    = "a thousand"
	// nothingRemembered makes each check a read of the store.
	nothingRemembered = "POSTERN_RECALL_ENTRIES=0"
)

// storeExperiments compare the engines that several nodes share.
func storeExperiments(s scale) []experiment {
	const perSecond = "requests/s"
	grown := func(n int) figure {
		return figure{name: fmt.Sprintf("cold checks, %s sessions in PostgreSQL", amount(float64(n))), against: aThousand, unit: perSecond}
	}
	return []experiment{
		{[]figure{{name: "warm checks, PostgreSQL behind", against: sqliteBehind, unit: perSecond, goal: 0.95}}, false, (*lab).warmPostgres},
		{[]figure{{name: "warm checks, sessions in Redis", against: sqliteBehind, unit: perSecond, goal: 0.95}}, false, (*lab).warmRedis},
		{[]figure{
			{name: "cold checks, PostgreSQL behind", against: sqliteBehind, unit: perSecond},
			{name: "median of these", against: sqliteBehind, unit: "ms"},
			{name: "99th percentile of these", against: sqliteBehind, unit: "ms"},
			{name: "cold checks, sessions in Redis", against: sqliteBehind, unit: perSecond},
			{name: "median of these with Redis", against: sqliteBehind, unit: "ms"},
			{name: "99th percentile of these with Redis", against: sqliteBehind, unit: "ms"},
		}, false, (*lab).coldBehind},
		{[]figure{
			{name: "logins, PostgreSQL behind", against: bareHash, unit: "logins/s", goal: 0.85},
			{name: "processor time of a login, PostgreSQL behind", against: bareHash, unit: "ms"},
			{name: "beside that, in PostgreSQL", unit: "ms"},
		}, false, (*lab).loginsPostgres},
		{[]figure{
			{name: "logins, sessions in Redis", against: bareHash, unit: "logins/s", goal: 0.85},
			{name: "processor time of a login, sessions in Redis", against: bareHash, unit: "ms"},
			{name: "beside that, in PostgreSQL and Redis", unit: "ms"},
		}, false, (*lab).loginsRedis},
		{[]figure{
			{name: "a logout holds on another node: PostgreSQL, median", unit: "ms", goal: 10, atMost: true},
			{name: "the same, 99th percentile", unit: "ms", goal: 100, atMost: true},
		}, false, (*lab).revokePostgres},
		{[]figure{
			{name: "a logout holds on another node: Redis, median", unit: "ms", goal: 10, atMost: true},
			{name: "the same with Redis, 99th percentile", unit: "ms", goal: 100, atMost: true},
		}, false, (*lab).revokeRedis},
		{[]figure{{name: "the same on a node cut off from the news: PostgreSQL, worst", unit: "ms", goal: 2000, atMost: true}}, false, (*lab).cutPostgres},
		{[]figure{{name: "the same on a node cut off from the news: Redis, worst", unit: "ms", goal: 2000, atMost: true}}, false, (*lab).cutRedis},
		{[]figure{grown(s.some), grown(s.grown)}, false, (*lab).growing},
		{[]figure{
			{name: "a stored session in PostgreSQL", unit: "bytes"},
			{name: "a stored user in PostgreSQL", unit: "bytes"},
			{name: "a stored session in Redis", unit: "bytes"},
		}, false, (*lab).stored},
	}
}

func (l *lab) warmPostgres(ctx context.Context) ([][]round, error) {
	return l.warmBehind(ctx, func(e *engines) home { return e.inPostgres })
}

func (l *lab) warmRedis(ctx context.Context) ([][]round, error) {
	return l.warmBehind(ctx, func(e *engines) home { return e.inRedis })
}

func (l *lab) warmBehind(ctx context.Context, pick func(*engines) home) ([][]round, error) {
	e, err := l.behind(ctx)
	if err != nil {
		return nil, err
	}
	nodes, stop, err := l.startAll([]home{pick(e), e.sqlite})
	if err != nil {
		return nil, err
	}
	defer stop()
	script := checks(l.jar, inTurn(checkClients))
	rounds, err := l.aside(
		func() (float64, error) { return l.rate(ctx, nodes[0], checkClients, script) },
		func() (float64, error) { return l.rate(ctx, nodes[1], checkClients, script) })
	return [][]round{rounds}, err
}

// startAll runs a node on each of the homes.
func (l *lab) startAll(homes []home, environment ...string) (nodes []*server, stop func(), err error) {
	stop = func() {
		for _, s := range nodes {
			s.stop()
		}
	}
	for _, h := range homes {
		s, err := l.start(h, environment...)
		if err != nil {
			stop()
			return nil, nil, err
		}
		nodes = append(nodes, s)
	}
	return nodes, stop, nil
}

// coldBehind measures A B C A B C: PostgreSQL, Redis, and SQLite beside them.
func (l *lab) coldBehind(ctx context.Context) ([][]round, error) {
	e, err := l.behind(ctx)
	if err != nil {
		return nil, err
	}
	tallies, err := l.cold(ctx, []home{e.inPostgres, e.inRedis, e.sqlite}, []int{l.some, l.some, l.some})
	if err != nil {
		return nil, err
	}
	var figures [][]round
	for engine := range 2 {
		var rates, medians, slow []round
		for _, t := range tallies {
			a, b := t[engine], t[2]
			rates = append(rates, round{a.rate(), b.rate()})
			medians = append(medians, round{milliseconds(a.quantile(0.5)), milliseconds(b.quantile(0.5))})
			slow = append(slow, round{milliseconds(a.quantile(0.99)), milliseconds(b.quantile(0.99))})
		}
		figures = append(figures, rates, medians, slow)
	}
	return figures, nil
}

// cold loads nodes that remember nothing, one after another, in each round:
// checks of random sessions, of as many as there are in each home.
func (l *lab) cold(ctx context.Context, homes []home, sessions []int) (rounds [][]tally, err error) {
	nodes, stop, err := l.startAll(homes, nothingRemembered)
	if err != nil {
		return nil, err
	}
	defer stop()
	for range l.rounds {
		var one []tally
		for i, s := range nodes {
			t, err := l.load(ctx, s, checkClients, checksBy(appendKey, atRandom(sessions[i])))
			if err != nil {
				return nil, err
			}
			one = append(one, t)
		}
		rounds = append(rounds, one)
	}
	return rounds, nil
}

func (l *lab) loginsPostgres(ctx context.Context) ([][]round, error) {
	e, err := l.behind(ctx)
	if err != nil {
		return nil, err
	}
	rates, own, theirs, err := l.besideBareHash(ctx, e.inPostgres, func() script { return logins(e.inPostgres.users) }, []*process{e.postgres.process})
	return [][]round{rates, own, theirs}, err
}

func (l *lab) loginsRedis(ctx context.Context) ([][]round, error) {
	e, err := l.behind(ctx)
	if err != nil {
		return nil, err
	}
	rates, own, theirs, err := l.besideBareHash(ctx, e.inRedis, func() script { return logins(e.inRedis.users) }, []*process{e.postgres.process, e.redis.process})
	return [][]round{rates, own, theirs}, err
}

// growing measures the largest database last, so that the smaller ones are not
// pushed out of memory while it is filled.
func (l *lab) growing(ctx context.Context) ([][]round, error) {
	grown, err := l.grow(ctx)
	if err != nil {
		return nil, err
	}
	var homes []home
	var sessions []int
	for _, d := range grown {
		homes, sessions = append(homes, d), append(sessions, d.sessions)
	}
	tallies, err := l.cold(ctx, homes, sessions)
	if err != nil {
		return nil, err
	}
	figures := make([][]round, len(grown)-1)
	for _, t := range tallies {
		for i := range figures {
			figures[i] = append(figures[i], round{t[i+1].rate(), t[0].rate()})
		}
	}
	return figures, nil
}

// stored measures what a row takes that came among others in no order.
func (l *lab) stored(ctx context.Context) ([][]round, error) {
	e, err := l.behind(ctx)
	if err != nil {
		return nil, err
	}
	d := e.inPostgres
	d.name = "measured"
	if err := d.create(ctx); err != nil {
		return nil, err
	}
	session, err1 := d.tableBytes(ctx, "postern_session")
	user, err2 := d.tableBytes(ctx, "auth_user")
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("measure a table: %w", err)
	}
	return [][]round{{{measured: session}}, {{measured: user}}, {{measured: e.redisBytes}}}, nil
}
