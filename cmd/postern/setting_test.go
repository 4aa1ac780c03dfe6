package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
)

// resolveWith resolves the settings of serve from those flags, that
// environment, and a file of that content.
func resolveWith(t *testing.T, flags, environ []string, file string) *resolved {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "postern.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		environ = append(slices.Clone(environ), "POSTERN_CONFIG="+path)
	}
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stderr.Close() })
	p := &program{stderr: stderr, environ: environ}
	cmd := &cobra.Command{}
	b := p.bind(cmd, forServer, nil)
	if err := cmd.ParseFlags(flags); err != nil {
		t.Fatal(err)
	}
	return b.resolve()
}

func TestTheTableHasNoTwoOfAName(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range table {
		for _, name := range []string{s.env(), s.flagName()} {
			if name != "" && seen[name] {
				t.Errorf("%s comes twice", name)
			}
			seen[name] = true
		}
		if s.usage == "" || s.group == "" || s.set == nil {
			t.Errorf("%s lacks usage, group or set", s.name)
		}
		if s.preset == "" && s.absent == "" {
			t.Errorf("%s does not say its default", s.name)
		}
	}
}

func TestEverySettingOfAGroupStandsWithTheOthers(t *testing.T) {
	var groups []string
	for _, s := range table {
		if len(groups) == 0 || groups[len(groups)-1] != s.group {
			groups = append(groups, s.group)
		}
	}
	sorted := slices.Sorted(slices.Values(groups))
	if len(slices.Compact(sorted)) != len(groups) {
		t.Errorf("a group comes twice: %q", groups)
	}
}

func TestDefaultsAreRightButForTheThreeThatHaveNone(t *testing.T) {
	r := resolveWith(t, nil, nil, "")
	if err := r.err(); err != nil {
		t.Fatalf("a default is wrong: %v", err)
	}
	r.validate()
	var missing []string
	for _, err := range r.mistakes {
		var mistake *postern.ConfigError
		if !errors.As(err, &mistake) {
			t.Fatalf("%v is no ConfigError", err)
		}
		missing = append(missing, mistake.Setting)
	}
	slices.Sort(missing)
	want := []string{"POSTERN_ALLOWED_HOSTS", "POSTERN_DATABASE_URL", "POSTERN_SECRET_KEY"}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Errorf("mistakes of the defaults (-want +got):\n%s", diff)
	}
}

// TestEverySettingIsTakenFromEverySource sets each to a value that is not its
// default, and to a wrong one, by flag, environment and file.
func TestEverySettingIsTakenFromEverySource(t *testing.T) {
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(testSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	other := map[string]string{
		"HOST:PORT": "127.0.0.1:9", "PATH": "/other", "MODE": "", "FILE": secretFile, "HOST,…": "example.com", "NETWORK,…": "10.0.0.0/8",
		"URL": "sqlite:x", "REDIS": "redis://127.0.0.1", "TEXT": testSecret, "TEXT,…": testSecret, "ORIGIN,…": "https://example.com", "REGEX,…": "^https://x",
		"HEADER,…": "x-header", "METHOD,…": "GET", "DURATION": "77", "NAME": "other", "DOMAIN": "example.com", "NUMBER": "16", "KIB": "77",
		"STATUS": "401", "FORMAT": "json", "LEVEL": "debug", "POLICY": "origin", "RATE": "7/h", "SIZE": "512MiB", "": "true",
	}
	for _, s := range table {
		value := other[s.hint]
		for _, choice := range s.choices {
			if choice != s.preset {
				value = choice
			}
		}
		if s.name == "UNIX_SOCKET_MODE" {
			value = "0600"
		}
		if s.name == "AUDIT_AGE" {
			value = "77h"
		}
		before := resolveWith(t, nil, nil, "")
		sources := map[string]*resolved{
			"environment": resolveWith(t, nil, []string{s.env() + "=" + value}, ""),
			"file":        resolveWith(t, nil, nil, s.key()+" = "+quoteTOML(value)),
		}
		if s.flagName() != "" {
			sources["flag"] = resolveWith(t, []string{"--" + s.flagName() + "=" + value}, nil, "")
		}
		for source, r := range sources {
			if err := r.err(); err != nil {
				t.Errorf("%s=%q by %s: %v", s.name, value, source, err)
			}
			if diffOptions(before, r) == "" {
				t.Errorf("%s=%q by %s changes nothing", s.name, value, source)
			}
			if diff := diffOptions(sources["file"], r); diff != "" {
				t.Errorf("%s=%q by %s is not what it is by file:\n%s", s.name, value, source, diff)
			}
		}
	}
}

func quoteTOML(s string) string { return "'" + s + "'" }

func diffOptions(a, b *resolved) string {
	return cmp.Diff(a.options, b.options, cmp.AllowUnexported(options{}, memoryLimit{}),
		cmp.Comparer(func(a, b *regexp.Regexp) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b postern.Config) bool { return configText(a) == configText(b) }))
}

