package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

const modulesScript = "../scripts/modules"

// rehearsalModules are those on which a whole rehearsal is held, and why not on
// the others.
var rehearsalModules = []struct{ name, not string }{
	{"softhsm", ""},
	{"nss", ""},
	{"p11-kit", ""},
	{"tpm", ""},
	{"opencryptoki", ""},
	{"opensc", ""},
	{"ykcs11", ""},
}

func skipWithoutModule(t *testing.T, name string) {
	t.Helper()
	if out, err := exec.Command(modulesScript, "--check", name).CombinedOutput(); err != nil {
		t.Skipf("%s", out)
	}
}

// A rehearsal on the tokens of each module, seven of them, is published and
// accepted by three clients: on openCryptoki with RSA keys alone.
func TestRehearseOnModules(t *testing.T) {
	t.Parallel()
	for _, m := range rehearsalModules {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if m.not != "" {
				t.Skip(m.not)
			}
			skipWithoutModule(t, m.name)
			dir := filepath.Join(t.TempDir(), "kept")
			c := exec.Command(modulesScript, "-n", "7", m.name, "sh", "-c", `exec ceremony rehearse --tokens "$MODULE_TOKENS" --keep "$0"`, dir)
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			base := serve(t, filepath.Join(dir, "repository"))
			for name, refresh := range clients {
				t.Run(name, func(t *testing.T) {
					got, err := refresh(t, base, filepath.Join(dir, "repository", "root.json"), t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "hello.txt"))
					if want := (versions{2, 2, 2, 2}); err != nil || got != want {
						t.Errorf("trusts %+v, %v; want %+v", got, err, want)
					}
				})
			}
		})
	}
}

// across are the modules of TestAcrossModules, from the outermost run of the
// script on.
var across = []string{"softhsm", "nss", "p11-kit", "tpm"}

// TestAcrossModules runs TestRootAcrossModules with a token of each module.
func TestAcrossModules(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{program, "-test.run=^TestRootAcrossModules$", "-test.v"}
	for _, name := range slices.Backward(across) {
		skipWithoutModule(t, name)
		args = slices.Concat([]string{modulesScript, name}, args)
	}
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if m := regexp.MustCompile(`--- SKIP: TestRootAcrossModules`).Find(out); m != nil {
		t.Skipf("%s", out)
	}
}

// Five holders, each with a device behind another driver or module, and a root
// that wants all five: the ceremony is held, and three clients accept what it
// publishes.
func TestRootAcrossModules(t *testing.T) {
	tokens := os.Getenv("MODULE_TOKENS")
	if tokens == "" {
		t.Skip("TestAcrossModules runs it")
	}
	yubiKeys(t)
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	env := rehearsalEnv(t.Output())
	r, err := newRehearsal(env, rehearseOptions{piv: true, tokens: tokens}, env.today(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	makers := r.maker.(*turns).makers
	for range across[1:] {
		makers = append(makers, makers[1])
	}
	r.maker.(*turns).makers = makers
	t.Chdir(t.TempDir())
	for _, act := range []func() error{
		r.prepare, r.genesisFolder,
		func() error { return r.edit("genesis", wantAllFive) },
		func() error { return r.hold("genesis", founders) },
		r.publishGenesis,
	} {
		if err := act(); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, token := range founders {
		seen[r.tokens[token].model] = true
	}
	if len(seen) < len(founders)-1 { // SoftHSM is there twice, once through p11-kit
		t.Errorf("the devices are %v", seen)
	}
	wantSignatures(t, filepath.Join(r.dir, "repository", "metadata", "1.root.json"), len(founders))
	t.Chdir(home)
	base := serve(t, filepath.Join(r.dir, "repository"))
	for name, refresh := range clients {
		t.Run(name, func(t *testing.T) {
			got, err := refresh(t, base, filepath.Join(r.dir, "repository", "root.json"), t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "hello.txt"))
			if want := (versions{1, 1, 1, 1}); err != nil || got != want {
				t.Errorf("trusts %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

// wantAllFive edits the plan so that no device can be missing.
func wantAllFive(text string) (string, error) {
	text, err := replace(text, "    threshold: 3\n", "    threshold: 5\n")
	if err != nil {
		return "", err
	}
	return replace(text, "waivers:  # read each aloud, with its reason\n", "waivers:\n  - check: THRESHOLD-MARGIN\n    subject: \"root\"\n    reason: \"every driver must sign\"\n")
}

func wantSignatures(t *testing.T, file string, want int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var root struct {
		Signatures []struct{ Sig string } `json:"signatures"`
	}
	if err := json.Unmarshal(text, &root); err != nil || len(root.Signatures) != want {
		t.Errorf("%d signatures, %v; want %d", len(root.Signatures), err, want)
	}
}
