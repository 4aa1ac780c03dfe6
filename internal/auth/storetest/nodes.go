package storetest

import (
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// RunNodes holds a home of nodes, which is that of the users, to the contract
// of auth.NodeStore.
func RunNodes(t *testing.T, open func(t *testing.T, hear func(auth.News)) Stores) {
	runContracts(t, open, nodes...)
}

var nodes = []contract{
	{"nodes are what they said last, until they stop or fall silent", func(t *testing.T, h *home) {
		store := h.Users.(auth.NodeStore)
		report := func(id string, minute int, problems string) auth.Node {
			t.Helper()
			n := auth.Node{ID: id, Name: "host:" + id, Version: "v1", Started: epoch, Seen: epoch.Add(time.Duration(minute) * time.Minute), Problems: problems}
			if err := store.ReportNode(t.Context(), n, n.Seen.Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			return n
		}
		list := func(want ...auth.Node) {
			t.Helper()
			got, err := store.Nodes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		}
		list()
		b, a := report("b", 0, ""), report("a", 1, "database: failing")
		list(a, b)
		b = report("b", 2, "it's ill")
		list(a, b)
		b = report("b", 62, "")
		list(b)
		a = report("a", 63, "")
		if err := store.RemoveNode(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		if err := store.RemoveNode(t.Context(), "nobody"); err != nil {
			t.Errorf("a node that is not there: %v", err)
		}
		list(a)
	}},
}
