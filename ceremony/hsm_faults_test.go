//go:build cgo && linux

package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/hsm/pkcs11/pkcs11test"
)

// holder types what was prepared, in order: to a question, a secret, whatever
// asks. What is shown before is kept.
type holder struct {
	types []string
	asked []string
}

func (h *holder) next(prompt string) (string, error) {
	h.asked = append(h.asked, prompt)
	if len(h.types) == 0 {
		return "", io.EOF
	}
	text := h.types[0]
	h.types = h.types[1:]
	return text, nil
}

func (h *holder) Line(prompt string) (string, error) { return h.next(prompt) }
func (h *holder) Secret(prompt string) ([]byte, error) {
	text, err := h.next(prompt)
	return []byte(text), err
}
func (h *holder) Reveal(string, string) (string, error) { return "", errors.New("nothing is shown") }
func (h *holder) Countdown(int) (stopped func())        { return func() {} }

// hsmFolder is a ceremony folder in which a key is to be made behind a module
// that fails on demand.
type hsmFolder struct {
	fake *pkcs11test.Fake
	dir  string
}

const officerPIN = "52907418"

func newHSMFolder(t *testing.T) *hsmFolder {
	t.Helper()
	f := &hsmFolder{pkcs11test.Proxy(t), filepath.Join(t.TempDir(), "c")}
	if status, screen := f.run(t, &holder{}, "init", f.dir, "--kind", "genesis"); status != done {
		t.Fatal(screen)
	}
	text, err := os.ReadFile(filepath.Join(f.dir, folder.Plan))
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("holders:\n"), []byte("module-timeout: 5\nholders:\n"), 1)
	if err := os.WriteFile(filepath.Join(f.dir, folder.Plan), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *hsmFolder) run(t *testing.T, h *holder, args ...string) (status int, screen string) {
	t.Helper()
	var out bytes.Buffer
	env := rehearsalEnv(&out)
	env.ask = h
	status = run(args, env)
	return status, strings.Join(strings.Fields(out.String()), " ")
}

// provision makes the holder's key, with more in the URI's path.
func (f *hsmFolder) provision(t *testing.T, h *holder, more string) (status int, screen string) {
	t.Helper()
	return f.run(t, h, "token", "provision", f.dir, "--token", "holder-1", "--uri", "pkcs11:token=hsm-1;object=root"+more+"?module-path="+f.fake.Path)
}

// keys lists what lies in keys/.
func (f *hsmFolder) keys() []string {
	entries, _ := os.ReadDir(filepath.Join(f.dir, folder.Keys))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func newToken() *holder {
	return &holder{types: []string{officerPIN, officerPIN, modulePIN, modulePIN}}
}

func wants(t *testing.T, screen string, patterns ...string) {
	t.Helper()
	for _, want := range patterns {
		if !regexp.MustCompile(want).MatchString(screen) {
			t.Errorf("%q is not on the screen: %s", want, screen)
		}
	}
}

// Tokens that cannot be set up are refused before a PIN is asked for, and
// nothing is called that changes one.
func TestProvisionRefusesTokens(t *testing.T) {
	for _, c := range []struct{ name, fault, want string }{
		{"a PIN pad", "C_GetTokenInfo flags 0x100", "the token wants its PINs on a PIN pad: not supported ceremony: hint: nothing was changed"},
		{"several empty ones", "C_GetSlotList twin", "2 tokens are empty, and the URI chooses none of them: an empty token in slot 0, SoftHSM v2; an empty token in slot 30583, SoftHSM v2, TWIN ceremony: hint: nothing was changed; add serial=…"},
		{"a module that fails", "C_GetSlotList rv 0x30", "CKR_DEVICE_ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newHSMFolder(t)
			f.fake.Faults(t, c.fault)
			h := &holder{}
			status, screen := f.provision(t, h, "")
			wants(t, screen, c.want)
			if status != refused || len(h.asked) > 0 || f.keys() != nil || f.fake.Count("C_Login") > 0 {
				t.Errorf("status %d, asked %q, keys/ has %v", status, h.asked, f.keys())
			}
		})
	}
}

