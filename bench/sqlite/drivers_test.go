//go:build unix

package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"modernc.org/sqlite"
	zombiezen "zombiezen.com/go/sqlite"
)

// conn is a connection of one driver, used by one goroutine at a time.
type conn interface {
	exec(statement string) error
	// read is the point read; it copies every column out.
	read(id []byte, into *row) error
	// insert stores a session.
	insert(id []byte, user int64) error
	close() error
}

// row holds what a point read copies: the columns of a user, then those of a
// session.
type row struct {
	numbers [8]int64
	texts   [11]string
}

var errNoRow = errors.New("no such row")

// selectIdentity is the statement of internal/sqlstore.
const selectIdentity = `select u.id, u.username, u.email, u.first_name, u.last_name, u.password,
	u.is_active, u.is_staff, u.is_superuser, cast(u.last_login as text), cast(u.date_joined as text),
	s.user_id, s.auth_hash, s.csrf_secret, s.created, s.last_seen, s.expires, s.address, s.user_agent
	from postern_session s join auth_user u on u.id = s.user_id where s.id = $1`

const insertSession = `insert into postern_session
	(id, user_id, auth_hash, csrf_secret, created, last_seen, expires, address, user_agent)
	values ($1, $2, '` + authHash + `', '` + csrfSecret + `', $3, $3, $3, '2001:db8::1', '` + userAgent + `')`

// Which columns are numbers and which are text.
var (
	numbers = [...]int{0, 6, 7, 8, 11, 14, 15, 16}
	texts   = [...]int{1, 2, 3, 4, 5, 9, 10, 12, 13, 17, 18}
)

// drivers are the ways to SQLite that are compared.
var drivers = []struct {
	name string
	open func(path string) (conn, error)
}{
	{"modernc+database_sql", openPooled},
	{"modernc+driver", openModernc},
	{"zombiezen", openZombiezen},
	{"ncruces", openNcruces},
}

// pooled is modernc.org/sqlite as an application uses it: database/sql.
type pooled struct {
	db           *sql.DB
	reads, write *sql.Stmt
}

func openPooled(path string) (conn, error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &pooled{db: db}, nil
}

func (p *pooled) exec(statement string) error {
	_, err := p.db.Exec(statement)
	return err
}

func (p *pooled) read(id []byte, into *row) (err error) {
	if p.reads == nil {
		if p.reads, err = p.db.Prepare(selectIdentity); err != nil {
			return err
		}
	}
	var dest [19]any
	var lastLogin sql.NullString
	for i, column := range numbers {
		dest[column] = &into.numbers[i]
	}
	for i, column := range texts {
		dest[column] = &into.texts[i]
	}
	dest[9] = &lastLogin
	err = p.reads.QueryRow(id).Scan(dest[:]...)
	into.texts[5] = lastLogin.String
	return err
}

func (p *pooled) insert(id []byte, user int64) (err error) {
	if p.write == nil {
		if p.write, err = p.db.Prepare(insertSession); err != nil {
			return err
		}
	}
	_, err = p.write.Exec(id, user, moment)
	return err
}

func (p *pooled) close() error { return p.db.Close() }

// direct is a connection of modernc.org/sqlite without database/sql.
type direct struct {
	driver.Conn
	reads, write driver.StmtQueryContext
	values       [19]driver.Value
	args         [3]driver.NamedValue
}

func openModernc(path string) (conn, error) {
	connector, err := sqlite.NewConnector(path)
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(context.Background())
	return &direct{Conn: c, args: [3]driver.NamedValue{{Ordinal: 1}, {Ordinal: 2}, {Ordinal: 3}}}, err
}

func (d *direct) exec(statement string) error {
	_, err := d.Conn.(driver.ExecerContext).ExecContext(context.Background(), statement, nil)
	return err
}

func (d *direct) read(id []byte, into *row) error {
	if d.reads == nil {
		stmt, err := d.Conn.Prepare(selectIdentity)
		if err != nil {
			return err
		}
		d.reads = stmt.(driver.StmtQueryContext)
	}
	d.args[0].Value = id
	rows, err := d.reads.QueryContext(context.Background(), d.args[:1])
	if err != nil {
		return err
	}
	if err := rows.Next(d.values[:]); err != nil {
		rows.Close()
		if err == io.EOF {
			return errNoRow
		}
		return err
	}
	for i, column := range numbers {
		switch v := d.values[column].(type) {
		case int64:
			into.numbers[i] = v
		case bool:
			into.numbers[i] = 1
		}
	}
	for i, column := range texts {
		into.texts[i], _ = d.values[column].(string)
	}
	return rows.Close()
}

func (d *direct) insert(id []byte, user int64) error {
	if d.write == nil {
		stmt, err := d.Conn.Prepare(insertSession)
		if err != nil {
			return err
		}
		d.write = stmt.(driver.StmtQueryContext)
	}
	d.args[0].Value, d.args[1].Value, d.args[2].Value = id, user, int64(moment)
	_, err := d.write.(driver.StmtExecContext).ExecContext(context.Background(), d.args[:])
	return err
}

