//go:build cgo && linux

package pkcs11_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/pkcs11test"
	"tufceremony/hsm/secret"
)

// A module that crashes while it signs takes the process with it: its code runs
// here, and nothing of what comes after a crash could be trusted. No signature
// comes of it; the device is as it was, and the next process can use it.
func TestCrashInSign(t *testing.T) {
	if pkcs11test.IsAlone() {
		public, signature, err := use(t, os.Getenv("PKCS11_TEST_URI"), &person{}, nothing)
		t.Fatalf("it survived: %v, %x, %v", public, signature, err)
	}
	fake, uri := device(t)
	fake.Faults(t, "C_Sign crash")
	out, err := pkcs11test.Alone(t, "PKCS11_TEST_URI="+uri)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() == 0 || strings.Contains(out, "it survived") || !strings.Contains(out, "SIGSEGV") {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(out, userPIN) {
		t.Errorf("the PIN stands in what is left:\n%s", out)
	}
	fake.Faults(t)
	if _, _, err := use(t, uri, &person{}, nothing); err != nil {
		t.Error(err)
	}
}

// FinalizeAll is for good, and waits for the call that is under way.
func TestFinalizeAll(t *testing.T) {
	if !pkcs11test.IsAlone() {
		_, uri := device(t)
		if out, err := pkcs11test.Alone(t, "PKCS11_TEST_URI="+uri); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	uri := os.Getenv("PKCS11_TEST_URI")
	token := openToken(t, uri)
	keys, err := token.Keys()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.Signer(keys[0], &person{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("FAKE_PKCS11_CONTROL"), []byte("C_Sign late 300\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	signed := make(chan error)
	go func() {
		_, err := signer.Sign(rand.Reader, digestOf("message"), crypto.SHA256)
		signed <- err
	}()
	for !strings.Contains(logged(t), "C_Sign\n") {
	}
	if err := pkcs11.FinalizeAll(); err != nil {
		t.Error(err)
	}
	if err := <-signed; err != nil {
		t.Errorf("the signature that was under way: %v", err)
	}
	if calls := logged(t); !strings.HasSuffix(calls, "C_Finalize\n") {
		t.Errorf("called %s", calls)
	}
	_, openError := pkcs11.Open(uri)
	_, keysError := token.Keys()
	for _, err := range []error{openError, keysError} {
		wantError(t, err, "the program is ending")
	}
	if err := errors.Join(pkcs11.FinalizeAll(), token.Close()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(logged(t), fmt.Sprintf("%d C_Finalize\n", os.Getpid())); n != 1 {
		t.Errorf("finalised %d times", n)
	}
}

func logged(t *testing.T) string {
	text, err := os.ReadFile(os.Getenv("FAKE_PKCS11_LOG"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fromFile types a PIN that never was on Go's heap.
type fromFile string

func (f fromFile) PIN(hsm.PINRequest) ([]byte, error) { return hsm.ReadPIN(string(f)) }
func (fromFile) Touch(hsm.TouchRequest) func()        { return func() {} }

// After a PIN was used, no copy of it is in this process's memory but what the
// module keeps for itself: SoftHSM, with its own way of locking memory, none.
func TestNoPINLeftInMemory(t *testing.T) {
	if !pkcs11test.IsAlone() {
		pin := rand.Text()[:20] // longer than what free() overwrites, and in no program's text
		pkcs11test.SoftHSM(t)
		file := filepath.Join(t.TempDir(), "pin")
		if err := os.WriteFile(file, []byte(pin+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := newToken(softHSM, "holder-1", soPIN, pin); err != nil {
			t.Fatal(err)
		}
		if _, err := makeKey(tokenURI("holder-1"), pin, "root"); err != nil {
			t.Fatal(err)
		}
		for _, how := range []string{"typed", "pin-source"} {
			out, err := pkcs11test.Alone(t, "PKCS11_TEST_PIN="+file, "PKCS11_TEST_HOW="+how)
			if err != nil {
				t.Errorf("%s: %v\n%s", how, err, out)
			}
			for line := range strings.Lines(out) {
				if strings.Contains(line, "copies") {
					t.Logf("%s: %s", how, strings.TrimSpace(line))
				}
			}
		}
		return
	}
	file := os.Getenv("PKCS11_TEST_PIN")
	if n := copies(t, file); n != 0 {
		t.Fatalf("%d copies before the PIN was read: the test is wrong", n)
	}
	uri, person := tokenURI("holder-1"), hsm.Prompter(fromFile(file))
	if os.Getenv("PKCS11_TEST_HOW") == "pin-source" {
		uri, person = uri+"&pin-source=file:"+file, nil
	}
	token := openToken(t, uri)
	keys, err := token.Keys()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.Signer(keys[0], person)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(rand.Reader, digestOf("message"), crypto.SHA256)
	if err != nil || !ecdsa.VerifyASN1(keys[0].Public.(*ecdsa.PublicKey), digestOf("message"), signature) {
		t.Fatal(err)
	}
	loggedIn := copies(t, file)
	token.Close()
	after := copies(t, file)
	t.Logf("copies of the PIN while logged in: %d, after closing: %d", loggedIn, after)
	if loggedIn != 0 || after != 0 {
		t.Errorf("copies of the PIN while logged in: %d, after closing: %d", loggedIn, after)
	}
	// The search finds what is there.
	planted := secret.New(64)
	if f, err := os.Open(file); err != nil || len(planted) != 64 {
		t.Fatal(err)
	} else if _, err := f.Read(planted); err != nil {
		t.Fatal(err)
	}
	if n := copies(t, file); n != 1 {
		t.Errorf("%d copies are found of one", n)
	}
	secret.Free(planted)
}

// copies counts how often the PIN in a file is in this process's memory. The
// pages with which it searches are left out.
func copies(t *testing.T, file string) (n int) {
	t.Helper()
	scratch, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(scratch)
	own := int64(uintptr(unsafe.Pointer(&scratch[0])))
	needle, buffer := scratch[:64], scratch[64:]
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Read(needle)
	if err != nil {
		t.Fatal(err)
	}
	needle = needle[:size-1] // without the newline
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	count := func(start, end int64) {
		for at := start; at < end; at += int64(len(buffer) - len(needle)) {
			got, _ := memory.ReadAt(buffer[:min(int64(len(buffer)), end-at)], at)
			n += bytes.Count(buffer[:got], needle)
		}
	}
	for line := range strings.Lines(string(maps)) {
		var start, end int64
		var flags string
		_, err := fmt.Sscanf(line, "%x-%x %s", &start, &end, &flags)
		// The race detector's shadow is terabytes of nothing.
		if err != nil || flags[0] != 'r' || strings.Contains(line, "[v") || end-start > 1<<32 {
			continue
		}
		count(start, min(end, own))
		count(max(start, own+int64(len(scratch))), end)
	}
	return n
}
