package postern_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/postern-auth/postern"

// rooms is the map of docs/architecture.md: each room and the rooms of ours
// that it may import. Tests of a room may import more.
var rooms = map[string][]string{
	".":                             {"internal/admin", "internal/api", "internal/auth", "internal/browse", "internal/dburl", "internal/django", "internal/drf", "internal/guard", "internal/httpserver", "internal/metrics", "internal/openapi", "internal/ops", "internal/password", "internal/pgstore", "internal/ratelog", "internal/recall", "internal/redact", "internal/redisstore", "internal/sqlstore", "internal/tracing"},
	"bench":                         {"internal/freeport"},
	"bench/empty":                   {},
	"bench/hash":                    {"internal/argon2"},
	"cmd/postern":                   {".", "internal/dburl", "internal/redact"},
	"internal/argon2":               {},
	"internal/api":                  {"internal/auth", "internal/drf", "internal/guard", "internal/password"},
	"internal/admin":                {"internal/auth", "internal/guard", "internal/pages", "internal/password"},
	"internal/auth":                 {"internal/django", "internal/password", "internal/ratelog"},
	"internal/auth/storetest":       {"internal/auth"},
	"internal/clock":                {},
	"internal/browse":               {"internal/drf", "internal/guard", "internal/pages"},
	"internal/dburl":                {},
	"internal/django":               {},
	"internal/drf":                  {},
	"internal/freeport":             {},
	"internal/guard":                {"internal/django", "internal/ratelog"},
	"internal/httpserver":           {"internal/ratelog"},
	"internal/metrics":              {},
	"internal/openapi":              {"internal/guard", "internal/pages"},
	"internal/ops":                  {},
	"internal/pages":                {"internal/guard"},
	"internal/pages/browsertest":    {},
	"internal/pgstore":              {"internal/auth", "internal/clock", "internal/dburl", "internal/django"},
	"internal/pgstore/pgtest":       {"internal/freeport"},
	"internal/password":             {"internal/argon2"},
	"internal/ratelog":              {},
	"internal/recall":               {"internal/auth", "internal/clock"},
	"internal/redact":               {},
	"internal/redisstore":           {"internal/auth", "internal/dburl"},
	"internal/redisstore/redistest": {"internal/freeport"},
	"internal/sqlstore":             {"internal/auth", "internal/django"},
	"internal/tracing":              {"internal/auth"},
	"bench/fleet":                   {"internal/auth", "internal/django", "internal/password", "internal/recall"},
}

func TestRoomsImportOnlyWhatTheMapAllows(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && file != "." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() && file != "." {
			// A module of its own is no room of this one.
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil {
				return filepath.SkipDir
			}
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		room := filepath.ToSlash(filepath.Dir(file))
		allowed, known := rooms[room]
		if !known {
			if !seen[room] {
				t.Errorf("%s: a new room: add it to the map or fold it into another", room)
			}
			seen[room] = true
			return nil
		}
		seen[room] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				continue
			}
			target := path.Clean("." + strings.TrimPrefix(imported, module))
			if !slices.Contains(allowed, target) {
				t.Errorf("%s imports %s, which the map does not allow %s", file, target, room)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for room := range rooms {
		if !seen[room] {
			t.Errorf("%s is on the map but has no code", room)
		}
	}
}
