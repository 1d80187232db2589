//go:build cgo

package pkcs11_test

import (
	"errors"
	"os/exec"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/uri"
)

// A survey shows empty tokens too, and changes nothing.
func TestLook(t *testing.T) {
	newSoftHSM(t)
	serial := createToken(t, "holder-1")
	for range 2 {
		s, err := pkcs11.Look(tokenURI("holder-1"), pkcs11.Options{})
		if err != nil || s.Library.Manufacturer != "SoftHSM" || len(s.Slots) != 2 {
			t.Fatalf("%+v, %v", s, err)
		}
		full, empty := s.Filter(uri.URI{Token: "holder-1", Serial: serial}, true), s.Filter(uri.URI{Token: "holder-2"}, false)
		if len(full) != 1 || !full[0].HasPIN || full[0].MinPIN != 4 || full[0].TriesLeft != hsm.Unknown {
			t.Errorf("%+v", full)
		}
		if len(empty) != 1 || empty[0].Initialised || empty[0].HasPIN {
			t.Errorf("%+v", empty)
		}
	}
	_, err := pkcs11.Look("pkcs11:token=a", pkcs11.Options{})
	wantError(t, err, "module-path is missing")
}

// A token that somebody began to initialise gets its PIN from who has the SO
// PIN; one that has a PIN keeps it.
func TestSetPIN(t *testing.T) {
	if _, err := exec.LookPath("pkcs11-tool"); err != nil {
		t.Skip("pkcs11-tool is not there: scripts/test installs opensc")
	}
	newSoftHSM(t)
	if out, err := exec.Command("pkcs11-tool", "--module", softHSM, "--init-token", "--slot-index", "0", "--label", "holder-1", "--so-pin", soPIN).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	set := func(so, pin string) error {
		return pkcs11.SetPIN(tokenURI("holder-1"), []byte(so), []byte(pin), pkcs11.Options{})
	}
	if err := set("87654321", userPIN); !errors.Is(err, pkcs11.ErrSOPIN) {
		t.Errorf("error is %v, want %q", err, pkcs11.ErrSOPIN)
	}
	wantError(t, set("", userPIN), "both PINs")
	if err := set(soPIN, userPIN); err != nil {
		t.Fatal(err)
	}
	generateKey(t, "holder-1", "root")
	wantError(t, set(soPIN, "654321"), "the token has a user PIN")
	_, err := makeKey(tokenURI("holder-1"), userPIN, "other")
	if err != nil {
		t.Error(err)
	}
}

// IDs are the caller's, who notes them first: one that is there already is
// refused, and one that is no random one.
func TestGenerateRefusesIDs(t *testing.T) {
	newSoftHSM(t)
	createToken(t, "holder-1")
	u := uri.URI{Token: "holder-1", ModulePath: softHSM, Object: "root", ID: []byte("0123456789abcdef")}
	key, err := pkcs11.GenerateKey(u.String(), []byte(userPIN), pkcs11.Options{})
	if err != nil || key.ID != "30313233343536373839616263646566" || key.Label != "root" {
		t.Fatalf("%+v, %v", key, err)
	}
	u.Object = "other"
	if _, err := pkcs11.GenerateKey(u.String(), []byte(userPIN), pkcs11.Options{}); !errors.Is(err, pkcs11.ErrIDTaken) {
		t.Errorf("error is %v, want %q", err, pkcs11.ErrIDTaken)
	}
	u.ID = []byte{1}
	_, err = pkcs11.GenerateKey(u.String(), []byte(userPIN), pkcs11.Options{})
	wantError(t, err, "the key's ID has 1 bytes, and random ones have 16")
}
