//go:build cgo && linux

package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/pkcs11test"
	"tufceremony/hsm/pkcs11/uri"
)

// moduleDevice is a holder's PKCS#11 token in a ceremony, behind a module that
// fails on demand.
type moduleDevice struct {
	fake *pkcs11test.Fake
	dir  string // of the ceremony
	uri  string
}

const modulePIN = "24681357"

// newModuleDevice has a rehearsal whose first holder has the key on such a token.
func newModuleDevice(t *testing.T) *moduleDevice {
	t.Helper()
	if _, err := exec.LookPath("softhsm2-util"); err != nil {
		t.Skip("softhsm2-util is not there; scripts/test installs it")
	}
	d := &moduleDevice{fake: pkcs11test.Proxy(t), dir: filepath.Join(t.TempDir(), "c")}
	const label = rehearsalLabel + " 1"
	at := uri.URI{Token: label, ModulePath: d.fake.Path}
	if _, err := pkcs11.CreateToken(at.String(), []byte("87654321"), []byte(modulePIN), pkcs11.Options{}); err != nil {
		t.Fatal(err)
	}
	private, err := (&rehearsal{seed: []byte("scripts")}).key("token holder-1")
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("softhsm2-util", "--import", file, "--token", label, "--label", "tuf", "--id", "01", "--pin", modulePIN)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	at.Object, at.ID = "another", bytes.Repeat([]byte{7}, 16)
	if _, err := pkcs11.GenerateKey(at.String(), []byte(modulePIN), pkcs11.Options{}); err != nil {
		t.Fatal(err)
	}
	d.fake.Forget()
	d.uri = "pkcs11:token=rehearsal%201;object=tuf?module-path=" + d.fake.Path
	d.draft(t)
	return d
}

// draft makes the ceremony: the rehearsal's genesis, with a token that has no
// serial, and is somewhere else.
func (d *moduleDevice) draft(t *testing.T) {
	t.Helper()
	held := filepath.Join(t.TempDir(), "r")
	if out, err := exec.Command("ceremony", "rehearse", "--keep", held, "--seed", "scripts", "--time", rehearsed).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	from := filepath.Join(held, "coordinator", "genesis")
	files, err := folder.Read(from)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`uri: "soft:holder-1"`).ReplaceAll(files[folder.Plan], []byte(`uri: ""`))
	text = regexp.MustCompile(`(?m)serial: ".*"`).ReplaceAll(text, []byte(`serial: ""`))
	text = bytes.Replace(text, []byte("holders:\n"), []byte("module-timeout: 5\nholders:\n"), 1)
	if err := durable.Create(filepath.Join(d.dir, folder.Plan), text); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(d.dir, folder.Keys), os.DirFS(filepath.Join(from, folder.Keys))); err != nil {
		t.Fatal(err)
	}
	var screen bytes.Buffer
	if status := run([]string{"draft", d.dir}, rehearsalEnv(&screen)); status != done {
		t.Fatal(screen.String())
	}
}

// sign runs `ceremony sign` as the holder would.
func (d *moduleDevice) sign(t *testing.T) (status int, screen string) {
	t.Helper()
	files, err := folder.Read(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	env := rehearsalEnv(&out)
	env.ask = passphrase(modulePIN)
	env.now = func() time.Time { at, _ := time.Parse(tufmeta.TimeFormat, rehearsed); return at }
	status = run([]string{"sign", d.dir, "--token", "holder-1", "--approve", files.Event().Words(), "--uri", d.uri}, env)
	return status, strings.Join(strings.Fields(out.String()), " ")
}

// What a module does wrong ends in words, with nothing written and no PIN given
// that would be wasted; and then the same holder signs with the same device.
func TestModulesInACeremony(t *testing.T) {
	for _, c := range []struct{ name, fault, want string }{
		{"a wrong signature", "C_Sign flip", "checking what the device signed for 1.root: .*SIG-INVALID"},
		{"a signature by another key", "C_SignInit other", "checking what the device signed for 1.root: .*SIG-INVALID"},
		{"removed", "C_Sign rv 0x32", "the device was removed"},
		{"hangs", "C_Sign hang", `signing with token "rehearsal 1": the module did not answer within 5s and was given up.* hint: nothing was signed; unplug the device`},
		{"crashes at the start", "C_Initialize crash", "the module is broken: it crashed in C_Initialize"},
		{"another ID", "C_GetAttributeValue id", "a private key with ID 00 instead"},
		{"locked", "C_GetTokenInfo flags 0x40000", "the PIN is locked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newModuleDevice(t)
			if c.name == "crashes at the start" {
				d.uri = strings.Replace(d.uri, d.fake.Path, freshCopy(t, d.fake.Path), 1)
			}
			d.fake.Faults(t, c.fault)
			status, screen := d.sign(t)
			if status != refused || !regexp.MustCompile(c.want).MatchString(screen) {
				t.Errorf("status %d, %s", status, screen)
			}
			if _, err := os.Stat(filepath.Join(d.dir, folder.Signatures)); err == nil {
				t.Error("signatures were written")
			}
			if strings.Contains(screen, modulePIN) {
				t.Error("the PIN is on the screen")
			}
			if c.name == "hangs" {
				return // the module is lost to this process
			}
			d.fake.Faults(t)
			if status, screen := d.sign(t); status != done {
				t.Errorf("afterwards: %d, %s", status, screen)
			}
		})
	}
}

