package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// maxBatch is how many jobs go into one commit at most.
const maxBatch = 256

var errClosed = fmt.Errorf("%w: it is closed", auth.ErrUnavailable)

// job is a write on its way to the writer.
type job struct {
	run func(*tx) error
	// alone asks for a commit of its own, for a job that may be refused only
	// at the commit, by a deferred foreign key.
	alone bool
	state atomic.Int32
	err   error         // the outcome, to be read after done
	done  chan struct{} // closed after the commit or the rollback
}

// A job waits until either the writer takes it or its caller leaves it.
const (
	waiting int32 = iota
	taken
	left
)

func (j *job) take() bool  { return j.state.CompareAndSwap(waiting, taken) }
func (j *job) leave() bool { return j.state.CompareAndSwap(waiting, left) }

// writer is the one goroutine that writes. It runs the jobs that have queued
// up in one transaction, each in a savepoint of its own, commits, and only
// then answers them all.
type writer struct {
	db     *sql.DB
	wait   time.Duration
	news   *news // nil if nobody listens
	took   observer
	health *health

	mu     sync.RWMutex // held for reading while a job enters the queue
	closed bool
	queue  chan *job
	ended  chan struct{}

	// What follows belongs to the goroutine.
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	held     *job // wants a commit of its own, the next one
}

func newWriter(db *sql.DB, h *health, o Options) *writer {
	w := &writer{db: db, health: h, wait: o.Wait, news: newNews(o), took: o.Observe, queue: make(chan *job, o.Queue), ended: make(chan struct{})}
	go w.work()
	return w
}

// do runs a job and returns when it is committed (nil) or undone (the error
// says why). When ctx ends before the writer has taken the job, the job is
// never run; once taken, its outcome is waited for, so that an error always
// means that nothing was stored.
func (w *writer) do(ctx context.Context, run func(*tx) error) error {
	return w.submit(ctx, &job{run: run})
}

// doAlone is do with a commit for this job only.
func (w *writer) doAlone(ctx context.Context, run func(*tx) error) error {
	return w.submit(ctx, &job{run: run, alone: true})
}

func (w *writer) submit(ctx context.Context, j *job) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.wait)
		defer cancel()
	}
	j.done = make(chan struct{})
	if err := w.enqueue(ctx, j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
	}
	if j.leave() {
		return tooLate(ctx)
	}
	<-j.done
	return j.err
}

func (w *writer) enqueue(ctx context.Context, j *job) error {
	if ctx.Err() != nil {
		return tooLate(ctx)
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	select {
	case w.queue <- j:
		return nil
	case <-ctx.Done():
		return tooLate(ctx)
	}
}

func tooLate(ctx context.Context) error {
	return fmt.Errorf("%w: the write was not begun in time: %w", auth.ErrUnavailable, context.Cause(ctx))
}

// drain lets no more jobs in and returns when the queued ones have their
// answers.
func (w *writer) drain() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
}

func (w *writer) close() error { return w.db.Close() }

func (w *writer) work() {
	defer close(w.ended)
	defer w.news.stop()
	defer w.disconnect()
	batch := make([]*job, 0, maxBatch)
	for {
		first := w.held
		w.held = nil
		if first == nil {
			var open bool
			if first, open = w.await(); !open {
				return
			}
		}
		if first == nil {
			w.look()
			continue
		}
		batch = w.transact(first, batch[:0])
		clear(batch)
	}
}

// await returns the next job, or nil when it is time to look for the writes
// of other processes; false when there will be no more jobs.
func (w *writer) await() (first *job, open bool) {
	select {
	case <-w.news.due():
		return nil, true
	default:
	}
	select {
	case <-w.news.due():
		return nil, true
	case first, open = <-w.queue:
		return first, open
	}
}

// transact runs first, and what has queued up behind it, in one transaction,
// and answers them. It returns the jobs it has run.
func (w *writer) transact(first *job, batch []*job) []*job {
	if !w.begin(first) {
		return batch
	}
	began := time.Now()
	t := &tx{conn: w.conn, prepared: w.prepared}
	var lost error // why the whole transaction is undone
	changed := false
	for j := first; j != nil && lost == nil; j = w.next(j, len(batch)) {
		if !j.take() {
			continue
		}
		batch = append(batch, j)
		j.err, lost = t.attempt(j.run)
		_ = w.health.note(j.err)
		changed = changed || j.err == nil
	}
	if lost == nil && changed {
		// SQLite itself goes on to write to a file that was deleted.
		if lost = w.health.locate(); lost == nil {
			lost = classify(w.health.note(t.command("commit")))
		}
		w.took.since(began, "commit", len(batch))
	}
	if (lost != nil || !changed) && t.command("rollback") != nil {
		// SQLite has rolled back by itself, or worse: a new connection will
		// have no transaction for certain.
		w.disconnect()
	}
	w.news.tell(t.news)
	for _, j := range batch {
		if j.err == nil {
			j.err = lost
		}
		close(j.done)
	}
	return batch
}

// begin starts a transaction for first. It is false when first was left by
// its caller in the meantime or has its error.
func (w *writer) begin(first *job) bool {
	for first.state.Load() == waiting {
		err := w.tryBegin()
		if err == nil {
			return true
		}
		if isBusy(err) {
			time.Sleep(time.Millisecond) // SQLite has waited already, but doesn't always
			w.look()
			continue
		}
		w.disconnect()
		if first.take() {
			first.err = classify(w.health.note(err))
			close(first.done)
		}
	}
	return false
}

func (w *writer) tryBegin() error {
	if err := w.connect(); err != nil {
		return err
	}
	return (&tx{conn: w.conn, prepared: w.prepared}).command("begin immediate")
}

func (w *writer) connect() error {
	if w.conn != nil {
		return nil
	}
	// A new connection to a file that took the place of the store's would apply
	// the former file's write-ahead log to it.
	if err := w.health.locate(); err != nil {
		return err
	}
	conn, err := w.db.Conn(context.Background())
	if err != nil {
		return err
	}
	w.conn, w.prepared = conn, make(map[string]*sql.Stmt)
	return nil
}

// look notices the writes of other processes. It reads through the
// connection that writes, which alone does not take its own for others'.
func (w *writer) look() {
	if w.news == nil || !w.news.isDue() {
		return
	}
	// A file that is elsewhere hears nothing of those who write to this one.
	if w.health.locate() != nil || w.connect() != nil {
		return
	}
	if err := w.news.look(&tx{conn: w.conn, prepared: w.prepared}); err != nil && !isBusy(err) {
		w.disconnect()
	}
}

// next returns the job to run after j in the same transaction, nil for none.
func (w *writer) next(j *job, running int) *job {
	if j.alone || running >= maxBatch {
		return nil
	}
	select {
	case j := <-w.queue:
		if j != nil && j.alone {
			w.held = j
			return nil
		}
		return j
	default:
		return nil
	}
}

// disconnect closes the connection, and with it whatever is wrong with it.
func (w *writer) disconnect() {
	if w.conn == nil {
		return
	}
	for _, stmt := range w.prepared {
		_ = stmt.Close()
	}
	// ErrBadConn makes database/sql close the connection, not keep it.
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.conn, w.prepared = nil, nil
	w.news.lose()
}