func (d *direct) close() error {
	if d.reads != nil {
		d.reads.(driver.Stmt).Close()
	}
	if d.write != nil {
		d.write.(driver.Stmt).Close()
	}
	return d.Conn.Close()
}

// viaZombiezen is zombiezen.com/go/sqlite. Each statement is kept: Prepare
// clears the bindings, which makes SQLite 3.54 plan a join anew.
type viaZombiezen struct {
	*zombiezen.Conn
	reads, write *zombiezen.Stmt
	scratch      [1024]byte
}

func openZombiezen(path string) (conn, error) {
	c, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
	return &viaZombiezen{Conn: c}, err
}

func (z *viaZombiezen) exec(statement string) error {
	stmt, _, err := z.Conn.PrepareTransient(statement)
	if err != nil {
		return err
	}
	defer stmt.Finalize()
	_, err = stmt.Step()
	return err
}

func (z *viaZombiezen) read(id []byte, into *row) (err error) {
	if z.reads == nil {
		if z.reads, err = z.Conn.Prepare(selectIdentity); err != nil {
			return err
		}
	}
	defer z.reads.Reset()
	z.reads.BindBytes(1, id)
	found, err := z.reads.Step()
	if err != nil || !found {
		return errors.Join(err, errNoRow)
	}
	for i, column := range numbers {
		into.numbers[i] = z.reads.ColumnInt64(column)
	}
	// The text is copied out in one piece, of which the strings are parts.
	var ends [len(texts)]int
	n := 0
	for i, column := range texts {
		n += z.reads.ColumnBytes(column, z.scratch[n:])
		ends[i] = n
	}
	all, start := string(z.scratch[:n]), 0
	for i, end := range ends {
		into.texts[i], start = all[start:end], end
	}
	return nil
}

func (z *viaZombiezen) insert(id []byte, user int64) (err error) {
	if z.write == nil {
		if z.write, err = z.Conn.Prepare(insertSession); err != nil {
			return err
		}
	}
	z.write.BindBytes(1, id)
	z.write.BindInt64(2, user)
	z.write.BindInt64(3, moment)
	if _, err := z.write.Step(); err != nil {
		return err
	}
	return z.write.Reset()
}

func (z *viaZombiezen) close() error { return z.Conn.Close() }

// viaNcruces is github.com/ncruces/go-sqlite3, its own interface.
type viaNcruces struct {
	*sqlite3.Conn
	reads, write *sqlite3.Stmt
	scratch      []byte
}

func openNcruces(path string) (conn, error) {
	c, err := sqlite3.Open(path)
	return &viaNcruces{Conn: c}, err
}

func (n *viaNcruces) exec(statement string) error { return n.Conn.Exec(statement) }

func (n *viaNcruces) read(id []byte, into *row) (err error) {
	if n.reads == nil {
		if n.reads, _, err = n.Conn.Prepare(selectIdentity); err != nil {
			return err
		}
	}
	defer n.reads.Reset()
	if err := n.reads.BindBlob(1, id); err != nil {
		return err
	}
	if !n.reads.Step() {
		return errors.Join(n.reads.Err(), errNoRow)
	}
	for i, column := range numbers {
		into.numbers[i] = n.reads.ColumnInt64(column)
	}
	var ends [len(texts)]int
	n.scratch = n.scratch[:0]
	for i, column := range texts {
		n.scratch = append(n.scratch, n.reads.ColumnRawText(column)...)
		ends[i] = len(n.scratch)
	}
	all, start := string(n.scratch), 0
	for i, end := range ends {
		into.texts[i], start = all[start:end], end
	}
	return nil
}

func (n *viaNcruces) insert(id []byte, user int64) (err error) {
	if n.write == nil {
		if n.write, _, err = n.Conn.Prepare(insertSession); err != nil {
			return err
		}
	}
	if err := errors.Join(n.write.BindBlob(1, id), n.write.BindInt64(2, user), n.write.BindInt64(3, moment)); err != nil {
		return err
	}
	n.write.Step()
	return n.write.Reset()
}

func (n *viaNcruces) close() error {
	if n.reads != nil {
		n.reads.Close()
	}
	if n.write != nil {
		n.write.Close()
	}
	return n.Conn.Close()
}

// Drivers that read different rows can't be compared.
func TestEveryDriverReadsTheSameRow(t *testing.T) {
	path := newDatabase(t, 100)
	var want row
	for i, d := range drivers {
		c, err := d.open(path)
		if err != nil {
			t.Fatal(err)
		}
		var got row
		if err := c.read(sessionID(42), &got); err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
		if i == 0 {
			want = got
		}
		if got != want || got.texts[0] != "user42" {
			t.Errorf("%s reads %+v, want %+v", d.name, got, want)
		}
		if err := c.close(); err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
	}
}
