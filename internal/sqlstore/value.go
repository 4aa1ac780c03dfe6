package sqlstore

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/django"
)

// value is what a column holds. SQLite lets every column hold every type, and
// other programs write to the tables: so a value is read first, which never
// fails, and then taken for what it should be. It is nil, int64, float64,
// string, []byte, or bool or time.Time where the driver goes by the type that
// the column was declared with.
type value struct{ v any }

// Scan implements sql.Scanner.
func (c *value) Scan(src any) error {
	if b, ok := src.([]byte); ok {
		src = slices.Clone(b)
	}
	c.v = src
	return nil
}

// raw returns the value as a text, as SQLite casts it.
func (c value) raw() string {
	switch v := c.v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', 15, 64)
	case bool:
		if v {
			return "1"
		}
		return "0"
	case time.Time:
		return djangoTime(v)
	}
	return ""
}

// text returns the value as a text, "" for NULL. What is no text for Django, a
// blob or bytes that are not UTF-8, is not ok; text then is what can be shown.
func (c value) text() (text string, ok bool) {
	_, blob := c.v.([]byte)
	return textOf(c.raw(), blob)
}

func textOf(raw string, blob bool) (text string, ok bool) {
	if utf8.ValidString(raw) {
		return raw, !blob
	}
	return strings.ToValidUTF8(raw, "\ufffd"), false
}

// time returns the value as Django reads a datetime; the zero time for None.
func (c value) time() (time.Time, bool) {
	if c.v == nil {
		return time.Time{}, true
	}
	return timeOf(c.raw())
}

func timeOf(raw string) (time.Time, bool) {
	if !utf8.ValidString(raw) {
		return time.Time{}, false
	}
	t, err := django.ParseDatetime(raw)
	return t, err == nil
}

// flag returns the value as Django reads a bool.
func (c value) flag() bool { return django.ParseFlag(c.raw()) }

// int returns the value as a number; false for anything else.
func (c value) int() (int64, bool) {
	n, ok := c.v.(int64)
	return n, ok
}

// row scans values and notes which of them can't be read.
type row struct {
	values []value
	odd    []int // their indexes
}

// scanRow reads a row of n columns.
func scanRow(from scanner, n int) (*row, error) {
	r := &row{values: make([]value, n)}
	into := make([]any, n)
	for i := range into {
		into[i] = &r.values[i]
	}
	return r, from.Scan(into...)
}

func (r *row) note(i int, ok bool) {
	if !ok {
		r.odd = append(r.odd, i)
	}
}

func (r *row) text(i int) string {
	text, ok := r.values[i].text()
	r.note(i, ok)
	return text
}

// int reads a number; what is none is 0.
func (r *row) int(i int) int64 {
	n, ok := r.values[i].int()
	r.note(i, ok)
	return n
}

func (r *row) micros(i int) time.Time { return fromMicros(r.int(i)) }

// report logs what could not be read of a row.
func (s *Store) report(r *row, table, id string, columns ...string) {
	for _, i := range r.odd {
		if i < len(columns) {
			s.odd.Row(table, id, columns[i])
		}
	}
}
