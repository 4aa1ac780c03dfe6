package sqlstore

import (
	"database/sql"
	"errors"
	"strings"
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

var errNotATime = errors.New("not a date and time as Django writes it")

// The forms that django.utils.dateparse.parse_datetime reads, after the
// separators are made the same. Go's parser takes a fraction behind the
// seconds whether or not the layout has one.
var djangoLayouts = []string{
	djangoSeconds,
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z0700",
	"2006-01-02 15:04:05Z07",
	"2006-01-02 15:04",
}

// parseDjangoTime reads what Django, or another program that writes its
// tables, has left in a datetime column. Without an offset it is UTC.
func parseDjangoTime(s string) (time.Time, error) {
	if len(s) > len("2006-01-02") && s[10] == 'T' {
		s = s[:10] + " " + s[11:]
	}
	s = strings.Replace(s, ",", ".", 1)
	for _, layout := range djangoLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, errNotATime
}

// micros is how postern_session keeps a time: microseconds since 1970, UTC.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
