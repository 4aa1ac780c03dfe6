package sqlstore

import (
	"path/filepath"
	"testing"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/auth/storetest"
)

func TestTheStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, hear func(auth.News)) storetest.Stores {
		s := openAt(t, filepath.Join(t.TempDir(), "postern.sqlite3"), Options{News: hear})
		if _, err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return storetest.Stores{Users: s, Sessions: s, Refer: func(t *testing.T, userID int64) {
			db := outside(t, s.path)
			mustExec(t, db, `create table note (id integer primary key,
				author_id integer not null references auth_user (id) deferrable initially deferred)`)
			mustExec(t, db, `insert into note (author_id) values (?)`, userID)
		}}
	})
}

func TestTheStoreKeepsTheContractOfARoster(t *testing.T) {
	// Small reaches try what only large tables would.
	for name, within := range map[string]reach{"as it is": defaultReach, "short reach": {pick: 3, walk: 7}, "no picking": {pick: 0, walk: 25}} {
		t.Run(name, func(t *testing.T) {
			open := func(t *testing.T, hear func(auth.News)) storetest.Stores {
				s := openAt(t, filepath.Join(t.TempDir(), "postern.sqlite3"), Options{News: hear})
				if _, err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.reach = within
				return storetest.Stores{Users: s, Sessions: s}
			}
			if within != defaultReach {
				storetest.RunLists(t, open)
				return
			}
			storetest.RunRoster(t, open)
			storetest.RunSessionRoster(t, open)
			storetest.RunAudit(t, open)
			storetest.RunNodes(t, open)
		})
	}
}
