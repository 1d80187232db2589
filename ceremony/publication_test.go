package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/publish"
	"tufceremony/ceremony/internal/verify"
)

func publishRotation(r *rehearsal, online string) error {
	return r.types("publisher", "publish", "../rotation.bundle", "../repository", "--online-key", online, "--targets", "../files/second")
}

// TestOnlineKeySignsNothingOfStrangers: whoever may write to the repository and
// has no key puts a timestamp there that nobody signed, near the last version
// that clients would ever take. The online key does not go on from it.
func TestOnlineKeySignsNothingOfStrangers(t *testing.T) {
	r := beforePublication(t, "online.pem")
	path := filepath.Join(r.dir, "repository", "metadata", "timestamp.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, filepath.Join(r.dir, "repository"))
	for name, planted := range map[string][]byte{
		"unsigned, far ahead": bytes.Replace(good, []byte(`"version":1}`), []byte(`"version":9007199254740989}`), 1),
		"not metadata":        []byte("{}"),
	} {
		t.Run(name, func(t *testing.T) {
			if bytes.Equal(planted, good) {
				t.Fatal("the timestamp was not changed")
			}
			if err := os.WriteFile(path, planted, 0o644); err != nil {
				t.Fatal(err)
			}
			var screen bytes.Buffer
			r.env = rehearsalEnv(&screen)
			if err := publishRotation(r, "online.pem"); err == nil {
				t.Error("it was published")
			}
			wantOnScreen(t, &screen, "timestamp.json is not signed under any root of the repository")
			after := tree(t, filepath.Join(r.dir, "repository"))
			after["metadata/timestamp.json"] = string(good)
			if !maps.Equal(after, before) {
				t.Error("something was written")
			}
		})
	}
}

// TestPlantedTargets: a file that is named as targets of the far future, and
// that no root vouches for, does not lift the version that snapshot lists.
func TestPlantedTargets(t *testing.T) {
	r := beforePublication(t, "online.pem")
	repository := filepath.Join(r.dir, "repository")
	if err := os.WriteFile(filepath.Join(repository, "metadata", "9007199254740000.targets.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := publishRotation(r, "online.pem"); err != nil {
		t.Fatal(err)
	}
	served(t, 0, repository, versions{2, 2, 2, 2})
}

// TestSignerBetween: the online signer writes while the publisher types the
// passphrase. Its timestamp is not replaced by a lower one.
func TestSignerBetween(t *testing.T) {
	r := beforePublication(t, "online.pem")
	path := filepath.Join(r.dir, "repository", "metadata", "timestamp.json")
	var screen bytes.Buffer
	r.env = rehearsalEnv(&screen)
	written := false
	durable.Step = func(act, _ string) {
		if act == "create" && !written { // the first write of the publication
			written = true
			if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
				t.Error(err)
			}
		}
	}
	defer func() { durable.Step = func(string, string) {} }()
	if err := publishRotation(r, "online.pem"); err == nil {
		t.Error("it was published")
	}
	wantOnScreen(t, &screen, "somebody else has written to metadata/ meanwhile")
	if text, _ := os.ReadFile(path); string(text) != "{}" {
		t.Error("the signer's timestamp was replaced")
	}
}

// TestSomebodyElseWrites: an online signer goes on while metadata/ is being
// exchanged. Its file is not lost, and the publisher is told.
func TestSomebodyElseWrites(t *testing.T) {
	r := beforePublication(t, "other.pem")
	live := filepath.Join(r.dir, "repository", "metadata")
	var screen bytes.Buffer
	r.env = rehearsalEnv(&screen)
	durable.Step = func(act, path string) {
		if act == "exchange" {
			if err := os.WriteFile(filepath.Join(live, "9.snapshot.json"), []byte("{}"), 0o644); err != nil {
				t.Error(err)
			}
			durable.Step = func(string, string) {}
		}
	}
	defer func() { durable.Step = func(string, string) {} }()
	if err := publishRotation(r, "other.pem"); err == nil {
		t.Error("it was published")
	}
	wantOnScreen(t, &screen, "somebody else has written to metadata/ meanwhile")
	if _, err := os.Stat(filepath.Join(live, "9.snapshot.json")); err != nil {
		t.Error("the other's file is lost:", err)
	}
	if _, err := os.Stat(filepath.Join(live, "2.root.json")); err == nil {
		t.Error("root 2 is published all the same")
	}
}

// TestStoppedGenesis stops the first publication of a repository at each step:
// run again it completes, root 1 included.
func TestStoppedGenesis(t *testing.T) {
	stepwise(t)
	r := heldGenesis(t)
	source := r.dir
	for n := 1; ; n++ {
		r.dir = copyTree(t, source)
		stopped := stopAt(n, r.publishGenesis)
		if !stopped {
			if n < 10 {
				t.Errorf("only %d steps", n)
			}
			return
		}
		if err := r.publishGenesis(); err != nil {
			t.Fatalf("stopped at step %d, then: %v", n, err)
		}
		repository := filepath.Join(r.dir, "repository")
		if _, err := os.Stat(filepath.Join(repository, "metadata", "1.root.json")); err != nil {
			t.Errorf("stopped at step %d: %v", n, err)
		}
		got, err := goTUF(t, serve(t, repository), filepath.Join(repository, "root.json"), t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "out"))
		if want := (versions{1, 1, 1, 1}); err != nil || got != want {
			t.Errorf("stopped at step %d: clients trust %+v, %v", n, got, err)
		}
	}
}

// heldGenesis is a rehearsal up to the publication of the genesis.
func heldGenesis(t *testing.T) *rehearsal {
	t.Helper()
	return staged(t, (*rehearsal).prepare, (*rehearsal).genesisFolder, func(r *rehearsal) error {
		return r.hold("genesis", []string{"holder-1", "holder-2", "holder-4"})
	})
}

// TestAdmits: a verified rehearsal does not go into a repository whose first
// root is not of a rehearsal, whatever its signatures.
func TestAdmits(t *testing.T) {
	r := heldGenesis(t)
	data, err := os.ReadFile(filepath.Join(r.dir, "genesis.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := bundle.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	root := files["metadata/1.root.json"]
	v, err := verify.Files(files, root, r.now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := publish.Admits(&publish.Repository{First: root}, v); err != nil {
		t.Errorf("its own repository: %v", err)
	}
	unmarked := []byte(strings.Replace(string(root), `,"x-ceremony-rehearsal":true`, "", 1))
	if bytes.Equal(unmarked, root) {
		t.Fatal("the root has no mark")
	}
	var refused *publish.RehearsalError
	if err := publish.Admits(&publish.Repository{First: unmarked}, v); !errors.As(err, &refused) || !refused.Bundle {
		t.Errorf("a real repository: %v", err)
	}
	if err := publish.Admits(&publish.Repository{First: root}, verify.Verified{}); err == nil {
		t.Error("nothing verified was admitted")
	}
}
