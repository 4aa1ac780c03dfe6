package main

import (
	"fmt"
	"testing"

	"github.com/postern-auth/postern"
)

func TestAbout_SaysWhatWasDoneAndWhatToDo(t *testing.T) {
	store := fmt.Errorf("%w: connection refused", postern.ErrUnavailable)
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("load: %w", postern.ErrNoUser), `user "ann": no such user`},
		{store, `user "ann": the store is unavailable: connection refused`},
		{&postern.SessionsRemainError{Err: store}, `user "ann": the change is saved, but the user's sessions could not be removed from their store: the store is unavailable: connection refused; when it can be reached, run "postern sessions revoke-all ann", above all before the user is activated again`},
		{&postern.SessionsRemainError{Err: store, Deleted: true}, `user "ann": the user is deleted, but the user's sessions could not be removed from their store: the store is unavailable: connection refused; they are no longer valid and will expire there`},
	} {
		if got := about("ann", test.err).Error(); got != test.want {
			t.Errorf("%v:\n%s\nwant\n%s", test.err, got, test.want)
		}
	}
}
