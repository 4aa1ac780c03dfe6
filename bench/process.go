package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
