//go:build cgo

package pkcs11_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

// keeps has the modules that destroy no keys, and what they answer. Both are
// asked of a YubiKey, whose keys the PIV driver overwrites.
var keeps = map[string]string{
	"opensc": "the module has no such function (CKR_FUNCTION_NOT_SUPPORTED)",
	"ykcs11": "the module does not know this kind of login (CKR_USER_TYPE_INVALID)",
}

// destruction has a one-time key destroyed through the driver. Where the module
// does not do it, that is said before anything was done, and the key still signs.
func (d *moduleTest) destruction(t *testing.T) {
	u := d.oneTime(t)
	token := openToken(t, u.String())
	keys, err := token.Keys()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	kept := d.store(t)
	err = token.(hsm.Destroyer).Destroy(keys[0], typist(d.pin))
	_ = token.Close()
	if refusal, ok := keeps[d.name]; ok {
		if !errors.Is(err, hsm.ErrUntouched) || !errors.Is(err, hsm.ErrUnsupported) || !strings.Contains(err.Error(), refusal) {
			t.Errorf("error is %v, want %q in it", err, refusal)
		}
		d.signs(t, u)
		d.note("destroys a key", "no, %s", refusal)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	again := openToken(t, u.String())
	if held, err := again.(hsm.Seeker).Holds(keys[0], typist(d.pin)); err != nil || held {
		t.Errorf("a new session finds the key: %t, %v", held, err)
	}
	_ = again.Close()
	d.note("destroys a key", "yes")
	if kept != nil {
		kept()
		d.signs(t, u)
		d.replace("destroys a key", "yes, and a copy of the store brings it back")
	}
}

// oneTime is a token with a key that may go: a new one, where the driver makes
// any.
func (d *moduleTest) oneTime(t *testing.T) uri.URI {
	u := d.tokens[0]
	switch {
	case d.cards:
		u.ID = slot9c
	case d.name != "opencryptoki":
		if _, err := makeKey(u.String(), d.pin, "once"); err != nil {
			t.Fatal(err)
		}
		u.Object, u.ID = "once", nil
	}
	return u
}

// store copies the file in which the TPM's module keeps its keys, each encrypted
// for the TPM alone. It gives what puts the copy back.
func (d *moduleTest) store(t *testing.T) (putBack func()) {
	if d.name != "tpm" {
		return nil
	}
	file := filepath.Join(os.Getenv("TPM2_PKCS11_STORE"), "tpm2_pkcs11.sqlite3")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *moduleTest) signs(t *testing.T, u uri.URI) {
	token := openToken(t, u.String())
	defer token.Close()
	signOnce(t, token, typist(d.pin))
}
