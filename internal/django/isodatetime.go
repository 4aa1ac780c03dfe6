package django

import "time"

// The functions below follow datetime.fromisoformat of CPython 3.11
// (Modules/_datetimemodule.c) with its leniency: any one character separates
// date and time, a fraction may follow the minutes, and a stray character may
// stand before an offset.

// isoText is a text that reads as zero bytes beyond its end, as C's do.
type isoText string

func (s isoText) at(i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// digits reads n digits at i.
func (s isoText) digits(i, n int) (value int, ok bool) {
	for ; n > 0; i, n = i+1, n-1 {
		c := s.at(i)
		if !isDigit(c) {
			return 0, false
		}
		value = value*10 + int(c-'0')
	}
	return value, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseISO reads a date, or a date and a time.
func parseISO(text string) (f datetimeFields, ok bool) {
	if len(text) < 7 {
		return f, false
	}
	s := isoText(text)
	end := s.dateEnd()
	if end < 0 || end > len(s) || !s.date(end, &f) {
		return f, false
	}
	if len(s) == end {
		return f, true
	}
	next := end + separatorSize(s[end])
	if next > len(s) {
		return f, false
	}
	return f, s[next:].time(&f)
}

// separatorSize is how many bytes the character has that begins with first.
func separatorSize(first byte) int {
	switch {
	case first < 0x80:
		return 1
	case first&0xf0 == 0xe0:
		return 3
	case first&0xf0 == 0xf0:
		return 4
	}
	return 2
}

// dateEnd finds where the date ends; -1 if there is no telling.
func (s isoText) dateEnd() int {
	switch {
	case len(s) == 7: // YYYYWww
		return 7
	case s[4] == '-' && s[5] != 'W': // YYYY-MM-DD
		return 10
	case s[4] == '-':
		if s.at(8) != '-' { // YYYY-Www
			return 8
		}
		if len(s) == 9 {
			return -1
		}
		if isDigit(s.at(10)) { // YYYY-Www-hh rather than YYYY-Www-d0
			return 8
		}
		return 10
	case s[4] != 'W': // YYYYMMDD
		return 8
	}
	// A time has an even number of digits: that tells YYYYWww from YYYYWwwd.
	at := 7
	for isDigit(s.at(at)) {
		at++
	}
	switch {
	case at < 9:
		return at
	case at%2 == 0:
		return 7
	}
	return 8
}

// date reads the date that ends at end.
func (s isoText) date(end int, f *datetimeFields) (ok bool) {
	if f.year, ok = s.digits(0, 4); !ok {
		return false
	}
	at, dashes := 4, s.at(4) == '-'
	if dashes {
		at++
	}
	if s.at(at) == 'W' {
		return s.week(at+1, end, dashes, f)
	}
	if f.month, ok = s.digits(at, 2); !ok {
		return false
	}
	at += 2
	if dashes {
		if s.at(at) != '-' {
			return false
		}
		at++
	}
	f.day, ok = s.digits(at, 2)
	return ok && at+2 == end
}

// week reads "ww", or with a day of the week "ww-d" or "wwd", at at.
func (s isoText) week(at, end int, dashes bool, f *datetimeFields) (ok bool) {
	week, ok := s.digits(at, 2)
	if !ok {
		return false
	}
	day := 1
	if at += 2; at < end {
		if dashes {
			if s.at(at) != '-' {
				return false
			}
			at++
		}
		if day, ok = s.digits(at, 1); !ok {
			return false
		}
	}
	if f.year < 1 || week < 1 || week > 53 || day < 1 || day > 7 {
		return false
	}
	// The fourth of January is always in the first week.
	fourth := time.Date(f.year, 1, 4, 0, 0, 0, 0, time.UTC)
	t := fourth.AddDate(0, 0, -(int(fourth.Weekday())+6)%7+7*(week-1)+day-1)
	if inYear, _ := t.ISOWeek(); inYear != f.year { // a week 53 that the year lacks
		return false
	}
	f.year, f.month, f.day = t.Year(), int(t.Month()), t.Day()
	return true
}

// time reads a time of day, and an offset if there is one.
func (s isoText) time(f *datetimeFields) bool {
	zone := 0
	for {
		if c := s.at(zone); c == '+' || c == '-' || c == 'Z' {
			break
		}
		if zone++; zone >= len(s) {
			break
		}
	}
	clock, rest, ok := s.clock(0, zone)
	if !ok {
		return false
	}
	f.hour, f.minute, f.second, f.microsecond = clock[0], clock[1], clock[2], clock[3]
	if zone >= len(s) {
		return !rest
	}
	if s[zone] == 'Z' {
		return s.at(zone+1) == 0
	}
	clock, rest, ok = s.clock(zone+1, len(s))
	f.offset = time.Duration(clock[0])*time.Hour + time.Duration(clock[1])*time.Minute + time.Duration(clock[2])*time.Second
	if f.offset != 0 { // CPython takes less than a second for UTC
		f.offset += time.Duration(clock[3]) * time.Microsecond
	}
	if s[zone] == '-' {
		f.offset = -f.offset
	}
	return ok && !rest
}

// clock reads hh, hhmm, hhmmss or the same with colons, and a fraction of up
// to six digits that count, from at to end. rest reports whether something
// follows.
func (s isoText) clock(at, end int) (clock [4]int, rest, ok bool) {
	colons := true
	for i := range 3 {
		if clock[i], ok = s.digits(at, 2); !ok {
			return clock, false, false
		}
		at += 2
		c := s.at(at)
		at++
		if i == 0 {
			colons = c == ':'
		}
		if at >= end {
			return clock, c != 0, true
		}
		if colons && c == ':' {
			continue
		}
		if c == '.' || c == ',' {
			break
		}
		if colons {
			return clock, false, false
		}
		at--
	}
	digits := min(end-at, 6)
	if clock[3], ok = s.digits(at, digits); !ok {
		return clock, false, false
	}
	at += digits
	for ; digits < 6; digits++ {
		clock[3] *= 10
	}
	for isDigit(s.at(at)) {
		at++
	}
	return clock, s.at(at) != 0, true
}
