package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A medium may answer differently when it is asked again. What is approved by its
// event ID is what is published, since the bundle is read once.
func TestBundleIsReadOnce(t *testing.T) {
	r := heldGenesis(t)
	bundle, err := os.ReadFile(filepath.Join(r.dir, "genesis.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	event, err := r.event(filepath.Join(r.dir, "coordinator", "genesis"))
	if err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, data := range [][]byte{bundle, []byte("another"), []byte("another")} {
			if os.WriteFile(pipe, data, 0o600) != nil {
				return
			}
			time.Sleep(50 * time.Millisecond) // for the reader to close its end
		}
	}()
	repository := filepath.Join(t.TempDir(), "repository")
	if err := os.Mkdir(repository, 0o755); err != nil {
		t.Fatal(err)
	}
	var screen bytes.Buffer
	env := rehearsalEnv(&screen)
	env.now = func() time.Time { return r.now }
	if status := run([]string{"publish", pipe, repository, "--event", event.String()}, env); status != done {
		t.Errorf("exit status %d, %s", status, screen.String())
	}
}
