// Package pkcs11test makes PKCS#11 modules for tests: one that fails on demand
// as devices do, and several that are broken from the start. They are compiled
// when a test asks for them; without a C compiler, or without SoftHSM behind
// the first, the test is skipped and says so.
//
//	fake := pkcs11test.Proxy(t)
//	fake.Faults(t, "C_Sign rv 0x32")
//	token, err := pkcs11.Open("pkcs11:token=…?module-path=" + fake.Path)
//
// It is for tests alone: a module that signs with the wrong key is no thing to
// have around.
package pkcs11test

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// SoftHSMModule is where Debian has SoftHSM.
const SoftHSMModule = "/usr/lib/softhsm/libsofthsm2.so"

// Kind is a way to be broken.
type Kind int

// The kinds, in the order of testdata/broken.c.
const (
	NoSymbol Kind = iota
	MissingSymbol
	ConstructorCrash
	ConstructorHang
	ConstructorExit
	ListCrash
	ListNull
	ListRefused
	ListEmpty
)

//go:embed testdata/*.c
var sources embed.FS

// SoftHSM gives the test its own empty SoftHSM, or skips it.
func SoftHSM(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(SoftHSMModule); err != nil {
		t.Skipf("SoftHSM is not installed; scripts/test does that: %v", err)
	}
	dir := t.TempDir()
	tokens, configuration := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens)
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", configuration)
}

// Fake is a module that hands calls on to SoftHSM, and fails on demand.
type Fake struct {
	Path         string
	control, log string
}

// Proxy makes a fake with an empty SoftHSM behind it. Each is a library of its
// own to the loader.
func Proxy(t testing.TB) *Fake {
	t.Helper()
	SoftHSM(t)
	dir := t.TempDir()
	f := &Fake{filepath.Join(dir, "proxy.so"), filepath.Join(dir, "control"), filepath.Join(dir, "log")}
	compile(t, "proxy.c", f.Path)
	for name, value := range map[string]string{"CONTROL": f.control, "LOG": f.log, "MODULE": SoftHSMModule} {
		t.Setenv("FAKE_PKCS11_"+name, value)
	}
	return f
}

// Faults says what goes wrong from now on, in the lines of testdata/proxy.c.
// None: nothing does.
func (f *Fake) Faults(t testing.TB, lines ...string) {
	t.Helper()
	text := strings.Join(append(lines, ""), "\n")
	if err := os.WriteFile(f.control+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(f.control+".new", f.control); err != nil {
		t.Fatal(err)
	}
}

// Calls lists what this process has called since the last Forget: "C_Login",
// "mechanism 0x1041".
func (f *Fake) Calls() []string { return f.calls(strconv.Itoa(os.Getpid()) + " ") }

// AllCalls lists what any process has called.
func (f *Fake) AllCalls() []string { return f.calls("") }

func (f *Fake) calls(process string) []string {
	text, _ := os.ReadFile(f.log)
	var calls []string
	for line := range strings.Lines(string(text)) {
		if call, ok := strings.CutPrefix(strings.TrimSpace(line), process); ok {
			if process == "" {
				_, call, _ = strings.Cut(call, " ")
			}
			calls = append(calls, call)
		}
	}
	return calls
}

// Count says how often this process has called a function since the last
// Forget.
func (f *Fake) Count(call string) (n int) {
	for _, c := range f.Calls() {
		if c == call {
			n++
		}
	}
	return n
}

// Forget forgets the calls so far.
func (f *Fake) Forget() { _ = os.Remove(f.log) }

// Broken makes a broken module, and returns its path.
func Broken(t testing.TB, kind Kind) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "broken.so")
	compile(t, "broken.c", path, fmt.Sprintf("-DKIND=%d", kind))
	return path
}

// built keeps what was compiled in this process, by source and flags.
var built sync.Map

// compile leaves the library at path. Names in it are bound when they are
// called, as with most modules.
func compile(t testing.TB, source, path string, flags ...string) {
	t.Helper()
	what := source + strings.Join(flags, " ")
	library, ok := built.Load(what)
	if !ok {
		library = build(t, source, flags...)
		built.Store(what, library)
	}
	if err := os.WriteFile(path, library.([]byte), 0o700); err != nil {
		t.Fatal(err)
	}
}

func build(t testing.TB, source string, flags ...string) []byte {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the modules of the tests are built on Linux")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skipf("there is no C compiler: %v", err)
	}
	header, err := exec.Command("go", "list", "-f", "{{.Dir}}", "tufceremony/hsm/pkcs11").Output()
	if err != nil {
		t.Fatalf("finding cryptoki.h: %v", err)
	}
	text, err := sources.ReadFile("testdata/" + source)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "library.so")
	c := exec.Command(cc, append([]string{"-shared", "-fPIC", "-O1", "-Wall",
		"-I", strings.TrimSpace(string(header)), "-x", "c", "-o", path, "-"}, flags...)...)
	c.Stdin = strings.NewReader(string(text))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("compiling %s: %v\n%s", source, err, out)
	}
	library, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return library
}
