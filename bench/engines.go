package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// engines are a PostgreSQL and a Redis, and the same users and sessions in
// each of them and in SQLite. They are started for the first experiment that
// needs them.
type engines struct {
	postgres *postgres
	redis    *redis

	sqlite     database
	inPostgres postgresDatabase
	inRedis    postgresDatabase // its sessions are in Redis
	redisBytes float64          // of a session in Redis
}

// behind returns the engines, which run until the lab is closed.
func (l *lab) behind(ctx context.Context) (*engines, error) {
	if l.engines == nil {
		l.say("starting PostgreSQL and Redis, with %s sessions in each", amount(float64(l.some)))
		l.engines = new(engines)
		l.noEngines = l.engines.start(ctx, l)
	}
	return l.engines, l.noEngines
}

// close stops the engines, as far as they were started.
func (l *lab) close() {
	if l.engines == nil {
		return
	}
	if l.engines.redis != nil {
		l.engines.redis.stop()
	}
	if l.engines.postgres != nil {
		l.engines.postgres.stop()
	}
}

func (e *engines) start(ctx context.Context, l *lab) (err error) {
	if e.postgres, err = startPostgres(ctx, l.dir); err != nil {
		return err
	}
	if e.redis, err = startRedis(ctx, l.dir); err != nil {
		return err
	}
	if err := e.postgres.exec(ctx, "postgres", "create database "+modelDatabase); err != nil {
		return fmt.Errorf("make a database: %w", err)
	}
	model := postgresDatabase{server: e.postgres, name: modelDatabase, hashKiB: l.hashKiB}
	if err := migrate(ctx, l.dir, l.postern, model); err != nil {
		return fmt.Errorf("make a database of PostgreSQL: %w", err)
	}
	people := l.peopleOf(l.some)
	e.sqlite = database{path: filepath.Join(l.dir, "beside.sqlite3"), crowd: people, agent: browser, hashKiB: l.hashKiB}
	e.inPostgres = postgresDatabase{server: e.postgres, name: "beside", crowd: people, hashKiB: l.hashKiB}
	e.inRedis = e.inPostgres
	e.inRedis.redis = e.redis.url(e.redis.address.Port())
	if err := errors.Join(e.sqlite.create(ctx, l.dir, l.postern), e.inPostgres.create(ctx)); err != nil {
		return err
	}
	// The session that is copied is one that the program made, of a user whose
	// password all have.
	s, err := startServer(l.dir, l.postern, []string{"serve"}, e.inRedis.environment(), logins(1)(nil))
	if err != nil {
		return err
	}
	s.stop()
	e.redisBytes, err = e.redis.fill(ctx, people)
	return err
}

// sessionsEach is how many sessions a user has in the engines.
const sessionsEach = 10

// peopleOf are those who have so many sessions, none of which is due to tell a
// sign of life.
func (l *lab) peopleOf(sessions int) crowd {
	return crowd{users: sessions / sessionsEach, sessions: sessions}
}

// grow returns databases of PostgreSQL with ever more sessions, the first with
// a thousand.
func (l *lab) grow(ctx context.Context) (grown []postgresDatabase, err error) {
	e, err := l.behind(ctx)
	if err != nil {
		return nil, err
	}
	for _, sessions := range []int{l.few, l.some, l.grown} {
		d := e.inPostgres
		if sessions != l.some {
			l.say("making a database of %s sessions in PostgreSQL", amount(float64(sessions)))
			d.name, d.crowd = fmt.Sprintf("grown%d", sessions), l.peopleOf(sessions)
			if err := d.create(ctx); err != nil {
				return nil, err
			}
		}
		grown = append(grown, d)
	}
	return grown, nil
}
