package auth_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// samples remembers the last sample of passwords that a store gave.
type samples struct {
	auth.UserStore
	mu   sync.Mutex
	last []string
}

func (s *samples) PasswordSample(ctx context.Context, step int64, limit int) ([]string, error) {
	hashes, err := s.UserStore.PasswordSample(ctx, step, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = hashes
	return hashes, err
}

func (s *samples) kinds() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	kinds := make(map[string]int)
	for _, hash := range s.last {
		kinds[hash]++
	}
	return kinds
}

func TestSampleHashes_CoversTheWholeTableAndIsTheSameOnEveryNode(t *testing.T) {
	path := database(t)
	var nodes [2]samples
	watch := func(s *samples) func(*auth.Options) {
		return func(o *auth.Options) { s.UserStore, o.Users = o.Users, s }
	}
	newRealm(t, path, watch(&nodes[0]))
	const wave = 500
	for _, kind := range []string{"old", "middle", "new"} {
		var wg sync.WaitGroup
		for i := range wave {
			wg.Go(func() {
				u := &auth.User{Username: fmt.Sprint(kind, i), Password: kind, DateJoined: time.Now()}
				if err := nodes[0].CreateUser(t.Context(), u); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	for i := range nodes {
		newRealm(t, path, watch(&nodes[i]))
	}
	if !slices.Equal(nodes[0].last, nodes[1].last) {
		t.Error("two nodes have different samples of the same table")
	}
	kinds := nodes[0].kinds()
	if n := len(nodes[0].last); n < wave || n > 2*wave {
		t.Errorf("a sample of %d hashes", n)
	}
	for _, kind := range []string{"old", "middle", "new"} {
		if n := kinds[kind]; n < wave/2-1 || n > wave/2+1 {
			t.Errorf("%d hashes of %s users, want every second of %d", n, kind, wave)
		}
	}
}

func TestSampleHashes_IsTakenAgainWhenItsTimeHasCome(t *testing.T) {
	var seen samples
	almost := time.Now().Truncate(10 * time.Minute).Add(10*time.Minute - time.Millisecond)
	realm, _ := newRealm(t, database(t), func(o *auth.Options) {
		seen.UserStore, o.Users = o.Users, &seen
		o.KeepHouse = true
		o.Now = func() time.Time { return almost }
	})
	if _, err := realm.Register(t.Context(), auth.Registration{Username: "user", Password: good}, auth.Visit{}); err != nil {
		t.Fatal(err)
	}
	for patience := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		for hash := range seen.kinds() {
			if strings.HasPrefix(hash, "argon2$") {
				return
			}
		}
		if time.Now().After(patience) {
			t.Fatal("a hash that came after the start is in no sample")
		}
	}
}
