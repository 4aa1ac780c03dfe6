package sqlstore

import (
	"database/sql"
	"time"
)

// Django keeps a datetime in SQLite as str(datetime) in UTC: the fraction has
// six digits and is left out when it is zero
// (django.db.backends.sqlite3.operations.adapt_datetimefield_value).
const (
	djangoSeconds  = "2006-01-02 15:04:05"
	djangoFraction = "2006-01-02 15:04:05.000000"
)

// djangoTime writes t as Django does; what is below a microsecond is cut off.
func djangoTime(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format(djangoSeconds)
	}
	return t.Format(djangoFraction)
}

// nullTime is djangoTime with NULL for the zero time.
func nullTime(t time.Time) sql.NullString {
	if t.IsZero() {
		return sql.NullString{}
	}
	return sql.NullString{String: djangoTime(t), Valid: true}
}

// micros is how postern_session keeps a time: microseconds since 1970, UTC.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
