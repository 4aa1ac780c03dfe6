package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postern-auth/postern/internal/freeport"
)

const (
	// startPatience is how long a server may take to its first answer.
	startPatience = 30 * time.Second
	// startPoll is the pause between two attempts to reach one that starts.
	startPoll = 200 * time.Microsecond
)

// server is a running program that answers HTTP.
type server struct {
	*process
	address netip.AddrPort
	// started is the time from its start to its first answer.
	started time.Duration
}

// startServer runs a program on a free port and waits until request is
// answered with 2xx. Its environment is env and nothing else.
func startServer(dir, program string, args, env []string, request []byte) (*server, error) {
	address, err := freeport.TCP()
	if err != nil {
		return nil, err
	}
	command := exec.Command(program, append(args, "--addr", address.String())...)
	// Not nil, which would mean the environment of the benchmarks.
	command.Env = append([]string{}, env...)
	begin := time.Now()
	running, err := startProcess(dir, command)
	if err != nil {
		return nil, err
	}
	s := &server{process: running, address: address}
	if err := s.await(request, begin); err != nil {
		s.stop()
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	return s, nil
}

func (s *server) await(request []byte, begin time.Time) error {
	for {
		response, _, err := s.exchange(request)
		if err == nil {
			s.started = time.Since(begin)
			if response.StatusCode >= http.StatusMultipleChoices {
				return fmt.Errorf("its first answer is %s, want 2xx", response.Status)
			}
			return nil
		}
		if how, ended := s.ended(); ended {
			return fmt.Errorf("it ended: %w\n%s", errors.Join(how, err), s.lastWords())
		}
		if time.Since(begin) > startPatience {
			return fmt.Errorf("no answer in %v: %w\n%s", startPatience, err, s.lastWords())
		}
		time.Sleep(startPoll)
	}
}

// exchange sends one request on a connection of its own, and returns the
// answer, with its body read, and as it went over the wire.
func (s *server) exchange(request []byte) (*http.Response, []byte, error) {
	conn, err := net.DialTimeout("tcp", s.address.String(), patience)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, nil, err
	}
	var wire bytes.Buffer
	response, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &wire)), nil)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, wire.Bytes(), nil
}

// stop ends the server and waits until it is gone.
func (s *server) stop() { s.end(syscall.SIGTERM) }

// resident is how much memory the server takes, in bytes (VmRSS).
func (s *server) resident() (float64, error) { return s.memory("VmRSS:") }

// forgetPeak makes peak count from now on.
func (s *server) forgetPeak() error {
	const resetPeak = "5" // proc(5), clear_refs
	err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.command.Process.Pid), []byte(resetPeak), 0)
	if err != nil {
		return fmt.Errorf("forget the peak of memory: %w", err)
	}
	return nil
}

// peak is the most memory that the server took since forgetPeak, in bytes
// (VmHWM).
func (s *server) peak() (float64, error) { return s.memory("VmHWM:") }

func (s *server) memory(field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory of a server: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == field && words[2] == "kB" {
			kib, err := strconv.ParseFloat(words[1], 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("read the memory of a server: no %s", field)
}
