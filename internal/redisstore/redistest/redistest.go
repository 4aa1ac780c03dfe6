// Package redistest starts throw-away Redis or Valkey servers for tests, from
// the binaries that the machine has, on free ports of the loopback interface,
// and stops them by their own process.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/postern-auth/postern/internal/freeport"
)

// Server is one server.
type Server struct {
	Port int
	dir  string
	args []string
	run  *exec.Cmd
}

// patience bounds every wait for a server.
const patience = 30 * time.Second

// Start starts a server for the test, with more arguments as redis-server
// takes them ("--requirepass", "secret"), and stops it at the test's end.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, nil, args)
}

func start(t testing.TB, mode, args []string) *Server {
	t.Helper()
	s := &Server{Port: FreePort(t)}
	var err error
	if s.dir, err = os.MkdirTemp("", "postern-redis-"); err != nil {
		t.Fatal(err)
	}
	s.args = append(append(slices.Clone(mode), "--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"), "--daemonize", "no"), args...)
	t.Cleanup(func() {
		s.end(syscall.SIGKILL)
		_ = os.RemoveAll(s.dir)
	})
	s.Run(t)
	return s
}

// Address is HOST:PORT.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// URL is that of the server, without a password.
func (s *Server) URL() string { return "redis://" + s.Address() }

// Run starts the server, again after Stop or Kill, and waits until it listens.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.run = exec.Command(program(t, "server"), s.args...)
	s.run.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.run.Dir = s.dir
	if err := s.run.Start(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "redis-server listens", func() bool {
		conn, err := net.DialTimeout("tcp", s.Address(), time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// Stop ends the server as an operator would, Kill without any care.
func (s *Server) Stop(t testing.TB) { s.end(syscall.SIGTERM) }
func (s *Server) Kill(t testing.TB) { s.end(syscall.SIGKILL) }

func (s *Server) end(how syscall.Signal) {
	if s.run == nil {
		return
	}
	_ = s.run.Process.Signal(syscall.SIGCONT)
	_ = s.run.Process.Signal(how) // it may have ended
	_ = s.run.Wait()              // its exit code says how it was stopped
	s.run = nil
}

// Pause stops the server's process where it is, Continue lets it go on.
func (s *Server) Pause(t testing.TB)    { s.signal(t, syscall.SIGSTOP) }
func (s *Server) Continue(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, how syscall.Signal) {
	t.Helper()
	if err := s.run.Process.Signal(how); err != nil {
		t.Fatal(err)
	}
}

// Do runs a command on a connection of its own, as another program would, and
// returns what is answered, as text.
func (s *Server) Do(t testing.TB, command ...string) string {
	t.Helper()
	answer, err := s.Try(command...)
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return answer
}

// Try is Do for a command that may fail.
func (s *Server) Try(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := valkey.NewClient(valkey.ClientOption{InitAddress: []string{s.Address()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return "", err
	}
	defer client.Close()
	result := client.Do(ctx, client.B().Arbitrary(command...).Build())
	message, err := result.ToMessage()
	if err != nil {
		return "", err
	}
	if text, err := message.ToString(); err == nil {
		return text, nil
	}
	return message.String(), nil
}

// Cluster is three masters with a replica each.
type Cluster struct{ Servers []*Server }

// StartCluster starts a Cluster and waits until every node knows it whole.
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	const masters = 3
	c := new(Cluster)
	for range 2 * masters {
		c.Servers = append(c.Servers, Start(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-node-timeout", "15000", "--cluster-config-file", "nodes.conf", "--save", "", "--appendonly", "no",
			"--cluster-port", strconv.Itoa(FreePort(t)), "--cluster-replica-validity-factor", "0",
		}, args...)...))
	}
	list := []string{"--cluster", "create"}
	for _, s := range c.Servers {
		list = append(list, s.Address())
	}
	list = append(list, "--cluster-replicas", "1", "--cluster-yes")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, program(t, "cli"), list...).CombinedOutput(); err != nil {
		t.Fatalf("create the cluster: %v\n%s", err, out)
	}
	Eventually(t, "the cluster is whole", func() bool {
		for _, s := range c.Servers {
			if info, err := s.Try("cluster", "info"); err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:6") {
				return false
			}
		}
		return len(c.Masters(t)) == masters && c.hasReplicas()
	})
	return c
}

