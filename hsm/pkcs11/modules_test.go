//go:build cgo

package pkcs11_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/hsmtest"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/uri"
	"tufceremony/hsm/virtual"
)

// What is seen of a module is kept in testdata/modules, one file a module, of
// which docs/modules.md has the table. A module that is not installed keeps the
// file that it has.
//
//	go test ./hsm/pkcs11 -run TestModules -update
var update = flag.Bool("update", false, "write down anew what modules can do")

const (
	modulesScript  = "../../scripts/modules"
	modulesSeen    = "testdata/modules"
	reportVariable = "TEST_MODULE_REPORT"
)

// TestModules runs TestModule on every module that is installed, each in a
// process of its own, with fresh tokens. By hand, for one:
//
//	scripts/modules -n 3 tpm go test -race -count=1 -v -run 'TestModule$' ./hsm/pkcs11
func TestModules(t *testing.T) {
	for _, m := range modules {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if out, err := exec.Command(modulesScript, "--check", m.name).CombinedOutput(); err != nil {
				t.Skipf("%s", out)
			}
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			report, temporary := filepath.Join(t.TempDir(), "report"), t.TempDir()
			c := exec.Command(modulesScript, "-n", strconv.Itoa(m.tokens), m.name, program, "-test.run=^TestModule$", "-test.v", "-test.timeout=2m")
			c.Env = append(os.Environ(), reportVariable+"="+report, "TMPDIR="+temporary, "GORACE=atexit_sleep_ms=0")
			out, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("it leaves %v behind, %v", left, err)
			}
			showSkipped(t, string(out))
			compareSeen(t, m.name, report)
		})
	}
}

// The script passes the command's status on, and knows its own words.
func TestModulesScript(t *testing.T) {
	for _, c := range []struct {
		status int
		args   []string
	}{
		{7, []string{"softhsm", "sh", "-c", "exit 7"}},
		{0, []string{"-n", "2", "softhsm", "sh", "-c", `[ "$(wc -l <"$MODULE_TOKENS")" -eq 2 ]`}},
		{0, []string{"softhsm", modulesScript, "nss", "sh", "-c", `[ "$(wc -l <"$MODULE_TOKENS")$MODULE_NAME" = 2nss ]`}},
		{2, []string{"softhsm"}},
		{2, []string{"hsm", "true"}},
		{2, []string{"-n", "two", "softhsm", "true"}},
	} {
		for _, name := range []string{"softhsm", "nss"} {
			if err := exec.Command(modulesScript, "--check", name).Run(); err != nil {
				t.Skipf("%s is not there", name)
			}
		}
		command := exec.Command(modulesScript, c.args...)
		if out, _ := command.CombinedOutput(); command.ProcessState.ExitCode() != c.status {
			t.Errorf("%q: exit status %d, want %d\n%s", c.args, command.ProcessState.ExitCode(), c.status, out)
		}
	}
}

// showSkipped repeats what the other process has skipped, with the reasons.
func showSkipped(t *testing.T, out string) {
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		name, skipped := strings.CutPrefix(strings.TrimSpace(line), "--- SKIP: TestModule/")
		if !skipped || i == 0 {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		for reason := i - 1; reason >= 0; reason-- { // it stands after === RUN
			if words, run := strings.CutPrefix(strings.TrimSpace(lines[reason]), "=== RUN   TestModule/"+name); run && words == "" {
				t.Run(name, func(t *testing.T) { t.Skip(strings.TrimSpace(lines[reason+1])) })
				break
			}
		}
	}
}

