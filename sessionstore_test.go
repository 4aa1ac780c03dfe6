package postern_test

import (
	"slices"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// TestSessionStore_HasMetricsAndSpansOfItsOwn: the users are in SQLite, the
// sessions in Redis.
func TestSessionStore_HasMetricsAndSpansOfItsOwn(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	c := testConfig(t)
	c.SessionStore = redistest.Start(t).URL()
	c.RecallEntries = -1 // each check reads
	c.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	_, base, admin := watched(t, c)
	client := newClient(t, base)
	client.register("ann")
	client.login("ann", goodPassword)
	client.isIn(true)
	f := scrape(t, admin)
	f.expect(t, `postern_session_store_duration_seconds{operation="commit"}`, 2)
	// The checks of: the login, GET /api/user/.
	f.expect(t, `postern_session_store_duration_seconds{operation="read"}`, 2)
	if f[`postern_database_duration_seconds{operation="commit"}`] != f["postern_database_commit_writes"] || f["postern_database_commit_writes"] < 2 {
		t.Error("the commits of the SQL database are not its own")
	}
	var systems []string
	for _, span := range spans.GetSpans() {
		for _, a := range span.Attributes {
			if a.Key == "db.system.name" && !slices.Contains(systems, span.Name+" "+a.Value.AsString()) {
				systems = append(systems, span.Name+" "+a.Value.AsString())
			}
		}
	}
	slices.Sort(systems)
	want := []string{"commit login sqlite", "commit session redis", "commit user sqlite", "read session redis", "read user sqlite"}
	if !slices.Equal(systems, want) {
		t.Errorf("the spans are %q, want %q", systems, want)
	}
}

func TestSessionStore_WithoutOneThereIsNoSeries(t *testing.T) {
	_, base, admin := watched(t, testConfig(t))
	newClient(t, base).register("ann")
	for name := range scrape(t, admin) {
		if len(name) > 21 && name[:21] == "postern_session_store" {
			t.Errorf("there is %s", name)
		}
	}
}
