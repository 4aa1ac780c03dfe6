package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The canary is a secret in two halves, so that one that is cut in two by a
// special character is found too.
const (
	canaryHead = "Kanari"
	canaryTail = "Vogel"
	canary     = canaryHead + canaryTail
)

// addressMistakes are addresses with the canary as their password: of other
// programs, with a character that must be encoded, in quotation marks, and
// right ones of servers that are not there.
var addressMistakes = expand(
	"host=127.0.0.1 user=a password=%s dbname=d", "host = 127.0.0.1 password = '%s'", `password="%s"`,
	"Server=127.0.0.1;User Id=a;Password=%s", "Data Source=127.0.0.1;Pwd=%s", "127.0.0.1:1,password=%s", "127.0.0.1:1,ssl=true,Password=%s",
	"a:%s@127.0.0.1:1/d", ":%s@127.0.0.1:1", "postgres:/a:%s@127.0.0.1:1/d", "postgres:a:%s@127.0.0.1:1/d", "//a:%s@127.0.0.1:1/d",
	"postgres://a:%s@127.0.0.1:1/d", "postgres://a:%s@127.0.0.1:port/d", "postgres://a:%s@127.0.0.1:1:1/d", "postgres://a:%s@[::1/d", "postgres://a:%s@",
	"postgres://a:%s@127.0.0.1:1/d?sslmode=never", "postgres://a:%s@127.0.0.1:1/d?connect_timeout=x", "postgres://a:%s@127.0.0.1:1/d?pooler=x",
	"postgres://a@127.0.0.1:1/d?password=%s&sslmode=x", "postgres://a@127.0.0.1:1/d?sslpassword=%s&sslkey=/none", "postgres://a:%s@127.0.0.1:1/d?x=%%zz",
	"postgres://127.0.0.1:1/d password=%s", "postgres://a:%s@127.0.0.1:1\n/d", "https://a:%s@127.0.0.1:1/d", "wss://a:%s@127.0.0.1:1",
	"postgresql+psycopg2://a:%s@127.0.0.1:1/d", "jdbc:postgresql://127.0.0.1:1/d?user=a&password=%s", "mysql://a:%s@127.0.0.1:1/d", "mongodb+srv://a:%s@127.0.0.1:1/d",
	"sqlite://a:%s@127.0.0.1:1/x/d", "sqlite:a:%s@127.0.0.1:1/d", "sqlite:x?password=%s", "sqlite:x?key=%s",
	"redis://a:%s@127.0.0.1:1", "redis://a:%s@127.0.0.1:1/x", "redis://a:%s@127.0.0.1:1?db=x", "redis://a:%s@127.0.0.1:1?master_set=x", "redis://127.0.0.1:1?password=%s",
	"redis://a:%s@127.0.0.1:x", "redis:a:%s@127.0.0.1:1", "redis+sentinel://a:%s@127.0.0.1:1/set", "unix://a:%s@/none", "rediss://a:%s@127.0.0.1:1?ca_file=/none",
)

// keyMistakes are the canary where a secret key belongs.
var keyMistakes = []string{
	canary, `"` + canary + `"`, strings.Repeat(canary, 4), "${" + canary + strings.Repeat("x", 32) + "}", "$(cat " + canary + ")",
}

// keysForPaths are keys where the path of their file belongs.
var keysForPaths = []string{
	strings.Repeat(canary, 4), "/" + canary + "+" + canary + "0/" + canary + "=", canary + "/" + canary + "/+" + canary + "=", "${" + canary + strings.Repeat("x", 32) + "}",
}