// A module that takes the process with it at the signature leaves none behind,
// and no word of the PIN; with a module that is well the holder goes on.
func TestModuleEndsTheProgram(t *testing.T) {
	for _, fault := range []string{"C_Sign crash", "C_Sign exit"} {
		t.Run(fault, func(t *testing.T) {
			d := newModuleDevice(t)
			d.fake.Faults(t, fault)
			screen, ended := d.signElsewhere(t)
			if calls := d.fake.AllCalls(); ended == nil || len(calls) == 0 || calls[len(calls)-1] != "C_Sign" {
				t.Errorf("%v, called %v, said %s", ended, calls, screen)
			}
			if _, err := os.Stat(filepath.Join(d.dir, folder.Signatures)); err == nil {
				t.Error("signatures were written")
			}
			if strings.Contains(screen, "Signed") || strings.Contains(screen, modulePIN) {
				t.Errorf("it said %s", screen)
			}
			d.fake.Faults(t)
			if screen, ended := d.signElsewhere(t); ended != nil || !strings.Contains(screen, "Signed and verified") {
				t.Errorf("afterwards: %v, %s", ended, screen)
			}
		})
	}
}

// What TestSignElsewhere is told.
const elsewhereDir, elsewhereURI = "TEST_ELSEWHERE_DIR", "TEST_ELSEWHERE_URI"

// signElsewhere is sign in a process of its own.
func (d *moduleDevice) signElsewhere(t *testing.T) (screen string, ended error) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "-test.run=^TestSignElsewhere$", "-test.v")
	c.Env = append(os.Environ(), elsewhereDir+"="+d.dir, elsewhereURI+"="+d.uri)
	out, ended := c.CombinedOutput()
	return string(out), ended
}

func TestSignElsewhere(t *testing.T) {
	d := &moduleDevice{dir: os.Getenv(elsewhereDir), uri: os.Getenv(elsewhereURI)}
	if d.dir == "" {
		t.Skip("TestModuleEndsTheProgram runs it")
	}
	status, screen := d.sign(t)
	t.Log(screen)
	if status != done {
		t.Errorf("status %d", status)
	}
}

// freshCopy is the same module, which this process has not loaded yet.
func freshCopy(t *testing.T, path string) string {
	t.Helper()
	library, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "fresh.so")
	if err := os.WriteFile(fresh, library, 0o700); err != nil {
		t.Fatal(err)
	}
	return fresh
}

// The plan and the driver have the same bounds.
func TestModuleTimeoutBounds(t *testing.T) {
	if plan.MinModuleTimeout != pkcs11.MinTimeout.Seconds() || plan.MaxModuleTimeout != pkcs11.MaxTimeout.Seconds() {
		t.Errorf("the plan has %d to %d s, the driver %v to %v", plan.MinModuleTimeout, plan.MaxModuleTimeout, pkcs11.MinTimeout, pkcs11.MaxTimeout)
	}
}

// A signal while a module works: the call comes to its end, the module is
// finalised, and the program ends as it would have.
func TestSignalsFinalise(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			if signal.Ignored(s) {
				t.Skip("the tests were started with this signal ignored, as nohup does, and so it is by the program")
			}
			fake := pkcs11test.Proxy(t)
			fake.Faults(t, "C_GetSlotList late 700")
			c := exec.Command("ceremony", "token", "list", "--module", fake.Path)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			for !slices.Contains(fake.AllCalls(), "C_GetSlotList") {
				time.Sleep(time.Millisecond)
			}
			if err := c.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			_ = c.Wait()
			calls := fake.AllCalls()
			if status := c.ProcessState.ExitCode(); status != 128+int(s) || calls[len(calls)-1] != "C_Finalize" {
				t.Errorf("status %d, called %v", status, calls)
			}
		})
	}
}

// The review shows what a module is told, and for how long it may be silent.
func TestReviewShowsTheArgument(t *testing.T) {
	d := newModuleDevice(t)
	file := filepath.Join(d.dir, folder.Plan)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`uri: ""`), []byte(`uri: "pkcs11:token=rehearsal%20x?module-path=/usr/lib/m.so&x-init-reserved=configdir='sql:/srv/a%20b'"`), 1)
	for _, made := range []string{folder.Payload, folder.Record} {
		if err := os.RemoveAll(filepath.Join(d.dir, made)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if status := run([]string{"draft", d.dir}, rehearsalEnv(&out)); status != done {
		t.Fatal(out.String())
	}
	out.Reset()
	run([]string{"review", d.dir}, rehearsalEnv(&out))
	screen := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		`Its module is given the argument "configdir='sql:/srv/a b'".`,
		`finding MODULE-ARGUMENT, holder-1: its module is given the argument "configdir='sql:/srv/a b'"`,
		"A PKCS#11 module that is silent for 5 seconds is given up.",
	} {
		if !strings.Contains(screen, want) {
			t.Errorf("the review lacks %q: %s", want, screen)
		}
	}
}
