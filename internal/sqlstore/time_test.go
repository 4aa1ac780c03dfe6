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
