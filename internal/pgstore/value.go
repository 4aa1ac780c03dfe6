package pgstore

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// The types below take every value that a column can hold, so that no row fails
// to be read: NULL where Django's model allows none, infinite times and times
// outside of Python's years, and in a database of the encoding SQL_ASCII bytes
// that are not UTF-8.

// storedText is a text; NULL is "".
type storedText string

// ScanText implements pgtype.TextScanner.
func (s *storedText) ScanText(v pgtype.Text) error {
	*s = storedText(v.String)
	return nil
}

// shown returns a text as it can be shown; false if it is not UTF-8.
func shown(s string) (string, bool) {
	if utf8.ValidString(s) {
		return s, true
	}
	return strings.ToValidUTF8(s, "\ufffd"), false
}

// storedFlag is a boolean; NULL is false.
type storedFlag bool

// ScanBool implements pgtype.BoolScanner.
func (f *storedFlag) ScanBool(v pgtype.Bool) error {
	*f = storedFlag(v.Bool)
	return nil
}

// storedTime is a time in UTC; NULL is the zero time. What Python can't hold is
// unreadable: an infinite time, and a year before 1 or after 9999.
type storedTime struct {
	time.Time
	unreadable bool
}

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (t *storedTime) ScanTimestamptz(v pgtype.Timestamptz) error {
	*t = storedTime{}
	if !v.Valid {
		return nil
	}
	at := v.Time.UTC()
	if t.unreadable = v.InfinityModifier != pgtype.Finite || at.Year() < 1 || at.Year() > 9999; !t.unreadable {
		t.Time = at
	}
	return nil
}

// ScanTimestamp implements pgtype.TimestampScanner, for columns that were made
// by hand.
func (t *storedTime) ScanTimestamp(v pgtype.Timestamp) error {
	return t.ScanTimestamptz(pgtype.Timestamptz(v))
}

// timeCodec reads into a storedTime what the codec it stands for cannot, such as
// the year 10000 as a text, as an unreadable time.
type timeCodec struct{ pgtype.Codec }

// PlanScan implements pgtype.Codec.
func (c timeCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	plan := c.Codec.PlanScan(m, oid, format, target)
	if _, ours := target.(*storedTime); ours && plan != nil {
		return timePlan{plan}
	}
	return plan
}

type timePlan struct{ pgtype.ScanPlan }

// Scan implements pgtype.ScanPlan.
func (p timePlan) Scan(src []byte, target any) error {
	if err := p.ScanPlan.Scan(src, target); err != nil {
		*target.(*storedTime) = storedTime{unreadable: true}
	}
	return nil
}

// prepareConn is what every new connection of a pool needs.
func prepareConn(ctx context.Context, conn *pgx.Conn) error {
	for _, t := range []*pgtype.Type{
		{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: timeCodec{&pgtype.TimestamptzCodec{}}},
		{Name: "timestamp", OID: pgtype.TimestampOID, Codec: timeCodec{&pgtype.TimestampCodec{}}},
	} {
		conn.TypeMap().RegisterType(t)
	}
	return takeBytes(ctx, conn)
}

// takeBytes has a server whose database has no encoding send bytes as they are:
// asked for UTF-8, it refuses all of a result with bytes that are none.
func takeBytes(ctx context.Context, conn *pgx.Conn) error {
	if conn.PgConn().ParameterStatus("server_encoding") != "SQL_ASCII" {
		return nil
	}
	_, err := conn.Exec(ctx, "set client_encoding to 'SQL_ASCII'")
	return err
}

// oddities are the columns of a row that can't be read.
type oddities struct {
	table, id string
	columns   []string
}

func (o *oddities) text(column string, s storedText) string {
	text, ok := shown(string(s))
	if !ok {
		o.columns = append(o.columns, column)
	}
	return text
}

func (o *oddities) time(column string, t storedTime) time.Time {
	if t.unreadable {
		o.columns = append(o.columns, column)
	}
	return t.Time
}

// report logs them.
func (s *Store) report(o *oddities) {
	if o == nil {
		return
	}
	for _, column := range o.columns {
		s.odd.Row(o.table, o.id, column)
	}
}
