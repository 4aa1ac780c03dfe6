package sqlstore

import (
	"testing"
	"time"
)

func TestDjangoTimeIsWrittenAsDjangoDoes(t *testing.T) {
	for want, at := range map[string]time.Time{
		"2026-01-02 03:04:05":        time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		"2026-01-02 03:04:05.120000": time.Date(2026, 1, 2, 3, 4, 5, 120_000_000, time.UTC),
		"2026-01-02 03:04:05.000001": time.Date(2026, 1, 2, 3, 4, 5, 1_999, time.UTC),
		"2026-01-02 00:00:00":        time.Date(2026, 1, 2, 2, 0, 0, 999, time.FixedZone("", 2*3600)),
		"0001-01-01 00:00:00":        {},
	} {
		if got := djangoTime(at); got != want {
			t.Errorf("djangoTime(%v) = %q, want %q", at, got, want)
		}
	}
}

func TestDjangoTimeIsReadInEveryFormItComesIn(t *testing.T) {
	second := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-01-02 03:04:05":              second,
		"2026-01-02T03:04:05":              second,
		"2026-01-02 03:04:05Z":             second,
		"2026-01-02T03:04:05Z":             second,
		"2026-01-02 03:04:05+00:00":        second,
		"2026-01-02 05:34:05+02:30":        second,
		"2026-01-02 01:04:05-0200":         second,
		"2026-01-02 05:04:05+02":           second,
		"2026-01-02 03:04":                 second.Add(-5 * time.Second),
		"2026-01-02 03:04:05.1":            second.Add(100 * time.Millisecond),
		"2026-01-02 03:04:05,120000":       second.Add(120 * time.Millisecond),
		"2026-01-02 03:04:05.123456":       second.Add(123456 * time.Microsecond),
		"2026-01-02 03:04:05.123456789":    second.Add(123456 * time.Microsecond),
		"2026-01-02 03:04:05.123456+00:00": second.Add(123456 * time.Microsecond),
	} {
		got, err := parseDjangoTime(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("parseDjangoTime(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2026", "2026-01-02", "2026-13-02 03:04:05", "2026-02-30 03:04:05", "now", "1767323045", "2026-01-02 03:04:05 CET", "2026-01-02 25:04:05"} {
		if got, err := parseDjangoTime(text); err == nil {
			t.Errorf("parseDjangoTime(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzParseDjangoTime(f *testing.F) {
	for _, text := range []string{"2026-01-02 03:04:05.123456", "2026-01-02T03:04Z", "2026-01-02 03:04:05,1+02", "\x00", "0001-01-01 00:00:00-23:59"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseDjangoTime(text)
		if err != nil {
			return
		}
		written := djangoTime(at)
		again, err := parseDjangoTime(written)
		if at.Year() < 0 || at.Year() > 9999 {
			return // an offset led out of Django's range
		}
		if err != nil || !again.Equal(at) {
			t.Errorf("%q is %v, is written %q, is %v, %v", text, at, written, again, err)
		}
	})
}