// compareSeen holds what was seen to what is written down, of this version of
// the module.
func compareSeen(t *testing.T, name, report string) {
	seen, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(modulesSeen, name+".txt")
	if *update {
		if err := os.WriteFile(kept, seen, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	version, _, _ := strings.Cut(string(seen), "\n")
	if other, _, _ := strings.Cut(string(have), "\n"); other != version {
		t.Skipf("%s is of another version: %q, and this is %q", kept, other, version)
	}
	if !bytes.Equal(have, seen) {
		t.Errorf("%s is not what was seen of the module; `go test ./hsm/pkcs11 -run TestModules -update` writes it anew. Seen:\n%s", kept, seen)
	}
}

// realModule is what a test must know of a module beforehand.
type realModule struct {
	name   string
	tokens int // that the tests use
	tries  int
	lacks  map[hsmtest.Capability]string
}

const (
	unlimited  = "wrong PINs are taken for ever and not counted"
	flagsOnly  = "flags tell of few tries left and of the last one, and there is no count"
	noFinger   = "PKCS#11 does not tell that a device waits for a touch"
	noDevice   = "there is no device that could be pulled"
	dictionary = "wrong PINs count against the TPM as a whole, and no flag tells of it"
)

// lacks has what no PKCS#11 module can do, and what one cannot besides.
func lacks(counts, locks, removal string) map[hsmtest.Capability]string {
	all := map[hsmtest.Capability]string{
		hsmtest.Touch: noFinger, hsmtest.MissedTouch: noFinger,
		hsmtest.Counts: counts, hsmtest.Locks: locks, hsmtest.Removal: removal,
	}
	for capability, reason := range all {
		if reason == "" {
			delete(all, capability)
		}
	}
	return all
}

var modules = []realModule{
	{name: "softhsm", tokens: 2, lacks: lacks(unlimited, unlimited, noDevice)},
	{name: "nss", tokens: 2, lacks: lacks(unlimited, unlimited, noDevice)},
	{name: "p11-kit", tokens: 2, lacks: lacks(unlimited, unlimited, noDevice)},
	{name: "tpm", tokens: 2, lacks: lacks(dictionary, dictionary, noDevice)},
	{name: "opencryptoki", tokens: 2, tries: 3, lacks: lacks(flagsOnly, "", noDevice)},
	{name: "opensc", tokens: 4, tries: 3, lacks: lacks(flagsOnly, "", "")},
	{name: "ykcs11", tokens: 4, tries: 3, lacks: lacks(flagsOnly, "", "")},
}

// TestModule is run by TestModules, and has its tokens from scripts/modules.
func TestModule(t *testing.T) {
	var d *moduleTest
	for _, m := range modules {
		if m.name == os.Getenv("MODULE_NAME") {
			d = &moduleTest{realModule: m, pin: os.Getenv("MODULE_PIN")}
		}
	}
	if d == nil {
		t.Skip("TestModules runs it")
	}
	d.furnish(t)
	t.Run("kinds", d.kinds)
	t.Run("goroutines", d.goroutines)
	t.Run("hsmtest", d.conformance)
	t.Run("destruction", d.destruction)
	if path := os.Getenv(reportVariable); path != "" && !t.Failed() {
		if err := os.WriteFile(path, []byte(strings.Join(d.seen, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// moduleTest is a module with its tokens, each of which has a key.
type moduleTest struct {
	realModule
	pin    string
	tokens []uri.URI
	cards  bool     // the tokens are virtual YubiKeys
	seen   []string // "what: yes", "what: no, for this reason"
}

func (d *moduleTest) note(what, format string, args ...any) {
	d.seen = append(d.seen, what+": "+fmt.Sprintf(format, args...))
}

// replace corrects the last note.
func (d *moduleTest) replace(what, text string) { d.seen[len(d.seen)-1] = what + ": " + text }

// furnish reads what tokens there are, and makes keys where there are none.
func (d *moduleTest) furnish(t *testing.T) {
	text, err := os.ReadFile(os.Getenv("MODULE_TOKENS"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		u, err := uri.Parse(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		u.PINSource = ""
		d.tokens = append(d.tokens, u)
	}
	d.cards = d.tokens[0].ID != nil
	for i, u := range d.tokens {
		if d.cards {
			d.tokens[i].ID = slot9a
		} else if u.Object == "" { // the script makes openCryptoki's
			if _, err := makeKey(u.String(), d.pin, "tuf"); err != nil {
				t.Fatal(err)
			}
			d.tokens[i].Object = "tuf"
		}
	}
}

// The IDs that both modules give to the keys of two PIV slots: 9a wants its PIN
// once, 9c for every signature.
var slot9a, slot9c = []byte{1}, []byte{2}

func (d *moduleTest) open(u uri.URI) func() (hsm.Token, error) {
	return func() (hsm.Token, error) { return pkcs11.Open(u.String()) }
}

// conformance runs hsmtest, on the first token, which stays usable, but for the
// test that pulls a card and for the one that locks a token, which is the last.
func (d *moduleTest) conformance(t *testing.T) {
	lacks := maps.Clone(d.lacks)
	if lacks == nil {
		lacks = map[hsmtest.Capability]string{}
	}
	lacks[hsmtest.Destruction] = "the first token stays usable; moduleTest.destruction has a key of its own"
	hsmtest.Run(t, hsmtest.Device{
		Lacks: lacks,
		New: func(t *testing.T) hsmtest.Instance {
			n := 0
			switch {
			case strings.HasSuffix(t.Name(), "/locking"):
				n = len(d.tokens) - 1
			case strings.HasSuffix(t.Name(), "/removal"):
				n = pulled
			}
			return hsmtest.Instance{
				Open:     d.open(d.tokens[n]),
				PIN:      []byte(d.pin),
				WrongPIN: bytes.Repeat([]byte("7"), len(d.pin)),
				Tries:    d.tries,
				Remove:   pull,
			}
		},
	})
	for _, capability := range []hsmtest.Capability{hsmtest.Exclusive, hsmtest.Counts, hsmtest.Locks, hsmtest.Removal, hsmtest.Touch} {
		if reason, lacks := d.lacks[capability]; lacks {
			d.note(string(capability), "no, %s", reason)
		} else {
			d.note(string(capability), "yes")
		}
	}
}

// pulled is the number of the card that is never used again.
const pulled = 2

// pull has that virtual YubiKey pulled at the next signature.
func pull(t *testing.T) {
	client, err := virtual.Dial(os.Getenv("CEREMONY_VIRTUAL_CONTROL"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const generalAuthenticate = 0x87
	if err := client.Card(pulled).PullAtINS(generalAuthenticate, virtual.Before); err != nil {
		t.Fatal(err)
	}
}

// goroutines has eight of them sign, with two tokens where there are two, and
// look for tokens, all at once. A Token is for one of them at a time; the module is for all.
func (d *moduleTest) goroutines(t *testing.T) {
	var all sync.WaitGroup
	var mine [2]sync.Mutex
	tokens := make([]hsm.Token, min(2, len(d.tokens)))
	for n := range tokens {
		tokens[n] = openToken(t, d.tokens[n].String())
		signOnce(t, tokens[n], typist(d.pin))
	}
	for n := range 8 {
		all.Go(func() {
			for range 5 {
				if n >= 6 {
					if infos, err := pkcs11.ListAt(d.tokens[0].String(), pkcs11.Options{}); err != nil || len(infos) < len(d.tokens) {
						t.Errorf("listed %d tokens, %v", len(infos), err)
					}
					continue
				}
				func() {
					n := n % len(tokens)
					mine[n].Lock()
					defer mine[n].Unlock()
					signOnce(t, tokens[n], nil)
				}()
			}
		})
	}
	all.Wait()
	d.note("8 goroutines", "yes")
}
