package virtual_test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tufceremony/hsm/virtual"
)

// Two stacks at once do not meet, and neither leaves anything behind.
func TestStacksSideBySide(t *testing.T) {
	t.Parallel()
	first, second := start(t, virtual.Config{Serial: 1}), start(t, virtual.Config{Serial: 2})
	if first.Env() == second.Env() {
		t.Errorf("both are reached by %s", first.Env())
	}
	for _, stack := range []*virtual.Stack{first, second} {
		if err := stack.Card(0).Unplug(); err != nil {
			t.Error(err)
		}
		if err := stack.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(filepath.Dir(stack.Socket())); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("its folder is still there: %v", err)
		}
	}
}

// A stack whose process was killed ends by itself, and takes its files along.
func TestAbandonedStack(t *testing.T) {
	t.Parallel()
	start(t).Stop() // skips where there are none
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), abandonVariable+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	socket, found := strings.CutSuffix(strings.TrimSpace(line), " <nil>")
	conn, dialErr := net.Dial("unix", socket)
	cmd.Process.Kill()
	cmd.Wait()
	if !found || dialErr != nil {
		t.Fatalf("it said %q: %v", line, dialErr)
	}
	defer conn.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := os.Lstat(filepath.Dir(socket))
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("its folder is still there: %v", err)
		}
	}
	// pcscd has ended when its end of this connection has.
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("pcscd is still there: %v", err)
	}
}

// Where a stack cannot be had, the error says why, and is one to skip for.
func TestUnavailable(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	start(t).Stop() // there may be a better reason
	t.Setenv("TMPDIR", long)
	_, err := virtual.Start(virtual.Config{})
	if !errors.Is(err, virtual.ErrUnavailable) || !strings.Contains(err.Error(), "too long a name for a socket") {
		t.Errorf("the error is %v", err)
	}
	if left, _ := os.ReadDir(long); len(left) != 0 {
		t.Errorf("it left %v behind", left)
	}
}

func TestTooManyCards(t *testing.T) {
	cards := make([]virtual.Config, 17)
	if _, err := virtual.Start(cards...); err == nil || errors.Is(err, virtual.ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
	if _, err := virtual.Start(virtual.Config{Firmware: "6"}); err == nil {
		t.Error("firmware 6 was taken")
	}
}
