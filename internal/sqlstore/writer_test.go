package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// lock takes the write lock as another program would and returns that
// program's connection, to give the lock back by a commit or rollback. The
// writer has a job in its hands then, which makes the next ones queue.
func lock(t *testing.T, s *Store) *sql.DB {
	t.Helper()
	other := outside(t, s.path)
	mustExec(t, other, "begin immediate")
	first := &job{run: func(*tx) error { return nil }, done: make(chan struct{})}
	if err := s.write.enqueue(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	await(t, "the writer waits for the lock", func() bool { return len(s.write.queue) == 0 })
	return other
}

// await polls until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// queued starts acts that wait for the writer, in their order, while it is
// locked out. The function it returns waits for their errors.
func queued(t *testing.T, s *Store, acts ...func() error) func() []error {
	t.Helper()
	before := len(s.write.queue)
	errs := make([]error, len(acts))
	var wg sync.WaitGroup
	for i, act := range acts {
		wg.Go(func() { errs[i] = act() })
		await(t, "the job is queued", func() bool { return len(s.write.queue) == before+i+1 })
	}
	return func() []error {
		wg.Wait()
		return errs
	}
}

func (s *Store) mustHaveUsers(t *testing.T, want int) {
	t.Helper()
	users, err := s.Users(t.Context(), auth.UserFilter{Limit: 10_000})
	if err != nil || len(users) != want {
		t.Errorf("%d users are stored, %v; want %d", len(users), err, want)
	}
}

func TestWhatQueuesUpSharesACommit(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	other := lock(t, s)
	var acts []func() error
	for i := range 20 {
		u := benchUser(i)
		acts = append(acts, func() error { return s.CreateUser(t.Context(), &u) })
	}
	// The last job sees what the others have written; nobody else does.
	acts = append(acts, func() error {
		return s.write.do(t.Context(), func(tx *tx) error {
			var here int
			if err := tx.row("select count(*) from auth_user").Scan(&here); err != nil {
				return err
			}
			if here != 20 {
				return fmt.Errorf("%d users in the transaction, want 20", here)
			}
			s.mustHaveUsers(t, 0)
			return nil
		})
	})
	errs := queued(t, s, acts...)
	mustExec(t, other, "rollback")
	if err := errors.Join(errs()...); err != nil {
		t.Error(err)
	}
	s.mustHaveUsers(t, 20)
}

func TestAJobThatFailsIsUndoneAlone(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	other := lock(t, s)
	refusal := errors.New("refused after a write")
	a, b, c := benchUser(1), benchUser(2), benchUser(3)
	errs := queued(t, s,
		func() error { return s.CreateUser(t.Context(), &a) },
		func() error {
			return s.write.do(t.Context(), func(tx *tx) error {
				if _, err := tx.createUser(&b); err != nil {
					return err
				}
				return refusal
			})
		},
		func() error { return s.CreateUser(t.Context(), &c) },
	)
	mustExec(t, other, "rollback")
	for i, want := range []error{nil, refusal, nil} {
		if err := errs()[i]; !errors.Is(err, want) {
			t.Errorf("job %d = %v, want %v", i, err, want)
		}
	}
	if _, err := s.UserByName(t.Context(), b.Username); !errors.Is(err, auth.ErrNoUser) {
		t.Errorf("the failed job left its user: %v", err)
	}
	s.mustHaveUsers(t, 2)
}

func TestADeletionThatIsRefusedAtTheCommitIsUndoneAlone(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	used, before, after := benchUser(1), benchUser(2), benchUser(3)
	if err := s.CreateUser(t.Context(), &used); err != nil {
		t.Fatal(err)
	}
	db := outside(t, s.path)
	for i, reference := range []string{"deferrable initially deferred", "", "on delete restrict"} {
		mustExec(t, db, fmt.Sprintf("create table note%d (author_id integer references auth_user (id) %s)", i, reference))
		mustExec(t, db, fmt.Sprintf("insert into note%d values (?)", i), used.ID)
		other := lock(t, s)
		errs := queued(t, s,
			func() error { return s.CreateUser(t.Context(), &before) },
			func() error { return s.DeleteUser(t.Context(), used.ID) },
			func() error { return s.CreateUser(t.Context(), &after) },
		)
		mustExec(t, other, "rollback")
		for j, want := range []error{nil, auth.ErrUserInUse, nil} {
			if err := errs()[j]; !errors.Is(err, want) {
				t.Errorf("%s: job %d = %v, want %v", reference, j, err, want)
			}
		}
		s.mustHaveUsers(t, 3)
		mustExec(t, db, fmt.Sprintf("drop table note%d", i))
		mustExec(t, db, "delete from auth_user where id <> ?", used.ID)
	}
	if err := s.DeleteUser(t.Context(), used.ID); err != nil {
		t.Errorf("DeleteUser when nothing refers to the user: %v", err)
	}
}

func TestAFullDiskUndoesTheBatchAndNothingElse(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	other := lock(t, s)
	a, c := benchUser(1), benchUser(2)
	errs := queued(t, s,
		func() error { return s.CreateUser(t.Context(), &a) },
		func() error {
			return s.write.do(t.Context(), func(tx *tx) error {
				var pages int
				if err := tx.row("pragma max_page_count = 1").Scan(&pages); err != nil {
					return err
				}
				for i := range 10_000 {
					u := benchUser(1000 + i)
					if _, err := tx.createUser(&u); err != nil {
						return err
					}
				}
				return errors.New("the disk was not full")
			})
		},
		func() error { return s.CreateUser(t.Context(), &c) },
	)
	mustExec(t, other, "rollback")
	for i, err := range errs()[:2] {
		if !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("job %d = %v, want ErrUnavailable", i, err)
		}
	}
	// The third one came with the batch that failed, or after it.
	if err := errs()[2]; err != nil && !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("job 2 = %v", err)
	}
	if _, err := s.UserByName(t.Context(), a.Username); !errors.Is(err, auth.ErrNoUser) {
		t.Errorf("a user was stored, though its caller got an error: %v", err)
	}
	d := benchUser(4)
	if err := s.CreateUser(t.Context(), &d); err != nil {
		t.Errorf("once there is room again: %v", err)
	}
}