func TestAFlagGoesBeforeTheEnvironmentBeforeTheFileBeforeTheDefault(t *testing.T) {
	const file = "session_limit = 1"
	environ := []string{"POSTERN_SESSION_LIMIT=2"}
	flags := []string{"--session-limit=3"}
	for _, c := range []struct {
		name           string
		flags, environ []string
		file           string
		want           int
	}{
		{"nothing is set", nil, nil, "", 0},
		{"the file", nil, nil, file, 1},
		{"the environment over the file", nil, environ, file, 2},
		{"the flag over both", flags, environ, file, 3},
		{"the flag over the environment", flags, environ, "", 3},
		{"an empty variable is not set", nil, []string{"POSTERN_SESSION_LIMIT="}, file, 1},
		{"the last of two variables", nil, []string{"POSTERN_SESSION_LIMIT=4", "POSTERN_SESSION_LIMIT=5"}, "", 5},
		{"the last of two flags", []string{"--session-limit=3", "--session-limit=6"}, nil, "", 6},
	} {
		r := resolveWith(t, c.flags, c.environ, c.file)
		if got := r.config.Session.Limit; got != c.want || r.err() != nil {
			t.Errorf("%s: limit %d, %v; want %d", c.name, got, r.err(), c.want)
		}
	}
}

func TestListsComeInManyForms(t *testing.T) {
	want := []string{"a.example", "b.example"}
	for name, r := range map[string]*resolved{
		"a flag with commas":      resolveWith(t, []string{"--allowed-hosts", " a.example , b.example,"}, nil, ""),
		"two flags":               resolveWith(t, []string{"--allowed-hosts=a.example", "--allowed-hosts=b.example"}, nil, ""),
		"a variable":              resolveWith(t, nil, []string{"POSTERN_ALLOWED_HOSTS=a.example,b.example"}, ""),
		"an array":                resolveWith(t, nil, nil, `allowed_hosts = ["a.example", "b.example"]`),
		"a string in the file":    resolveWith(t, nil, nil, `allowed_hosts = "a.example,b.example"`),
		"a flag, not the file":    resolveWith(t, []string{"--allowed-hosts=a.example,b.example"}, nil, `allowed_hosts = ["c.example"]`),
		"an array with space":     resolveWith(t, nil, nil, `allowed_hosts = [" a.example", "", "b.example "]`),
		"a variable with a space": resolveWith(t, nil, []string{"POSTERN_ALLOWED_HOSTS=a.example, b.example"}, ""),
	} {
		if diff := cmp.Diff(want, r.config.AllowedHosts); diff != "" || r.err() != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, r.err(), diff)
		}
	}
	empty := resolveWith(t, nil, []string{"POSTERN_ALLOWED_HOSTS="}, `allowed_hosts = ["c.example"]`)
	if got := empty.config.AllowedHosts; got != nil {
		t.Errorf("an empty variable leaves %q of the file, want the empty list", got)
	}
}

