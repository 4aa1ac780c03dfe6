package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// errCancelled says that the person at the terminal ended the conversation.
var errCancelled = errors.New("cancelled")

// maxAnswer is the longest line a prompt takes, in bytes. Passwords end
// before it (4096).
const maxAnswer = 8192

// terminal is the person who started the command. Questions go to standard
// error, so that standard output stays what was asked for.
type terminal struct {
	in  *os.File
	out io.Writer
}

// interactive reports whether there is somebody to ask.
func (p *program) interactive() bool { return term.IsTerminal(int(p.stdin.Fd())) }

func (p *program) terminal() terminal { return terminal{in: p.stdin, out: p.stderr} }

// ask reads a line. The end of input and an interrupt are errCancelled.
func (t terminal) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(t.out, question)
	return t.wait(ctx, func() (string, error) { return readLine(t.in) })
}

// askSecret reads a line without showing it.
func (t terminal) askSecret(ctx context.Context, question string) (string, error) {
	fmt.Fprint(t.out, question)
	secret, err := t.wait(ctx, func() (string, error) {
		line, err := term.ReadPassword(int(t.in.Fd()))
		return string(line), err
	})
	fmt.Fprintln(t.out)
	return secret, err
}

// wait reads until ctx ends; then the terminal shows again what is typed.
func (t terminal) wait(ctx context.Context, read func() (string, error)) (string, error) {
	fd := int(t.in.Fd())
	before, stateErr := term.GetState(fd)
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := read()
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		if stateErr == nil {
			_ = term.Restore(fd, before)
		}
		return "", errCancelled
	case a := <-answers:
		if errors.Is(a.err, io.EOF) {
			return "", errCancelled
		}
		return a.line, a.err
	}
}

// readLine reads byte by byte: what comes after the line is for the next
// question.
func readLine(r io.Reader) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxAnswer {
		n, err := r.Read(one)
		if n == 1 && one[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, one[:n]...)
		if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
}

// confirm asks a question of which the answer is no unless it is yes.
func (t terminal) confirm(ctx context.Context, question string) (bool, error) {
	answer, err := t.ask(ctx, question+" [y/N]: ")
	if err != nil {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// askNewPassword asks until the same password came twice and is not blank.
func (t terminal) askNewPassword(ctx context.Context) (string, error) {
	for {
		first, err := t.askSecret(ctx, "Password: ")
		if err != nil {
			return "", err
		}
		second, err := t.askSecret(ctx, "Password (again): ")
		switch {
		case err != nil:
			return "", err
		case first != second:
			fmt.Fprintln(t.out, "Error: Your passwords didn't match.")
		case strings.TrimSpace(first) == "":
			fmt.Fprintln(t.out, "Error: Blank passwords aren't allowed.")
		default:
			if strings.TrimSpace(first) != first {
				fmt.Fprintln(t.out, "The spaces around the password are left out, here and at every login.")
			}
			return first, nil
		}
	}
}
