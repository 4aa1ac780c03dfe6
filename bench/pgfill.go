package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// browser is what a browser calls itself, in 101 bytes.
const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

// sessionAge is how long a session lives by default, and loggedInWithin how
// long ago the oldest began.
const (
	sessionAge     = 14 * 24 * time.Hour
	loggedInWithin = 13 * 24 * time.Hour
)

// postgresDatabase is a database of PostgreSQL; with redis, a URL, the
// sessions live there instead.
type postgresDatabase struct {
	server *postgres
	name   string
	crowd
	redis   string
	hashKiB int
}

func (d postgresDatabase) environment() []string {
	settings := settings(d.server.url(d.name, d.server.port), d.hashKiB)
	if d.redis != "" {
		settings = append(settings, "POSTERN_SESSION_STORE="+d.redis)
	}
	return settings
}

// create copies the model database, and in it the only user and the only
// session. A large crowd gets its indexes when it is there.
func (d postgresDatabase) create(ctx context.Context) error {
	if err := d.server.exec(ctx, "postgres", "create database "+d.name+" template "+modelDatabase); err != nil {
		return err
	}
	err := d.server.connected(ctx, d.name, func(conn *pgx.Conn) error {
		return d.fill(ctx, conn)
	})
	if err != nil {
		return fmt.Errorf("fill the database %s: %w", d.name, err)
	}
	return nil
}

// indexedLater is the size of a crowd whose indexes are made at the end, which
// takes a fraction of the time.
const indexedLater = 500_000

func (d postgresDatabase) fill(ctx context.Context, conn *pgx.Conn) error {
	var later []string
	if d.sessions >= indexedLater {
		var err error
		if later, err = dropIndexes(ctx, conn); err != nil {
			return fmt.Errorf("drop the indexes: %w", err)
		}
	}
	if _, err := conn.Exec(ctx, copyUserInPostgres, d.users, firstID); err != nil {
		return fmt.Errorf("copy the user: %w", err)
	}
	if err := d.copySessions(ctx, conn); err != nil {
		return fmt.Errorf("copy the session: %w", err)
	}
	// What the server would do by itself, in the midst of a measure.
	for _, statement := range append(later, "vacuum (analyze)", "checkpoint") {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

const (
	// In no order, as people come: else the indexes of names would be as small
	// as they never are.
	copyUserInPostgres = `
		insert into auth_user (id, password, last_login, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name)
		select $2::bigint + i, u.password, u.last_login, u.is_superuser, 'user' || ($2::bigint + i), u.last_name,
			'user' || ($2::bigint + i) || '@example.com', u.is_staff, u.is_active, u.date_joined - i * interval '1 second', u.first_name
		from generate_series(0, $1::bigint - 1) i, (select * from auth_user limit 1) u
		order by random()`
	selectModelSession = `select auth_hash, created, address from postern_session limit 1`
	selectIndexes      = `
		select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indrelid::regclass::text, coalesce(c.conname, '')
		from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
		where i.indrelid in ('auth_user'::regclass, 'postern_session'::regclass)
		and (c.oid is null or i.indrelid = 'postern_session'::regclass)`
)

// likeGrown is the fill factor of an index that has grown by entries in no
// order: its pages are full by about seven tenths.
const likeGrown = " with (fillfactor = 70)"

// dropIndexes drops what does not keep the users unique, and returns the
// statements that make it again.
func dropIndexes(ctx context.Context, conn *pgx.Conn) (again []string, err error) {
	rows, err := conn.Query(ctx, selectIndexes)
	if err != nil {
		return nil, err
	}
	var drop []string
	var index, definition, table, constraint string
	_, err = pgx.ForEachRow(rows, []any{&index, &definition, &table, &constraint}, func() error {
		if constraint != "" {
			drop = append(drop, "alter table "+table+" drop constraint "+constraint)
			again = append(again, "alter table "+table+" add constraint "+constraint+" primary key (id)"+likeGrown)
			return nil
		}
		drop = append(drop, "drop index "+index)
		before, where, partial := strings.Cut(definition, " WHERE ")
		if partial {
			where = " where " + where
		}
		again = append(again, before+likeGrown+where)
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, strings.Join(drop, ";"))
	return again, err
}

// copySessions copies the only session for everyone. People logged in at
// random times of the last days.
func (d postgresDatabase) copySessions(ctx context.Context, conn *pgx.Conn) error {
	var authHash, address string
	var created time.Time
	if err := conn.QueryRow(ctx, selectModelSession).Scan(&authHash, &created, &address); err != nil {
		return fmt.Errorf("read it: %w", err)
	}
	columns := []string{"id", "user_id", "auth_hash", "csrf_secret", "created", "last_seen", "expires", "address", "user_agent"}
	random := rand.New(rand.NewPCG(5, 6))
	var key []byte
	n := 0
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"postern_session"}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		if n == d.sessions || ctx.Err() != nil {
			return nil, ctx.Err()
		}
		key = appendKey(key[:0], n)
		id := sha256.Sum256(key)
		began := created.Add(-time.Duration(random.Int64N(int64(loggedInWithin))))
		seen := created
		if n >= d.fresh {
			seen = created.Add(ahead)
		}
		row := []any{id[:], d.userID(n), authHash, csrfSecret, began, seen, began.Add(sessionAge), address, browser}
		n++
		return row, nil
	}))
	return err
}

// tableBytes is what a row of a table takes with its indexes.
func (d postgresDatabase) tableBytes(ctx context.Context, table string) (bytes float64, err error) {
	const query = `select pg_total_relation_size($1::regclass)::float8 / (select count(*) from %s)`
	err = d.server.connected(ctx, d.name, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, fmt.Sprintf(query, table), table).Scan(&bytes)
	})
	return bytes, err
}
