// Package deploy_test starts the examples of this folder, or has them judged
// by the programs that they are for.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

// program is the server as it is released, static and without the race
// detector.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "postern-deploy-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "postern")
	build := exec.Command("go", "build", "-o", program, "../cmd/postern")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	// A server's program is where a user's shell may not look.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	return pgtest.Main(m)
}

// output is what a command prints; the test fails if the command does.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// TestTheExamplesOfProxies: each with two nodes behind it, from a registration
// to a rolling restart under load in which no request fails. (Traefik is no
// package of Debian's.) One after the other: a trial can't reserve its ports.
func TestTheExamplesOfProxies(t *testing.T) {
	for _, proxy := range []string{"nginx", "caddy"} {
		t.Run(proxy, func(t *testing.T) {
			try := exec.CommandContext(t.Context(), "./try", proxy)
			try.Env = append(os.Environ(), "POSTERN="+program, "POSTERN_DATABASE_URL="+pgtest.Database(t))
			out := output(t, try)
			if !strings.HasSuffix(out, "ok    the session is over on both nodes\n") {
				t.Errorf("the trial did not come to its end:\n%s", out)
			}
		})
	}
}

// TestTheUnitsOfSystemd are what systemd understands, and as hardened as the
// README says.
func TestTheUnitsOfSystemd(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"postern.service", "postern.socket"} {
		unit, err := os.ReadFile(filepath.Join("systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		here := strings.ReplaceAll(string(unit), "/usr/local/bin/postern", program)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(here), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	service := filepath.Join(dir, "postern.service")
	if out := output(t, exec.CommandContext(t.Context(), "systemd-analyze", "verify", service, filepath.Join(dir, "postern.socket"))); out != "" {
		t.Errorf("systemd-analyze verify has something to say:\n%s", out)
	}
	output(t, exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold=14", service))
}
