//go:build cgo && linux

package pkcs11_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
)

// After an error that does not say why, the driver looks whether the token is
// still there. The first error stays, with its code, whatever comes of that.
func TestVagueErrors(t *testing.T) {
	const general = "the module failed and does not say why (CKR_GENERAL_ERROR)"
	for _, c := range []struct {
		name    string
		step    string
		faults  []string
		want    string
		removed bool
		lost    bool // the module was given up
	}{
		{"gone from the list", "sign", []string{"C_Sign rv 0x5", "C_GetSlotList none"}, general + ", and the token is no longer in its slot: the device was removed", true, false},
		{"function failed", "sign", []string{"C_SignInit rv 0x6", "C_GetSlotList none"}, "(CKR_FUNCTION_FAILED), and the token is no longer", true, false},
		{"in the list, and not there", "sign", []string{"C_Sign rv 0x30", "C_GetTokenInfo rv 0xE0"}, "(CKR_DEVICE_ERROR), and the token is no longer", true, false},
		{"at the PIN", "login", []string{"C_Login rv 0x30", "C_GetSlotList none"}, "logging in: the device or its driver failed (CKR_DEVICE_ERROR), and the token is no longer", true, false},
		{"at the list of keys", "keys", []string{"C_OpenSession rv 0x30", "C_GetSlotList none"}, "(CKR_DEVICE_ERROR), and the token is no longer", true, false},
		{"still there", "sign", []string{"C_Sign rv 0x5"}, general, false, false},
		{"an error that says why", "sign", []string{"C_Sign rv 0x31", "C_GetSlotList none"}, "(CKR_DEVICE_MEMORY)", false, false},
		{"no answer to the question", "sign", []string{"C_Sign rv 0x30", "C_GetSlotList rv 0x30", "C_GetTokenInfo rv 0x30"}, "(CKR_DEVICE_ERROR)", false, false},
		{"the question hangs", "sign", []string{"C_Sign rv 0x5", "C_GetSlotList hang"}, general, false, true},
		{"the second question hangs", "sign", []string{"C_Sign rv 0x5", "C_GetTokenInfo hang"}, general, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake, uri := device(t)
			p := &person{}
			_, signature, err := use(t, uri, p, func(step string) {
				if step == c.step {
					fake.Faults(t, c.faults...)
				}
			})
			if err == nil || signature != nil || !strings.Contains(err.Error(), c.want) || !c.removed && !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("signature %x, error is %v, want %q", signature, err, c.want)
			}
			if errors.Is(err, hsm.ErrRemoved) != c.removed || errors.Is(err, hsm.ErrNoAnswer) {
				t.Errorf("error is %v", err)
			}
			if logins := fake.Count("C_Login"); logins != len(p.asked) || logins > 1 {
				t.Errorf("%d logins, %d questions", logins, len(p.asked))
			}
			if finalised := slices.Contains(fake.Calls(), "C_Finalize"); finalised == c.lost {
				t.Errorf("finalised: %v", finalised)
			}
			if c.lost {
				return
			}
			fake.Faults(t)
			public, signature, err := use(t, uri, &person{}, nothing)
			if err != nil || !ecdsa.VerifyASN1(public, digestOf("message"), signature) {
				t.Errorf("put back: %v", err)
			}
		})
	}
}

// A card that is pulled while it is read shows no keys, and says nothing of an
// error: that is told from a card which holds none.
func TestPulledWhileRead(t *testing.T) {
	fake, uri := device(t)
	for _, c := range []struct {
		name    string
		faults  []string
		removed bool
	}{
		{"a card, pulled", []string{"C_FindObjects none", "C_GetSlotInfo removable", "C_GetSlotList none"}, true},
		{"a card without keys", []string{"C_FindObjects none", "C_GetSlotInfo removable"}, false},
		{"no card, and without keys", []string{"C_FindObjects none", "C_GetSlotList none"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake.Faults(t)
			token, err := pkcs11.Open(uri)
			if err != nil {
				t.Fatal(err)
			}
			defer token.Close()
			fake.Faults(t, c.faults...)
			keys, err := token.Keys()
			if len(keys) != 0 || errors.Is(err, hsm.ErrRemoved) != c.removed || !c.removed && err != nil {
				t.Errorf("%d keys, %v", len(keys), err)
			}
		})
	}
}

// A token that was pulled stays so for whoever has it open, also when it is put
// back: its holder opens it again, and gives the PIN again.
func TestPulledAndPutBack(t *testing.T) {
	fake, uri := device(t)
	token, key := openFake(t, uri)
	p := &person{}
	signer, err := token.Signer(key, p)
	if err != nil {
		t.Fatal(err)
	}
	fake.Faults(t, "C_Sign rv 0x5", "C_GetSlotList none")
	if _, err := signer.Sign(rand.Reader, digestOf("message"), crypto.SHA256); !errors.Is(err, hsm.ErrRemoved) {
		t.Errorf("error is %v", err)
	}
	fake.Faults(t)
	fake.Forget()
	_, signError := signer.Sign(rand.Reader, digestOf("message"), crypto.SHA256)
	_, signerError := token.Signer(key, p)
	if !errors.Is(signError, hsm.ErrRemoved) || !errors.Is(signerError, hsm.ErrRemoved) || len(p.asked) != 1 {
		t.Errorf("%v, %v, %d questions", signError, signerError, len(p.asked))
	}
	if calls := fake.Calls(); len(calls) != 0 {
		t.Errorf("called after it was pulled: %v", calls)
	}
}
