package ratelog

import (
	"strconv"
	"testing"
	"time"
)

func TestLimiter_AllowsOneLineEachPeriod(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(time.Minute, func() time.Time { return now })
	want := func(key string, ok bool, skipped int) {
		t.Helper()
		if gotOK, gotSkipped := l.Allow(key); gotOK != ok || gotSkipped != skipped {
			t.Errorf("%s: %v, %d; want %v, %d", key, gotOK, gotSkipped, ok, skipped)
		}
	}
	want("a", true, 0)
	want("a", false, 0)
	want("a", false, 0)
	want("b", true, 0)
	now = now.Add(time.Minute)
	want("a", true, 2)
	now = now.Add(-time.Hour)
	want("a", true, 0)
}

func TestLimiter_IsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(time.Minute, func() time.Time { return now })
	lines := 0
	for i := range 10_000 {
		if ok, _ := l.Allow(strconv.Itoa(i)); ok {
			lines++
		}
	}
	if lines != maxKeys || len(l.keys) != maxKeys {
		t.Errorf("%d lines and %d keys, want %d", lines, len(l.keys), maxKeys)
	}
	now = now.Add(2 * time.Minute)
	if ok, _ := l.Allow("later"); !ok {
		t.Error("no line in a later period")
	}
}