func TestAMistakeIsNamedAsItWasMade(t *testing.T) {
	for _, c := range []struct {
		name           string
		flags, environ []string
		file           string
		want           []string
	}{
		{"by flag", []string{"--session-limit=x"}, nil, "", []string{`--session-limit="x": must be a whole number`}},
		{"by flag with another name", []string{"--database=mysql:x"}, nil, "", []string{`--database: is not a database`}},
		{"by environment", nil, []string{"POSTERN_SESSION_LIMIT=x"}, "", []string{`POSTERN_SESSION_LIMIT="x": must be`}},
		{"by file", nil, nil, `session_limit = "x"`, []string{`postern.toml: session_limit="x": must be`}},
		{"a list for one value", nil, nil, `session_limit = [1, 2]`, []string{`session_limit="1,2": must be one value, not a list`}},
		{"a kind there is no use for", nil, nil, `session_limit = 1.5`, []string{`session_limit: must be a string`}},
		{"a list of lists", nil, nil, `allowed_hosts = [["x"]]`, []string{`allowed_hosts: must be a string`}},
		{"a zero that Config would take as unset", nil, []string{"POSTERN_SESSION_COOKIE_AGE=0"}, "", []string{`POSTERN_SESSION_COOKIE_AGE="0": must be at least 1s`}},
		{"of meaning", nil, []string{"POSTERN_SESSION_COOKIE_SAMESITE=none"}, "", []string{`POSTERN_SESSION_COOKIE_SAMESITE="None": needs POSTERN_SESSION_COOKIE_SECURE=true`}},
		{"two at a time", []string{"--session-limit=x"}, []string{"POSTERN_SESSION_COOKIE_PATH=api"}, "", []string{`--session-limit="x"`, `POSTERN_SESSION_COOKIE_PATH="api": must start with "/"`}},
		{"each host", nil, []string{"POSTERN_ALLOWED_HOSTS=a:1,b:2"}, "", []string{`POSTERN_ALLOWED_HOSTS="a:1"`, `POSTERN_ALLOWED_HOSTS="b:2"`}},
		{"a short fallback, not shown", nil, []string{"POSTERN_SECRET_KEY_FALLBACKS=sesame"}, "", []string{`POSTERN_SECRET_KEY_FALLBACKS: has 6 characters`}},
		{"a secret that is a list, not shown", nil, nil, `secret_key = ["sesame"]`, []string{`secret_key: must be one value`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			environ := append([]string{"POSTERN_DATABASE_URL=sqlite:x", "POSTERN_SECRET_KEY=" + testSecret, "POSTERN_ALLOWED_HOSTS=example.com"}, c.environ...)
			if strings.HasPrefix(c.file, "secret_key") {
				environ = slices.Delete(environ, 1, 2)
			}
			if strings.HasPrefix(c.file, "allowed_hosts") {
				environ = slices.Delete(environ, 2, 3)
			}
			r := resolveWith(t, c.flags, environ, c.file)
			r.validate()
			var lines bytes.Buffer
			printError(&lines, r.err())
			for _, want := range c.want {
				if !strings.Contains(lines.String(), want) {
					t.Errorf("no line has %q:\n%s", want, &lines)
				}
			}
			if strings.Contains(lines.String(), "sesame") {
				t.Errorf("a secret is told:\n%s", &lines)
			}
		})
	}
}

func TestOneMistakeIsToldOnce(t *testing.T) {
	r := resolveWith(t, []string{"--csrf-cookie-age=never"}, []string{
		"POSTERN_DATABASE_URL=sqlite:x", "POSTERN_SECRET_KEY=" + testSecret, "POSTERN_ALLOWED_HOSTS=example.com",
	}, "")
	r.validate()
	if len(r.mistakes) != 1 {
		t.Errorf("%d mistakes, want 1: %v", len(r.mistakes), r.err())
	}
}

func TestTheSecretKeyFileIsTheSecretKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("  "+testSecret+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := resolveWith(t, []string{"--secret-key-file", path}, nil, "")
	if r.config.SecretKey != testSecret || r.err() != nil {
		t.Errorf("secret key %q, %v", r.config.SecretKey, r.err())
	}
}

func TestTheSecretKeyHasNoFlag(t *testing.T) {
	for _, s := range table {
		if s.secret && s.flagName() != "" {
			t.Errorf("%s has the flag --%s", s.name, s.flagName())
		}
	}
	if s := settingNamed("SECRET_KEY"); s == nil || !s.secret {
		t.Error("SECRET_KEY is no secret")
	}
}