// Hasten has a replica take its master's place after a second's silence. Until
// then nodes are given the time that a busy machine may need.
func (c *Cluster) Hasten(t testing.TB) {
	t.Helper()
	for _, s := range c.Servers {
		s.Do(t, "CONFIG", "SET", "cluster-node-timeout", "1000")
	}
}

// hasReplicas says that each replica follows its master.
func (c *Cluster) hasReplicas() bool {
	for _, s := range c.Servers {
		info, err := s.Try("info", "replication")
		if err != nil || strings.Contains(info, "role:slave") && !strings.Contains(info, "master_link_status:up") {
			return false
		}
	}
	return true
}

// URL names three of the nodes.
func (c *Cluster) URL() string {
	return fmt.Sprintf("%s?addr=%s&addr=%s", c.Servers[0].URL(), c.Servers[1].Address(), c.Servers[2].Address())
}

// Masters are the nodes that are masters now, of those that run.
func (c *Cluster) Masters(t testing.TB) []*Server {
	t.Helper()
	var masters []*Server
	for _, s := range c.Servers {
		if s.run == nil {
			continue
		}
		if info, err := s.Try("info", "replication"); err == nil && strings.Contains(info, "role:master") {
			masters = append(masters, s)
		}
	}
	return masters
}

// Watched is a master and a replica that Sentinels watch.
type Watched struct {
	Master, Replica *Server
	Sentinels       []*Server
}

// MasterSet is the name by which Sentinels know the master.
const MasterSet = "postern"

// StartSentinel starts a master, a replica and three Sentinels.
func StartSentinel(t testing.TB) *Watched {
	t.Helper()
	w := &Watched{Master: Start(t)}
	w.Replica = Start(t, "--replicaof", "127.0.0.1", strconv.Itoa(w.Master.Port))
	Eventually(t, "the replica follows", func() bool {
		info, err := w.Replica.Try("info", "replication")
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	for range 3 {
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		text := fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2\nsentinel down-after-milliseconds %s 500\nsentinel failover-timeout %s 3000\n", MasterSet, w.Master.Port, MasterSet, MasterSet)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sentinel := start(t, []string{file, "--sentinel"}, nil)
		// A master that comes back is made a replica after 10 s otherwise.
		sentinel.Do(t, "sentinel", "debug", "info-period", "500", "publish-period", "200")
		w.Sentinels = append(w.Sentinels, sentinel)
	}
	Eventually(t, "the sentinels know each other", func() bool {
		for _, s := range w.Sentinels {
			info, err := s.Try("info", "sentinel")
			if err != nil || !strings.Contains(info, "slaves=1,sentinels=3") {
				return false
			}
		}
		return true
	})
	return w
}

// URL is for a client that asks the Sentinels.
func (w *Watched) URL() string {
	return fmt.Sprintf("%s?master_set=%s&addr=%s", w.Sentinels[0].URL(), MasterSet, w.Sentinels[1].Address())
}

// program finds the server or the command line, of Redis or of Valkey.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, family := range []string{"redis-", "valkey-"} {
		if path, err := exec.LookPath(family + name); err == nil {
			return path
		}
	}
	t.Fatalf("the tests need redis-%s: install Debian's package redis-server (and redis-tools), or Valkey's", name)
	return ""
}

// FreePort returns a TCP port of the loopback interface that nobody listens
// on.
func FreePort(t testing.TB) int {
	t.Helper()
	address, err := freeport.TCP()
	if err != nil {
		t.Fatal(err)
	}
	return int(address.Port())
}

// Eventually waits until something is so.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal(errors.New("it never came to pass: " + what))
		}
	}
}
