package django

import (
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// ErrBadDatetime says that Django raises an exception when it reads a datetime.
var ErrBadDatetime = errors.New("not a date and time that Django can read")

// ParseDatetime reads the text of a datetime column as Django does on SQLite:
// django.utils.dateparse.parse_datetime of Django 5.2 on CPython 3.11, which
// first asks datetime.fromisoformat. A time without an offset is UTC. The zero
// time without an error is Python's None, which Django reads from a text that
// looks like no datetime. ErrBadDatetime stands for an exception: the text
// looks like a datetime but is none, such as "2020-02-30 00:00:00". A time
// outside of the years 1 to 9999 in UTC is an error too, for Python cannot
// convert it to UTC.
func ParseDatetime(text string) (time.Time, error) {
	if f, ok := parseISO(text); ok {
		if t, ok := f.time(); ok {
			return inPythonRange(t)
		}
	}
	f, ok := matchDatetime(text)
	if !ok {
		return time.Time{}, nil
	}
	t, ok := f.time()
	if !ok {
		return time.Time{}, ErrBadDatetime
	}
	return inPythonRange(t)
}

func inPythonRange(t time.Time) (time.Time, error) {
	if year := t.Year(); year < 1 || year > 9999 {
		return time.Time{}, ErrBadDatetime
	}
	return t, nil
}

// ParseFlag reads the text of a bool column as Django does on SQLite
// (django.db.backends.sqlite3.base registers b"1".__eq__): the text "1", which
// is also that of the number, is true, and everything else is false.
func ParseFlag(text string) bool { return text == "1" }

// datetimeFields are the parts of a datetime, unchecked.
type datetimeFields struct {
	year, month, day     int
	hour, minute, second int
	microsecond          int
	offset               time.Duration
}

// time returns the datetime in UTC; false for what Python's constructors of
// datetime and timezone refuse.
func (f *datetimeFields) time() (time.Time, bool) {
	const day = 24 * time.Hour
	if f.year < 1 || f.year > 9999 || f.month < 1 || f.month > 12 || f.hour > 23 || f.minute > 59 || f.second > 59 ||
		f.offset <= -day || f.offset >= day {
		return time.Time{}, false
	}
	t := time.Date(f.year, time.Month(f.month), f.day, f.hour, f.minute, f.second, f.microsecond*1000, time.UTC)
	if t.Day() != f.day { // time.Date carries a 30 February over to March
		return time.Time{}, false
	}
	return t.Add(-f.offset), true
}

// pySpace are the characters of \s in a regular expression of Python.
const pySpace = `[\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]`

// datetimePattern is django.utils.dateparse.datetime_re. Python's \d takes the
// digits of every script, and its $ also stands before a final line feed.
var datetimePattern = regexp.MustCompile(strings.NewReplacer(`\d`, `\p{Nd}`, `\s`, pySpace).Replace(
	`^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,6})\d{0,6})?)?\s*(?:(Z)|([+-])(\d{2})(?::?(\d{2}))?)?\n?\z`))

// matchDatetime reads the one form that Django reads beside ISO 8601.
func matchDatetime(text string) (f datetimeFields, ok bool) {
	m := datetimePattern.FindStringSubmatch(text)
	if m == nil {
		return f, false
	}
	for i, to := range []*int{&f.year, &f.month, &f.day, &f.hour, &f.minute, &f.second, &f.microsecond} {
		*to = pyInt(m[1+i])
	}
	if m[7] != "" {
		for range 6 - len([]rune(m[7])) {
			f.microsecond *= 10
		}
	}
	f.offset = time.Duration(pyInt(m[10]))*time.Hour + time.Duration(pyInt(m[11]))*time.Minute
	if m[9] == "-" {
		f.offset = -f.offset
	}
	return f, true
}

// pyInt is Python's int of digits of any script; 0 for "".
func pyInt(digits string) int {
	n := 0
	for _, r := range digits {
		n = n*10 + digitValue(r)
	}
	return n
}

// digitValue counts from the zero of a digit's script: in Unicode the decimal
// digits of a script follow each other.
func digitValue(r rune) int {
	if r < unicode.MaxASCII {
		return int(r - '0')
	}
	for _, in := range unicode.Nd.R16 {
		if r >= rune(in.Lo) && r <= rune(in.Hi) {
			return int(r-rune(in.Lo)) % 10
		}
	}
	for _, in := range unicode.Nd.R32 {
		if r >= rune(in.Lo) && r <= rune(in.Hi) {
			return int(r-rune(in.Lo)) % 10
		}
	}
	return 0
}