func TestTheListenerIsTheSocketUnlessTheAddressIsSet(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags []string
		addr  string
	}{
		{"no socket", nil, "127.0.0.1:8000"},
		{"a socket", []string{"--unix-socket=s"}, ""},
		{"both", []string{"--unix-socket=s", "--addr=127.0.0.1:9"}, "127.0.0.1:9"},
	} {
		r := resolveWith(t, c.flags, nil, "")
		r.checkListening()
		if r.listen.Addr != c.addr {
			t.Errorf("%s: address %q, want %q", c.name, r.listen.Addr, c.addr)
		}
	}
}

func TestDocsSettingsIsTheTable(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "settings.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(settingsPage()), string(page)); diff != "" {
		t.Errorf("docs/settings.md is not what the table makes; run: go generate ./cmd/postern\n%s", diff)
	}
}

func TestDevAnswersToThisMachineOnly(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:8000": true, "127.9.9.9:1": true, "[::1]:8000": true, "localhost:8000": true, "[::ffff:127.0.0.1]:8000": true,
		":8000": false, "0.0.0.0:8000": false, "[::]:8000": false, "192.0.2.1:8000": false, "example.com:80": false,
		"localhost.example.com:80": false, "127.0.0.1.example.com:80": false,
	} {
		if got := isLoopback(address); got != want {
			t.Errorf("isLoopback(%q) = %v, want %v", address, got, want)
		}
	}
}

func TestDevKeepsOperatorsOnThisMachineToo(t *testing.T) {
	for address, want := range map[string]string{"127.0.0.1:0": "", "0.0.0.0:9000": "--admin-addr"} {
		r := resolveWith(t, []string{"--admin-addr", address}, nil, "")
		r.forDevelopment()
		if err := r.err(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a mistake in %q", address, err, want)
		}
	}
}

func TestANearNameIsSuggestedAndAFarOneIsNot(t *testing.T) {
	for name, want := range map[string]string{
		"POSTERN_ALLOWED_HOST":        "; did you mean POSTERN_ALLOWED_HOSTS?",
		"POSTERN_DATABASE":            "; did you mean POSTERN_DATABASE_URL?",
		"POSTERN_SESSION_COOKIE_AGES": "; did you mean POSTERN_SESSION_COOKIE_AGE?",
		"POSTERN_HOME_OF_THE_BRAVE":   "",
	} {
		if got := suggestion(name, knownVariables()); got != want {
			t.Errorf("suggestion(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestTimesAsPeopleSayThem(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for want, at := range map[string]time.Time{
		"never":           {},
		"just now":        now,
		"1 second ago":    now.Add(-time.Second),
		"119 seconds ago": now.Add(-2*time.Minute + time.Second),
		"2 minutes ago":   now.Add(-2 * time.Minute),
		"90 minutes ago":  now.Add(-90 * time.Minute),
		"6 days ago":      now.Add(-7*24*time.Hour + time.Second),
		"in 14 days":      now.Add(14 * 24 * time.Hour),
		"2 years ago":     now.Add(-800 * 24 * time.Hour),
	} {
		if got := relative(at, now); got != want {
			t.Errorf("relative(%s) = %q, want %q", at, got, want)
		}
	}
}

func TestWhatComesFromTheNetworkCanNotSteerATerminal(t *testing.T) {
	got := printable("a\x1b[31mb\n\u202ec\x00é日")
	if want := "a\ufffd[31mb\ufffd\ufffdc\ufffdé日"; got != want {
		t.Errorf("printable = %q, want %q", got, want)
	}
}

func TestQuotationMarksAreNoPartOfAValue(t *testing.T) {
	for i := range table {
		s := &table[i]
		for source, r := range map[string]*resolved{
			"environment": resolveWith(t, nil, []string{s.env() + `="x"`}, ""), "single": resolveWith(t, nil, []string{s.env() + `=' x '`}, ""),
			"file": resolveWith(t, nil, nil, s.key()+` = "'x'"`), "array": resolveWith(t, nil, nil, s.key()+` = ["a", "'x'"]`),
		} {
			quoted := r.err() != nil && strings.Contains(r.err().Error(), "quotation marks")
			if quoted == s.secret {
				t.Errorf("%s by %s: %v", s.name, source, r.err())
			}
		}
	}
}
