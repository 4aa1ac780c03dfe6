package dburl

import (
	"slices"
	"strings"
	"testing"
)

func TestSQLite_ReadsSlashesAsSQLAlchemyAndDjDatabaseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"sqlite:x.db":                        "x.db",
		`sqlite:"x" and 'y.db`:               `"x" and 'y.db`,
		"sqlite:dir/x.db":                    "dir/x.db",
		"sqlite:/abs/x.db":                   "/abs/x.db",
		"sqlite:///x.db":                     "x.db",
		"sqlite:///dir/x.db":                 "dir/x.db",
		"sqlite:////abs/x.db":                "/abs/x.db",
		"SQLITE:////abs/x.db":                "/abs/x.db",
		"sqlite:////abs/x.db?timeout=20":     "/abs/x.db",
		"sqlite:x.db?mode=rwc&cache=private": "x.db",
		"sqlite:/a%20b%3F.db":                "/a b?.db",
		"sqlite:/100%.db":                    "/100%.db",
		"sqlite:/a b#c.db":                   "/a b#c.db",
		"sqlite:/data/x:y@z.db":              "/data/x:y@z.db",
		"sqlite:file:x.db?uri=true":          "x.db",
		"sqlite:file:/abs/x.db":              "/abs/x.db",
		"sqlite:///file:/abs/x.db?uri=true":  "/abs/x.db",
		"sqlite:///file:///abs/x.db":         "/abs/x.db",
		"sqlite:file://localhost/abs/x.db":   "/abs/x.db",
		"sqlite:x.db?conn_max_age=60":        "x.db",
	} {
		if f, err := SQLite(raw); err != nil || f.Path != want {
			t.Errorf("%s: %q, %v; want %q", raw, f.Path, err, want)
		}
	}
}

func TestSQLite_RefusesWhatIsNoFileOrCanNotBeHonoured(t *testing.T) {
	for raw, want := range map[string]string{
		"sqlite:": "names no file", "sqlite://": "names no file", "sqlite:///": "names no file",
		"sqlite::memory:": "names no file", "sqlite:///:memory:": "names no file", "sqlite:file::memory:": "names no file",
		"sqlite:x.db?mode=memory":         "names no file",
		"sqlite:x.db?mode=ro":             "mode=ro",
		"sqlite:x.db?cache=shared":        "parameter cache",
		"sqlite:x.db?immutable=1":         "parameter immutable",
		"sqlite:x.db?vfs=unix-none":       "parameter vfs",
		"sqlite:x.db?init_command=PRAGMA": "parameter init_command",
		"sqlite:x.db?_journal_mode=OFF":   "parameter _journal_mode",
		"sqlite:what?.db":                 "%3F",
		"sqlite:what?":                    "",
		"sqlite://x.db":                   "two slashes",
		"sqlite://var/lib/x.db":           "two slashes",
		"sqlite:file://host/x.db":         "file:",
		"sqlite:/var/lib/":                "folder",
		`sqlite:"x.db"`:                   "quotation marks",
		"sqlite:///'x.db'":                "quotation marks",
		"sqlite:file:'x.db'?uri=true":     "quotation marks",
		"sqlite:x\n.db":                   "control characters",
	} {
		f, err := SQLite(raw)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", raw, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", raw, f, err, want)
		}
	}
}

func TestSQLite_MakesNoFileBesideTheOneThatIsMeant(t *testing.T) {
	for _, c := range []struct {
		raw   string
		there []string
		want  string // "" for no objection
	}{
		{"sqlite:x.db", []string{"."}, ""},
		{"sqlite:///var/x.db", []string{".", "/", "/var", "/var/x.db"}, "four"},
		{"sqlite:///var/x.db", []string{".", "/", "/var"}, "four"},
		{"sqlite:///var/x.db", []string{".", "var", "/", "/var"}, ""},
		{"sqlite:///var/x.db", []string{".", "var", "var/x.db", "/var", "/var/x.db"}, ""},
		{"sqlite:///x.db", []string{".", "/"}, ""},
		{"sqlite:///x.db", []string{".", "/", "/x.db"}, "four"},
		{"sqlite:////var/x.db?timeout=20", []string{"/var", "/var/x.db", "//var/x.db?timeout=20"}, ""},
		{"sqlite:/var/x.db?timeout=20", []string{"/var", "/var/x.db?timeout=20"}, "%3F"},
		{"sqlite:a%20b.db", []string{".", "a%20b.db"}, "%25"},
		{"sqlite:a%20b.db", []string{".", "a b.db"}, ""},
		{"sqlite:x.db?mode=rw", []string{"."}, "mode=rw"},
		{"sqlite:x.db?mode=rw", []string{".", "x.db"}, ""},
	} {
		f, err := SQLite(c.raw)
		if err != nil {
			t.Errorf("%s: %v", c.raw, err)
			continue
		}
		err = f.Check(func(path string) bool { return slices.Contains(c.there, path) })
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %q: %v, want %q", c.raw, c.there, err, c.want)
		}
	}
}
