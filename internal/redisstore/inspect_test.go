package redisstore

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

func TestInspect(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--maxmemory-policy", "allkeys-lru")
	server.Do(t, leastRights(t)...)
	found, err := Inspect(t.Context(), withRights(server.URL()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Condition{Address: server.Address(), Eviction: "allkeys-lru", Logs: true}); len(found) != 1 || found[0] != want {
		t.Errorf("%+v, want %+v", found, want)
	}
	if keys := server.Do(t, "info", "keyspace"); strings.Contains(keys, "keys=") {
		t.Errorf("it left keys: %s", keys)
	}
}

func TestInspectACluster(t *testing.T) {
	found, err := Inspect(t.Context(), redistest.StartCluster(t).URL(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 {
		t.Fatalf("%d masters: %+v", len(found), found)
	}
	for _, c := range found {
		if c.Eviction != "noeviction" || c.Logs || c.Replicas != 1 {
			t.Errorf("%+v", c)
		}
	}
}
