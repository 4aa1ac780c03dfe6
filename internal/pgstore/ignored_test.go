package pgstore

import (
	"log/slog"
	"strings"
	"testing"
)

func TestWarnOfIgnored_NamesParametersAndNoPassword(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	warnOfIgnored(t.Context(), logger, "postgres://joe:hush@h/d?keepalives_idle=30&conn_max_age=600&application_name=x")
	if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, `"conn_max_age, keepalives_idle"`) || strings.Contains(got, "hush") {
		t.Error(got)
	}
	log.Reset()
	if warnOfIgnored(t.Context(), logger, "postgres://h/d?sslmode=require"); log.Len() > 0 {
		t.Error(log.String())
	}
}
