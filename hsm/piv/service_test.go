//go:build cgo && linux

package piv

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/virtual"
)

// serviceVariable makes the tests run where no service is.
const serviceVariable = "TEST_PIV_SERVICE"

// libpcsclite remembers where the service was: these tests run in processes of
// their own.
func TestService(t *testing.T) {
	if noStack != nil {
		t.Skip(noStack)
	}
	for _, name := range []string{"TestNoService", "TestServiceDies"} {
		cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
		cmd.Env = append(os.Environ(), serviceVariable+"=none", "PCSCLITE_CSOCK_NAME=/nonexistent/pcscd.comm")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestNoService(t *testing.T) {
	if os.Getenv(serviceVariable) == "" {
		t.Skip("TestService runs it in a process of its own")
	}
	_, open := Open("piv:serial=1;slot=9c")
	_, list := List()
	_, readers := Readers()
	_, admin := OpenAdmin(1, rand.Reader)
	for _, err := range []error{open, list, readers, admin} {
		if !errors.Is(err, ErrNoService) || errors.Is(err, hsm.ErrNotFound) || !strings.Contains(err.Error(), "start pcscd") {
			t.Errorf("error is %v", err)
		}
	}
}

// A service that ends in the middle of a session is told from a device that was
// pulled.
func TestServiceDies(t *testing.T) {
	if os.Getenv(serviceVariable) == "" {
		t.Skip("TestService runs it in a process of its own")
	}
	var err error
	stack, err = virtual.Start(virtual.Config{Serial: serial, Firmware: "5.7.1"})
	must(t, err)
	must(t, os.Setenv("PCSCLITE_CSOCK_NAME", stack.Socket()))
	b := bench{stack.Card(first), t, serial}
	b.generate(Signature, P256, PINOnce, TouchNever)
	tok := b.mustToken(Signature)
	signer := mustSigner(t, tok, &person{pin: testPIN})
	must(t, stack.Stop())
	for range 2 {
		err := signsP256(signer)
		if !errors.Is(err, ErrNoService) || errors.Is(err, hsm.ErrRemoved) {
			t.Errorf("error is %v", err)
		}
	}
	if err := tok.Close(); !errors.Is(err, ErrNoService) {
		t.Errorf("error is %v", err)
	}
	if _, err := tok.Info(); err == nil {
		t.Error("still there after Close")
	}
}
