package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that runs beside the benchmarks.
type process struct {
	command *exec.Cmd
	log     string // file
	exited  chan error
}

// startProcess runs a command that is otherwise complete. Its standard error is
// a log in dir.
func startProcess(dir string, command *exec.Cmd) (*process, error) {
	name := filepath.Base(command.Path)
	log, err := os.CreateTemp(dir, name+"-*.log")
	if err != nil {
		return nil, fmt.Errorf("make a log: %w", err)
	}
	defer log.Close()
	command.Stderr = log
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{command: command, log: log.Name(), exited: make(chan error, 1)}
	go func() { p.exited <- command.Wait() }()
	return p, nil
}

// ended reports whether the process is gone, and how it ended.
func (p *process) ended() (error, bool) {
	select {
	case err := <-p.exited:
		p.exited <- err
		return err, true
	default:
		return nil, false
	}
}

// lastWords is the end of the log, for a report of what went wrong.
func (p *process) lastWords() string {
	const most = 2000
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// processorTime is what the process and those that it started have taken of
// the processors, those included that have ended.
func (p *process) processorTime() (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	const perTick = time.Second / 100 // USER_HZ of every Linux that Go runs on
	own, ticks := strconv.Itoa(p.command.Process.Pid), 0
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		// proc_pid_stat(5): the name, which may hold anything, is in
		// parentheses; state and parent follow.
		words := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		const parent, user, system, endedUser, endedSystem = 1, 11, 12, 13, 14
		if len(words) <= endedSystem {
			return 0, fmt.Errorf("%s can't be read", file)
		}
		counted := []int{user, system}
		switch {
		case file == "/proc/"+own+"/stat":
			counted = append(counted, endedUser, endedSystem)
		case words[parent] != own:
			continue
		}
		for _, field := range counted {
			n, err := strconv.Atoi(words[field])
			if err != nil {
				return 0, fmt.Errorf("%s: %w", file, err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * perTick, nil
}

// end asks the process to end, and waits until it is gone.
func (p *process) end(how syscall.Signal) {
	_ = p.command.Process.Signal(how)
	select {
	case <-p.exited:
	case <-time.After(startPatience):
		_ = p.command.Process.Kill()
		<-p.exited
	}
}
