package postern

import (
	"github.com/postern-auth/postern/internal/pgstore"
	"github.com/postern-auth/postern/internal/redact"
)

const (
	unproved = "whoever is on the way to the server reads along, or passes for it: the connection has no TLS, or believes any certificate"
	proved   = "sslmode=verify-full, with sslrootcert=FILE for an authority of your own; if the network is encrypted, silence this"
)

func unprovedDatabase(url string) []string {
	return when(isPostgres(url) && pgstore.IsUnproved(url), redact.URL(url))
}

// databaseServer is a PostgreSQL server and the standby that goes with it.
type databaseServer struct {
	pgstore.Condition
	replica string // its URL, "" if there is none
	useless error  // why it would not be asked
}

// weakDatabases is every rule about a PostgreSQL server. The value names the
// database. Numbers are never used again.
var weakDatabases = []weakRule[*databaseServer]{
	{number: 103, setting: "DATABASE_URL", why: "a crash of the server's machine may destroy the database",
		wayOut: "fsync and full_page_writes on, in postgresql.conf; if the storage makes it whole itself, silence this",
		values: func(s *databaseServer) []string {
			return append(when(!s.Fsync, s.Server+" fsync off"), when(!s.FullPages, s.Server+" full_page_writes off")...)
		}},
	{number: 104, setting: "DATABASE_URL", why: "a crash loses users and ends of sessions that were acknowledged a moment ago",
		wayOut: "synchronous_commit on, in postgresql.conf or of the role and the database",
		values: func(s *databaseServer) []string { return when(s.Commit == "off", s.Server+" synchronous_commit off") }},
	{number: 105, setting: "DATABASE_URL", advice: true, why: "a standby follows, and no commit waits for one; if it takes over, the last users are lost, and sessions that were ended last are alive again",
		wayOut: "synchronous_standby_names, in postgresql.conf, and synchronous_commit on; with a single standby its loss stops the writes",
		values: func(s *databaseServer) []string {
			return when(s.Standbys > 0 && !s.Waits && s.Commit != "off", s.Server+" synchronous_standby_names, synchronous_commit "+s.Commit)
		}},
	{number: 106, setting: "DATABASE_REPLICA", advice: true, why: "it would not be asked as it is, and the primary bears every check that is not remembered",
		wayOut: "a hot standby of POSTERN_DATABASE_URL that is less than half a second behind; the line above says what it is",
		values: func(s *databaseServer) []string { return when(s.useless != nil, s.replica) }},
}
