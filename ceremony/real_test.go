package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rehearsalLine = "rehearsal: true  # nothing of it can be published for real\n"

// unrehearse takes the line out of the plan that makes it a rehearsal's.
func unrehearse(plan string) (string, error) { return replace(plan, rehearsalLine, "") }

// TestRealCeremony holds a ceremony that is no rehearsal, on SoftHSM tokens.
// Nothing of it is marked, clients accept it; a rehearsal of its rotation, with
// the very same tokens, is sealed and verified, and never published there.
func TestRealCeremony(t *testing.T) {
	if _, err := os.Stat(softHSM); err != nil {
		t.Skip("SoftHSM is not there; scripts/test installs it")
	}
	t.Chdir(t.TempDir())
	var screen bytes.Buffer
	env := rehearsalEnv(&screen)
	r, err := newRehearsal(env, rehearseOptions{pkcs11: softHSM}, env.today(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	real := func() error { return r.edit("genesis", unrehearse) }
	hold := func() error { return r.hold("genesis", []string{"holder-1", "holder-2", "holder-4"}) }
	for _, act := range []func() error{r.prepare, r.genesisFolder, real, hold, r.publishGenesis} {
		if err := act(); err != nil {
			t.Fatal(err, screen.String())
		}
	}
	if strings.Contains(screen.String(), "REHEARSAL") {
		t.Error("a screen says that this is a rehearsal")
	}
	repository := filepath.Join(r.dir, "repository")
	got, err := goTUF(t, serve(t, repository), filepath.Join(repository, "root.json"), t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "out"))
	if want := (versions{1, 1, 1, 1}); err != nil || got != want {
		t.Fatalf("clients trust %+v, %v", got, err)
	}
	before := tree(t, repository)
	for _, act := range []func() error{r.rotationFolder, func() error {
		return r.hold("rotation", []string{"holder-1", "holder-2", "holder-3", "holder-4"})
	}} {
		if err := act(); err != nil {
			t.Fatal(err, screen.String())
		}
	}
	screen.Reset()
	if err := r.publishRotation(); err == nil {
		t.Fatal("a rehearsal was published in a real repository")
	}
	shown := strings.Join(strings.Fields(screen.String()), " ")
	if !strings.Contains(shown, "Verified: rotation") || !strings.Contains(shown, "the bundle is of a rehearsal, and the repository is real") || strings.Contains(shown, "Passphrase") {
		t.Errorf("the refusal is not said:\n%s", screen.String())
	}
	for name, text := range tree(t, repository) {
		if before[name] != text {
			t.Errorf("the repository has changed: %s", name)
		}
	}
}