// expand fills passwords with each special character into the forms, and puts
// each form into quotation marks.
func expand(forms ...string) []string {
	var all []string
	for i, form := range forms {
		all = append(all, fmt.Sprintf(form, canary))
		special := []string{"/", "@", ":", "%", "#", "?", " ", "%zz", "'", `"`, `\`, "&", ";", ",", "="}
		all = append(all, fmt.Sprintf(form, canaryHead+special[i%len(special)]+canaryTail))
		if i%4 == 0 {
			all = append(all, `"`+fmt.Sprintf(form, canary)+`"`)
		}
	}
	return all
}

// runProgram runs a command in this process, and returns all it wrote.
func runProgram(t *testing.T, environ, args []string) string {
	t.Helper()
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	p := &program{stdin: os.Stdin, stdout: output, stderr: output, environ: environ}
	code := p.execute(ctx, args)
	if ctx.Err() != nil {
		t.Errorf("%q with %q went on", args, environ)
	}
	if _, err := output.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(output)
	if err != nil {
		t.Fatal(err)
	}
	if code == exitOK && slices.Contains(args, "serve") {
		t.Errorf("%q with %q: the server started", args, environ)
	}
	return string(text)
}

func mustNotSing(t *testing.T, output, where string) {
	t.Helper()
	if strings.Contains(output, canaryHead) || strings.Contains(output, canaryTail) {
		t.Errorf("%s: the secret is shown:\n%s", where, output)
	}
}

// mistakeSources are the ways to set a setting; nil where there is none.
var mistakeSources = map[string]func(t *testing.T, s *setting, value string) (environ, flags []string){
	"environment": func(_ *testing.T, s *setting, value string) ([]string, []string) {
		return []string{s.env() + "=" + value}, nil
	},
	"flag": func(_ *testing.T, s *setting, value string) ([]string, []string) {
		if s.flagName() == "" {
			return nil, nil
		}
		return nil, []string{"--" + s.flagName() + "=" + value}
	},
	"file": func(t *testing.T, s *setting, value string) ([]string, []string) {
		return nil, []string{"--config", tomlFile(t, s.key()+" = "+tomlString(value))}
	},
	"file, list": func(t *testing.T, s *setting, value string) ([]string, []string) {
		return nil, []string{"--config", tomlFile(t, s.key()+" = ["+tomlString(value)+"]")}
	},
	"file, not TOML": func(t *testing.T, s *setting, value string) ([]string, []string) {
		return nil, []string{"--config", tomlFile(t, s.key()+" = "+value+"\n"+value)}
	},
}

func tomlFile(t *testing.T, content string) string {
	path := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func tomlString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

var canaryCommands = [][]string{{"check", "--deploy"}, {"serve"}, {"migrate"}, {"users", "list"}}

// soundSettings are right, and so is every one of them alone.
func soundSettings(t *testing.T) []string {
	return []string{"POSTERN_SECRET_KEY=" + testSecret, "POSTERN_ALLOWED_HOSTS=example.com", "POSTERN_ADDR=127.0.0.1:0",
		"POSTERN_DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "db"), "POSTERN_LOG_LEVEL=debug"}
}

// TestCanary_NoMistakeShowsASecret makes every mistake with each setting that
// may hold a secret or looks as if it did, and nothing else wrong.
func TestCanary_NoMistakeShowsASecret(t *testing.T) {
	urls := []string{"ALLOWED_HOSTS", "TRUSTED_PROXIES", "ADDR", "ADMIN_ADDR", "CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS", "SESSION_COOKIE_DOMAIN"}
	t.Chdir(t.TempDir())
	sound := soundSettings(t)
	runs := 0
	for i := range table {
		s := &table[i]
		var mistakes []string
		switch {
		case s.name == "SECRET_KEY_FILE":
			mistakes = keysForPaths
		case s.secret:
			mistakes = keyMistakes
		case s.credentials || slices.Contains(urls, s.name):
			mistakes = addressMistakes
		}
		environ := slices.DeleteFunc(slices.Clone(sound), func(v string) bool {
			return strings.HasPrefix(v, s.env()+"=") || s.name == "SECRET_KEY_FILE" && strings.HasPrefix(v, "POSTERN_SECRET_KEY=")
		})
		if strings.HasPrefix(s.name, "DATABASE_") && s.name != "DATABASE_URL" {
			environ = append(environ, "POSTERN_DATABASE_URL=postgres://a@127.0.0.1:1/d")
		}
		for source, set := range mistakeSources {
			for m, mistake := range mistakes {
				if source != "environment" && m%5 != 0 {
					continue // what a source does to values shows in a fifth of them
				}
				more, flags := set(t, s, mistake)
				if more == nil && flags == nil {
					continue
				}
				command := canaryCommands[runs%len(canaryCommands)]
				runs++
				output := runProgram(t, slices.Concat(environ, more), slices.Concat(command, flags))
				mustNotSing(t, output, fmt.Sprintf("%s %q by %s, %q", s.name, mistake, source, command))
			}
		}
	}
}

// TestCanary_NoMistakeInAnySettingShowsAPassword gives the same address to
// every setting there is.
func TestCanary_NoMistakeInAnySettingShowsAPassword(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, mistake := range addressMistakes {
		var environ, flags []string
		var file strings.Builder
		for i := range table {
			s := &table[i]
			environ = append(environ, s.env()+"="+mistake)
			if s.flagName() != "" {
				flags = append(flags, "--"+s.flagName()+"="+mistake)
			}
			file.WriteString(s.key() + " = " + tomlString(mistake) + "\n")
		}
		for source, args := range map[string][]string{"environment": {}, "flags": flags, "file": {"--config", tomlFile(t, file.String())}} {
			env := []string{}
			if source == "environment" {
				env = environ
			}
			mustNotSing(t, runProgram(t, env, append([]string{"serve"}, args...)), source+" "+mistake)
		}
	}
}

// TestCanary_NoFileOfASecretIsShown puts the secret into the file that
// POSTERN_SECRET_KEY_FILE names.
func TestCanary_NoFileOfASecretIsShown(t *testing.T) {
	sound := append(soundSettings(t), "POSTERN_SECRET_KEY=")
	for _, key := range append(keyMistakes, "\xff\xfe"+canary, canary+"\x00") {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range canaryCommands[:2] {
			output := runProgram(t, append(sound, "POSTERN_SECRET_KEY_FILE="+path), command)
			if command[0] == "serve" && !strings.Contains(output, "POSTERN_SECRET_KEY_FILE") {
				t.Errorf("%q: the setting is not named:\n%s", key, output)
			}
			mustNotSing(t, output, fmt.Sprintf("file %q, %q", key, command))
		}
	}
}

// TestCanary_NoVariableOfOpenTelemetryIsShown makes mistakes in the variables
// that hold credentials, and sends traces to a collector that is not there.
func TestCanary_NoVariableOfOpenTelemetryIsShown(t *testing.T) {
	const endpoint, headers = "OTEL_EXPORTER_OTLP_ENDPOINT=", "OTEL_EXPORTER_OTLP_HEADERS="
	for _, wrong := range []string{
		endpoint + "http://a:" + canary + "@127.0.0.1:1", endpoint + "http://a:" + canary + "%zz@127.0.0.1:1", endpoint + canary + "@127.0.0.1:1",
		endpoint + "https://127.0.0.1:1?key=" + canary, endpoint + "http://a:" + canary + "@127.0.0.1:port", endpoint + "grpc://" + canary + "@127.0.0.1:1",
		headers + canary, headers + "authorization=Bearer%zz" + canary, headers + `"authorization=` + canary + `"`, headers + "a b=" + canary,
		headers + "authorization: " + canary, headers + "x=%0a" + canary, "OTEL_EXPORTER_OTLP_TRACES_HEADERS=" + canary, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + canary + "://x",
	} {
		name, _, _ := strings.Cut(wrong, "=")
		environ := append(soundSettings(t), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", wrong)
		for _, command := range canaryCommands[:2] {
			output := runProgram(t, environ, command)
			mustNotSing(t, output, wrong)
			if !strings.Contains(output, "postern: "+name+": ") {
				t.Errorf("%s: the variable is not named:\n%s", wrong, output)
			}
		}
	}
}

func TestHiderOfTracing_HidesCredentialsWhereverTheyStand(t *testing.T) {
	hide := hiderOfTracing(map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20" + canary + ", x-key = " + canaryHead + "%2C" + canaryTail, "HTTPS_PROXY": "http://a:" + canary + "@p:port",
	})
	for _, message := range []string{
		`failed to send: 401 (body: no such token ` + canary + `)`, `invalid header "Bearer ` + canary + `"`, `key "` + canaryHead + "," + canaryTail + `"`,
		`invalid proxy address "http://a:` + canary + `@p:port"`, "Bearer%20" + canary,
	} {
		mustNotSing(t, hide.Replace(message), message)
	}
	if got := hide.Replace("connection refused"); got != "connection refused" {
		t.Error(got)
	}
}

func TestQuietHandler_LeavesOutValuesOfTheEnvironment(t *testing.T) {
	var log strings.Builder
	slog.New(quietHandler{slog.NewTextHandler(&log, nil)}).With("logger", "otel").Error("parse headers", "input", canary, "err", "missing")
	mustNotSing(t, log.String(), "log")
	if !strings.Contains(log.String(), "missing") {
		t.Error(log.String())
	}
}
