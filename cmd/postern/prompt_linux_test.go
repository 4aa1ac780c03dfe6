package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal is a pseudo-terminal: the side of the person, and of the program.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatalf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// echoes reports whether the terminal shows what is typed.
func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come about", what)
		}
	}
}

// startChangePassword starts "postern changepassword ann" at a terminal and
// returns when it asks for the password.
func startChangePassword(t *testing.T) (command *exec.Cmd, person, program *os.File, screen *lockedBuffer) {
	t.Helper()
	dir := t.TempDir()
	database := "--database=sqlite:" + filepath.Join(dir, "db")
	for _, args := range [][]string{
		{"migrate", database},
		{"createsuperuser", database, "--no-input", "--username=ann", "--email=ann@example.com"},
	} {
		setUp := exec.Command("postern", args...)
		setUp.Env = append(os.Environ(), append([]string{"POSTERN_SUPERUSER_PASSWORD=tr0ub4dor-x9"}, cheapHashing...)...)
		if out, err := setUp.CombinedOutput(); err != nil {
			t.Fatalf("postern %s: %v\n%s", args[0], err, out)
		}
	}
	person, program = openTerminal(t)
	screen = &lockedBuffer{}
	go func() {
		chunk := make([]byte, 4096)
		for {
			n, err := person.Read(chunk)
			if err != nil {
				return
			}
			screen.add(bytes.Clone(chunk[:n]))
		}
	}()
	command = exec.Command("postern", "changepassword", "ann", database)
	command.Env = append(os.Environ(), cheapHashing...)
	command.Stdin, command.Stdout, command.Stderr = program, program, program
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	await(t, "a prompt without echo", func() bool { return !echoes(t, program) })
	return command, person, program, screen
}

func TestAPasswordIsNotShownWhileItIsTyped(t *testing.T) {
	command, person, program, screen := startChangePassword(t)
	const typed = "another-tr0ub4dor"
	fmt.Fprintln(person, typed)
	await(t, "the second prompt", func() bool { return strings.Contains(screen.String(), "(again)") && !echoes(t, program) })
	fmt.Fprintln(person, typed)
	if err := command.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, screen.String())
	}
	await(t, "the good news", func() bool { return strings.Contains(screen.String(), "changed successfully") })
	if strings.Contains(screen.String(), typed) {
		t.Errorf("the password is shown:\n%s", screen.String())
	}
}

func TestCtrlCAtAPasswordPromptLeavesATerminalThatEchoes(t *testing.T) {
	command, person, program, screen := startChangePassword(t)
	if _, err := io.WriteString(person, "half a pass\x03"); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if code := command.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d, want %d\n%s", code, exitFailed, screen.String())
	}
	if !echoes(t, program) {
		t.Error("the terminal is left silent")
	}
}
