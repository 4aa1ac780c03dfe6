package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/django"
	"zombiezen.com/go/sqlite"
)

// identities reads the one row that every request asks for. It goes past
// database/sql, which would cost more than the reading itself, on a few
// connections of its own, which cannot write.
//
// Its driver and that of the other connections are two faces of one SQLite
// (modernc.org/sqlite/lib): that matters, because a process with two SQLites
// would lose its locks on a file that both have open.
type identities struct {
	path   string
	wait   time.Duration // for a lock
	slots  chan struct{} // holds an element for each connection that is in use
	ended  chan struct{} // closed when no more reads may begin
	took   observer
	end    sync.Once
	health *health
	odd    *auth.OddRows

	mu   sync.Mutex
	idle []*identityReader // the one used last is at the end: its pages are in memory
}

// newIdentities returns at most conns connections to the file path, which
// exists. Each is opened when it is needed first.
func newIdentities(path string, conns int, h *health) *identities {
	return &identities{path: path, wait: readerWait, slots: make(chan struct{}, conns), ended: make(chan struct{}), health: h}
}

// read returns the session id and its user, or auth.ErrNoSession. It looks at
// ctx only before it starts: a read takes microseconds.
func (p *identities) read(ctx context.Context, id *auth.SessionID) (*auth.Identity, error) {
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	defer p.leave()
	if p.health.misplaced.Load() {
		return nil, errMisplaced
	}
	r, err := p.take()
	if err != nil {
		return nil, classify(p.health.note(err))
	}
	identity, err := r.read(id)
	if err != nil && !errors.Is(err, auth.ErrNoSession) {
		// A new connection knows nothing of what was wrong with this one.
		return nil, classify(errors.Join(p.health.note(err), r.conn.Close()))
	}
	p.keep(r)
	return identity, err
}

// enter waits until a connection may be used.
func (p *identities) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return unavailable(context.Cause(ctx))
	}
	select {
	case <-p.ended:
		return errClosed
	default:
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-p.ended:
		return errClosed
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
}

func (p *identities) leave() { <-p.slots }

func (p *identities) take() (*identityReader, error) {
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		r := p.idle[last]
		p.idle = p.idle[:last]
		p.mu.Unlock()
		return r, nil
	}
	p.mu.Unlock()
	return openIdentityReader(p.path, p.wait, p.odd)
}

func (p *identities) keep(r *identityReader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, r)
}

// close lets no more reads begin, waits for those under way and closes the
// connections.
func (p *identities) close() (err error) {
	p.end.Do(func() {
		close(p.ended)
		for range cap(p.slots) {
			p.slots <- struct{}{}
		}
		for _, r := range p.idle {
			err = errors.Join(err, r.conn.Close())
		}
		p.idle = nil
	})
	return err
}

// identityReader is a connection with its statement. One goroutine uses it at
// a time.
type identityReader struct {
	conn *sqlite.Conn
	stmt *sqlite.Stmt // nil until there is a table to read
	text []byte       // the text of a row on its way out
	odd  *auth.OddRows
}

// readerWait is how long a read waits for a lock, which it needs only while
// another process recovers the log or closes the database; as in readPragmas.
const readerWait = 2 * time.Second

func openIdentityReader(path string, wait time.Duration, odd *auth.OddRows) (*identityReader, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(wait)
	if err := command(conn, "pragma query_only = 1"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &identityReader{conn: conn, odd: odd}, nil
}

// command runs a statement for its effect.
func command(conn *sqlite.Conn, statement string) error {
	stmt, _, err := conn.PrepareTransient(statement)
	if err != nil {
		return err
	}
	_, err = stmt.Step()
	return errors.Join(err, stmt.Finalize())
}

func (r *identityReader) read(id *auth.SessionID) (identity *auth.Identity, err error) {
	if r.stmt == nil {
		if r.stmt, err = r.conn.Prepare(selectIdentity); err != nil {
			return nil, err
		}
	}
	// The statement is kept here and not asked for with Prepare again, which
	// clears the parameter, which has SQLite plan a join anew.
	r.stmt.BindBytes(1, id[:])
	found, err := r.stmt.Step()
	if found {
		identity = r.scan()
		identity.Session.ID = *id
	}
	// This ends the transaction, so that the next read sees the next commit.
	if resetErr := r.stmt.Reset(); err == nil {
		err = resetErr
	}
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, auth.ErrNoSession
	}
	return identity, nil
}

// The columns of selectIdentity.
const (
	columnID = iota
	columnUsername
	columnEmail
	columnFirstName
	columnLastName
	columnPassword
	columnIsActive
	columnIsStaff
	columnIsSuperuser
	columnLastLogin
	columnDateJoined
	columnUserID
	columnAuthHash
	columnCSRFSecret
	columnCreated
	columnLastSeen
	columnExpires
	columnAddress
	columnUserAgent
	identityColumns
)