// An empty token that has an SO PIN already is left to whoever knows that one,
// and one that is initialised is never initialised again.
func TestProvisionInitialisesOnce(t *testing.T) {
	f := newHSMFolder(t)
	f.fake.Faults(t, "C_InitToken rv 0xa0")
	status, screen := f.provision(t, newToken(), "")
	wants(t, screen, "the token has an SO PIN already, though it is empty ceremony: hint: initialise it with the tools that came with it, as \"hsm-1\"")
	if status != refused || f.keys() != nil {
		t.Errorf("status %d, keys/ has %v", status, f.keys())
	}
	f.fake.Faults(t)
	for _, h := range []*holder{newToken(), {types: []string{modulePIN}}, {}} {
		if status, screen := f.provision(t, h, ""); status != done {
			t.Fatal(screen)
		}
	}
	if n := f.fake.Count("C_InitToken"); n != 2 { // the one that was refused, and the first
		t.Errorf("initialised %d times", n)
	}
}

// One of several empty tokens is chosen by its slot, which has another number
// when it is initialised: the command that is to be run again does not say it.
func TestProvisionChoosesEmpty(t *testing.T) {
	f := newHSMFolder(t)
	f.fake.Faults(t, "C_GetSlotList twin")
	status, screen := f.provision(t, newToken(), ";slot-id=0")
	if status != done {
		t.Fatal(screen)
	}
	wants(t, screen, `Run the same command once more.* --uri "pkcs11:token=hsm-1;object=root\?`)
	if status, screen = f.provision(t, &holder{types: []string{modulePIN}}, ""); status != done {
		t.Error(screen)
	}
}

// A PIN that is locked, and one whose last try it is, are said before one is
// typed.
func TestProvisionCountsTries(t *testing.T) {
	f := newHSMFolder(t)
	if status, screen := f.provision(t, newToken(), ""); status != done {
		t.Fatal(screen)
	}
	const locked, last = "C_GetTokenInfo flags 0x40000", "C_GetTokenInfo flags 0x20000"
	h := &holder{}
	f.fake.Faults(t, locked)
	status, screen := f.provision(t, h, "")
	wants(t, screen, "the PIN is locked ceremony: hint: the SO PIN sets a new one")
	if status != refused || len(h.asked) > 0 {
		t.Errorf("locked: status %d, asked %q", status, h.asked)
	}
	h = &holder{types: []string{"no"}}
	f.fake.Faults(t, last)
	f.fake.Forget()
	if status, screen := f.provision(t, h, ""); status != refused || len(h.asked) != 1 || !strings.Contains(h.asked[0], "A wrong PIN now locks it, and only the SO PIN opens the device again") || f.fake.Count("C_Login") > 0 {
		t.Errorf("the last try: status %d, asked %q, %s", status, h.asked, screen)
	}
	f.fake.Faults(t)
	if status, screen := f.provision(t, &holder{types: []string{modulePIN}}, ""); status != done {
		t.Error(screen)
	}
}

// What a module does wrong while a key is made or read back ends in words, with
// no public key; and where it does right again the same commands go on.
func TestProvisionWithFaults(t *testing.T) {
	for _, c := range []struct {
		name, fault, want string
		made              bool // it happens in the second run
	}{
		{"no such curve", "C_GenerateKeyPair rv 0x70", "CKR_MECHANISM_INVALID.*; no key was made ceremony: hint: the token cannot make keys for TUF", false},
		{"a key that is lost", "C_GenerateKeyPair lost", "reading it back: 0 public keys have ID [0-9a-f]{32} instead of one", false},
		{"a full device", "C_GenerateKeyPair rv 0x31", "the device's memory is full", false},
		{"removed", "C_GenerateKeyPair rv 0x32", "the device was removed ceremony: hint: insert the device again", false},
		{"a wrong signature", "C_Sign flip", "the trial signature is not by this key: the token does not sign as it says ceremony: hint: do not use the key", true},
		{"another key's ID", "C_GetAttributeValue id", "a private key with ID", true},
		{"removed while signing", "C_Sign rv 0x32", "the device was removed", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newHSMFolder(t)
			if c.made {
				if status, screen := f.provision(t, newToken(), ""); status != done {
					t.Fatal(screen)
				}
			}
			h := newToken()
			if c.made {
				h = &holder{types: []string{modulePIN}}
			}
			f.fake.Faults(t, c.fault)
			status, screen := f.provision(t, h, "")
			wants(t, screen, c.want)
			if status != refused || slices.Contains(f.keys(), "holder-1.pem") || slices.Contains(f.keys(), "holder-1.attributes.json") {
				t.Errorf("status %d, keys/ has %v", status, f.keys())
			}
			f.fake.Faults(t)
			for !slices.Contains(f.keys(), "holder-1.pem") {
				if status, screen := f.provision(t, &holder{types: []string{modulePIN}}, ""); status != done {
					t.Fatalf("afterwards: %s", screen)
				}
			}
			if strings.Contains(screen, modulePIN) || strings.Contains(screen, officerPIN) {
				t.Error("a PIN is on the screen")
			}
		})
	}
}

