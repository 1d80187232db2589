package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const rehearsalLine = "rehearsal: true  # nothing of it can be published for real\n"

// unrehearse takes the line out of the plan that makes it a rehearsal's.
func unrehearse(plan string) (string, error) { return replace(plan, rehearsalLine, "") }

var labels = regexp.MustCompile(`token=[^;]*;`)

// unlabelled takes the tokens' labels out of the plan; serials are left.
func unlabelled(plan string) (string, error) { return labels.ReplaceAllString(plan, ""), nil }

// TestRealCeremony holds a ceremony that is no rehearsal, on SoftHSM tokens.
// Nothing of it is marked, and clients accept it. A rehearsal cannot go on from
// it: what these tokens sign would be taken for real.
func TestRealCeremony(t *testing.T) {
	r, screen := realCeremony(t, "")
	real := func() error { return r.edit("genesis", unrehearse) }
	hold := func() error { return r.hold("genesis", []string{"holder-1", "holder-2", "holder-4"}) }
	for _, act := range []func() error{real, hold, r.publishGenesis} {
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
	for _, act := range []func() error{r.rotationFolder, func() error { return r.edit("rotation", unlabelled) }} {
		if err := act(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.types("coordinator", "draft", "rotation"); err == nil {
		t.Error("a rehearsal was drafted over a real root")
	}
	wantOnScreen(t, screen, "what is trusted is real, and a rehearsal cannot go on from it")
}

// TestWorldsApart: a device of the real day does not sign in a rehearsal, nor
// one made for rehearsals on the real day.
func TestWorldsApart(t *testing.T) {
	for name, c := range map[string]struct {
		prefix string
		edit   func(string) (string, error)
		want   string
	}{
		"a real device in a rehearsal":            {"", nil, "its signature would be a real one"},
		"a rehearsal's device in a real ceremony": {"rehearsal ", unrehearse, "the token was made for rehearsals"},
	} {
		t.Run(name, func(t *testing.T) {
			r, screen := realCeremony(t, c.prefix)
			if c.edit != nil {
				if err := r.edit("genesis", c.edit); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.types("coordinator", "draft", "genesis"); err == nil {
				t.Error("a plan with the label was drafted")
			}
			wantOnScreen(t, screen, `labels that begin with "rehearsal" are for rehearsals`)
			// With no label in the plan, it is the device that tells.
			if err := r.edit("genesis", unlabelled); err != nil {
				t.Fatal(err)
			}
			if err := r.hold("genesis", []string{"holder-1"}); err == nil {
				t.Fatal("it signed")
			}
			wantOnScreen(t, screen, c.want)
			if strings.Contains(screen.String(), "PIN of token") {
				t.Error("a PIN was asked for")
			}
			if _, err := os.Stat(filepath.Join(r.dir, "holder-1", "genesis", "signatures")); err == nil {
				t.Error("there are signatures")
			}
		})
	}
}

// realCeremony begins a genesis on SoftHSM tokens whose labels have a prefix.
func realCeremony(t *testing.T, prefix string) (*rehearsal, *bytes.Buffer) {
	t.Helper()
	if _, err := os.Stat(softHSM); err != nil {
		t.Skip("SoftHSM is not there; scripts/test installs it")
	}
	t.Chdir(t.TempDir())
	screen := &bytes.Buffer{}
	env := rehearsalEnv(screen)
	r, err := newRehearsal(env, rehearseOptions{pkcs11: softHSM}, env.today(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.maker.(*pkcs11Maker).prefix = prefix
	for _, act := range []func() error{r.prepare, r.genesisFolder} {
		if err := act(); err != nil {
			t.Fatal(err, screen.String())
		}
	}
	return r, screen
}

// wantOnScreen looks for words, wherever lines are broken.
func wantOnScreen(t *testing.T, screen *bytes.Buffer, want string) {
	t.Helper()
	if shown := strings.Join(strings.Fields(screen.String()), " "); !strings.Contains(shown, want) {
		t.Errorf("the screen does not say %q:\n%s", want, screen.String())
	}
}