func TestTheWriterRecoversFromALostTransaction(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	for _, statement := range []string{"rollback", "commit"} {
		err := s.write.do(t.Context(), func(tx *tx) error { return tx.command(statement) })
		if !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("a job that ends the transaction by %s = %v, want ErrUnavailable", statement, err)
		}
		u := benchUser(len(statement))
		if err := s.CreateUser(t.Context(), &u); err != nil {
			t.Errorf("the next job: %v", err)
		}
	}
}

func TestALockIsWaitedForUntilTheDeadline(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	u := benchUser(1)
	if err := s.CreateUser(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	s.write.wait = 50 * time.Millisecond
	other := lock(t, s)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, ctx := range map[string]context.Context{"the caller's deadline": short, "the store's": t.Context()} {
		late := benchUser(2)
		began := time.Now()
		err := s.CreateUser(ctx, &late)
		if took := time.Since(began); !errors.Is(err, auth.ErrUnavailable) || took > 5*time.Second {
			t.Errorf("%s: CreateUser = %v after %v, want ErrUnavailable", name, err, took)
		}
	}
	gone, leave := context.WithTimeout(t.Context(), time.Minute)
	defer leave()
	errs := queued(t, s, func() error { late := benchUser(3); return s.CreateUser(gone, &late) })
	leave()
	if err := errs()[0]; !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: %v", err)
	}
	if _, err := s.UserByID(t.Context(), u.ID); err != nil {
		t.Errorf("a read beside the lock: %v", err)
	}
	patient, cancelPatient := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancelPatient()
	waiter := benchUser(4)
	errs = queued(t, s, func() error { return s.CreateUser(patient, &waiter) })
	mustExec(t, other, "rollback")
	if err := errs()[0]; err != nil {
		t.Errorf("a caller with time: %v", err)
	}
	s.mustHaveUsers(t, 2) // not the late ones
}

func TestAFullQueueIsWaitedForUntilTheDeadline(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "postern.sqlite3"), Options{Queue: 1})
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := lock(t, s)
	a, b := benchUser(1), benchUser(2)
	errs := queued(t, s, func() error { return s.CreateUser(t.Context(), &a) })
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.CreateUser(short, &b); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("one more than the queue holds = %v, want ErrUnavailable", err)
	}
	mustExec(t, other, "rollback")
	if err := errors.Join(errs()...); err != nil {
		t.Error(err)
	}
	s.mustHaveUsers(t, 1)
}

func TestCloseCommitsWhatIsQueued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	s := openMigrated(t, path)
	other := lock(t, s)
	var acts []func() error
	for i := range 10 {
		u := benchUser(i)
		acts = append(acts, func() error { return s.CreateUser(t.Context(), &u) })
	}
	errs := queued(t, s, acts...)
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	late := benchUser(99)
	await(t, "the store takes no more", func() bool {
		s.write.mu.RLock()
		defer s.write.mu.RUnlock()
		return s.write.closed
	})
	if err := s.CreateUser(t.Context(), &late); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("a write after Close began = %v", err)
	}
	mustExec(t, other, "rollback")
	if err := errors.Join(errs()...); err != nil {
		t.Errorf("queued before Close: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	openAt(t, path, Options{}).mustHaveUsers(t, 10)
}

func TestCloseDoesNotWaitForALockThatNobodyNeeds(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	mustExec(t, outside(t, s.path), "begin immediate")
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	u := benchUser(1)
	if err := s.CreateUser(short, &u); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("CreateUser = %v, want ErrUnavailable", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for the lock")
	}
}

func TestABigBatchIsSplit(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	other := lock(t, s)
	const jobs = maxBatch + 10
	var wg sync.WaitGroup
	errs := make([]error, jobs)
	for i := range jobs {
		u := benchUser(i)
		wg.Go(func() { errs[i] = s.CreateUser(t.Context(), &u) })
	}
	await(t, "all jobs are queued", func() bool { return len(s.write.queue) == jobs })
	mustExec(t, other, "rollback")
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	s.mustHaveUsers(t, jobs)
}

func TestASessionThatIsTouchedWhileItIsSweptStays(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	u := benchUser(1)
	start := &auth.Start{Session: benchSession(1), NewUser: &u}
	if err := s.Start(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	now := start.Session.Expires.Add(time.Second)
	other := lock(t, s)
	swept := -1
	errs := queued(t, s, func() (err error) {
		swept, err = s.Sweep(t.Context(), now, time.Time{}, 10)
		return err
	})
	mustExec(t, other, "update postern_session set expires = ?", micros(now.Add(time.Hour)))
	mustExec(t, other, "commit")
	if err := errs()[0]; err != nil || swept != 0 {
		t.Errorf("Sweep = %d, %v; want 0", swept, err)
	}
	if _, err := s.Identity(t.Context(), start.Session.ID); err != nil {
		t.Error(err)
	}
}