// The plan's module-timeout holds for each call.
func TestProvisionTimeout(t *testing.T) {
	for _, call := range []string{"C_GetTokenInfo", "C_Login"} {
		t.Run(call, func(t *testing.T) {
			f := newHSMFolder(t)
			f.fake.Faults(t, call+" hang")
			status, screen := f.provision(t, newToken(), "")
			wants(t, screen, "the module did not answer within 5s and was given up.*ceremony: hint: unplug the device.* module-timeout in the plan")
			if status != refused || slices.Contains(f.keys(), "holder-1.pem") {
				t.Errorf("status %d, keys/ has %v", status, f.keys())
			}
		})
	}
}

// The screens of `token show` and `token attest` take the plan's timeout too.
func TestShowTimeout(t *testing.T) {
	f := newHSMFolder(t)
	if status, screen := f.provision(t, newToken(), ""); status != done {
		t.Fatal(screen)
	}
	f.fake.Faults(t, "C_GetSlotList hang")
	for _, what := range []string{"show", "attest"} {
		if what == "attest" { // the module is lost to this process
			f.fake.Path = freshCopy(t, f.fake.Path)
		}
		_, screen := f.run(t, &holder{}, "token", what, "pkcs11:token=hsm-1?module-path="+f.fake.Path, "--plan", f.dir)
		wants(t, screen, "did not answer within 5s")
	}
}

// A module that destroys no keys says so when it is asked to, and only then; another
// wants its token in another state. Each is a refusal: the key is there, signs, and
// nothing is written down of it.
func TestDestroyRefusedByModule(t *testing.T) {
	if !alone(t) {
		return
	}
	const hindered = "hint: nothing was destroyed, and the key still signs. Unlock the token, and make it writable"
	for name, row := range map[string]struct{ rv, said, hint string }{
		"none":      {"0x54", "the module refuses to destroy it, and still shows both halves: the module has no such function (CKR_FUNCTION_NOT_SUPPORTED)", "hint: nothing was destroyed, and the key still signs. A one-time key in a YubiKey is planned as `piv:serial=…;slot=…`"},
		"login":     {"0x101", "the device wants a login for this (CKR_USER_NOT_LOGGED_IN)", hindered},
		"protected": {"0xE2", "the token is write-protected (CKR_TOKEN_WRITE_PROTECTED)", hindered},
	} {
		t.Run(name, func(t *testing.T) { destroyRefused(t, row.rv, row.said, row.hint) })
	}
}

func destroyRefused(t *testing.T, rv, said, hint string) {
	fake := pkcs11test.Proxy(t)
	d := beforeDestruction(t, true)
	t.Setenv("SOFTHSM2_CONF", d.config())
	fake.Faults(t, "C_DestroyObject rv "+rv)
	dir := filepath.Join(d.dir, "coordinator", "genesis")
	before := tree(t, dir)
	var screen bytes.Buffer
	env := rehearsalEnv(&screen)
	env.out, env.err, env.ask = &screen, &screen, &holder{types: []string{"targets-1", d.pin}}
	at := "pkcs11:token=rehearsal%20targets-1;object=tuf?module-path=" + fake.Path
	status := run([]string{"token", "destroy", dir, "--token", "targets-1", "--uri", at}, env)
	told := strings.Join(strings.Fields(screen.String()), " ")
	for _, want := range []string{said, hint} {
		if status != refused || !strings.Contains(told, want) {
			t.Errorf("status %d, want %q in:\n%s", status, want, screen.String())
		}
	}
	if after := tree(t, dir); !maps.Equal(before, after) || !d.holds(t) {
		t.Errorf("the folder has changed, or the key is gone: %d files, and %d before", len(after), len(before))
	}
	if was, out := d.run(t, 0); was || !strings.Contains(out, "Destroyed: the key of token targets-1.") {
		t.Errorf("a module that destroys keys then says:\n%s", out)
	}
}
