package sqlstore

import (
	"context"
	"testing"
)

// sizeOf sums up the pages of the tables and indexes whose names begin so.
const sizeOf = `select coalesce(sum(pgsize), 0) from dbstat where aggregate = true and name glob $1 || '*'`

// BenchmarkSize reports what users and sessions take on disk with their
// indexes, once stored in the order in which they come: ids are hashes, so
// that pages are filled at random.
func BenchmarkSize(b *testing.B) {
	n := *benchSessions
	for b.Loop() {
		s := openBench(b)
		var users, sessions int
		err := s.write.do(context.Background(), func(t *tx) error {
			for i := range n {
				u, session := benchUser(i), benchSession(i)
				if _, err := t.createUser(&u); err != nil {
					return err
				}
				if err := t.insertSession(&session); err != nil {
					return err
				}
			}
			if err := t.row(sizeOf, "postern_session").Scan(&sessions); err != nil {
				return err
			}
			// The name glob finds "auth_user" and its index of names, and the
			// tables of groups and permissions, which are empty.
			var index int
			if err := t.row(sizeOf, "auth_user").Scan(&users); err != nil {
				return err
			}
			if err := t.row(sizeOf, "sqlite_autoindex_auth_user").Scan(&index); err != nil {
				return err
			}
			users += index
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(sessions)/float64(n), "bytes/session")
		b.ReportMetric(float64(users)/float64(n), "bytes/user")
	}
}