// scan reads the row that the statement stands on; only its id is missing. It
// never fails: see value.
func (r *identityReader) scan() *auth.Identity {
	row := r.stmt
	var t texts
	r.copyTexts(&t)
	identity := &auth.Identity{
		User: auth.User{
			ID: row.ColumnInt64(columnID), Username: t.of(columnUsername), Email: t.of(columnEmail),
			FirstName: t.of(columnFirstName), LastName: t.of(columnLastName), Password: t.of(columnPassword),
			IsActive: r.flag(columnIsActive), IsStaff: r.flag(columnIsStaff), IsSuperuser: r.flag(columnIsSuperuser),
		},
		Session: auth.Session{
			UserID: row.ColumnInt64(columnUserID), AuthHash: t.of(columnAuthHash), CSRFSecret: t.of(columnCSRFSecret),
			UserAgent: t.of(columnUserAgent),
			Created:   fromMicros(row.ColumnInt64(columnCreated)), LastSeen: fromMicros(row.ColumnInt64(columnLastSeen)),
			Expires: fromMicros(row.ColumnInt64(columnExpires)),
		},
	}
	// An address that can't be read is as good as an unknown one.
	identity.Session.Address, _ = netip.ParseAddr(t.of(columnAddress))
	r.check(identity, &t)
	return identity
}

// check reads the times and looks for what can't be read.
func (r *identityReader) check(i *auth.Identity, t *texts) {
	u := &i.User
	bad := func(column auth.Columns, ok bool) {
		if !ok {
			u.Unreadable |= column
		}
	}
	var ok bool
	if r.stmt.ColumnType(columnLastLogin) != sqlite.TypeNull {
		u.LastLogin, ok = timeOf(t.of(columnLastLogin))
		bad(auth.ColumnLastLogin, ok)
	}
	if r.stmt.ColumnType(columnDateJoined) != sqlite.TypeNull {
		u.DateJoined, ok = timeOf(t.of(columnDateJoined))
		bad(auth.ColumnDateJoined, ok)
	}
	for column, text := range []*string{&u.Username, &u.Email, &u.FirstName, &u.LastName, &u.Password} {
		*text, ok = textOf(*text, r.stmt.ColumnType(columnUsername+column) == sqlite.TypeBlob)
		bad(userTexts[column], ok)
	}
	if u.Unreadable&auth.ColumnPassword != 0 {
		u.Password = ""
	}
	for _, column := range []int{columnCreated, columnLastSeen, columnExpires} {
		if r.stmt.ColumnType(column) != sqlite.TypeInteger { // the session is over
			i.Session.Expires = fromMicros(0)
			r.odd.Row("postern_session", "", sessionNames[1+column-columnUserID])
		}
	}
	r.odd.User(u)
}

func (r *identityReader) flag(column int) bool {
	if r.stmt.ColumnType(column) == sqlite.TypeInteger {
		return r.stmt.ColumnInt64(column) == 1
	}
	return django.ParseFlag(r.stmt.ColumnText(column))
}

// texts are the columns of a row that hold text: parts of one string.
type texts struct {
	all  string
	ends [identityColumns]int
}

func (t *texts) of(column int) string { return t.all[t.ends[column-1]:t.ends[column]] }

// copyTexts copies all text of the row at once.
func (r *identityReader) copyTexts(t *texts) {
	r.text = r.text[:0]
	for column := range identityColumns {
		t.ends[column] = len(r.text)
		switch column {
		case columnUsername, columnEmail, columnFirstName, columnLastName, columnPassword, columnLastLogin,
			columnDateJoined, columnAuthHash, columnCSRFSecret, columnAddress, columnUserAgent:
			r.copyText(column)
			t.ends[column] = len(r.text)
		}
	}
	t.all = string(r.text)
	if cap(r.text) > maxKeptText {
		r.text = nil
	}
}

// maxKeptText is how many bytes a connection keeps for the text of the next
// row. What Django and this package store is shorter.
const maxKeptText = 8 << 10

func (r *identityReader) copyText(column int) {
	// Asking for the length first turns what isn't UTF-8 into it.
	n, start := r.stmt.ColumnLen(column), len(r.text)
	r.text = slices.Grow(r.text, n)[:start+n]
	r.stmt.ColumnBytes(column, r.text[start:])
}

// Identity implements auth.SessionStore.
func (s *Store) Identity(ctx context.Context, id auth.SessionID) (*auth.Identity, error) {
	defer s.identities.took.since(time.Now(), "read", 1)
	identity, err := s.identities.read(ctx, &id)
	if err != nil && !errors.Is(err, auth.ErrNoSession) {
		return nil, fmt.Errorf("load session: %w", err)
	}
	return identity, err
}
