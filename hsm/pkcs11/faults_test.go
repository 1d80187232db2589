//go:build cgo && linux

package pkcs11_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/pkcs11test"
)

// person types one PIN, and counts how often it was asked.
type person struct {
	asked []hsm.PINRequest
	typed []byte
}

func (p *person) PIN(r hsm.PINRequest) ([]byte, error) {
	p.asked = append(p.asked, r)
	p.typed = []byte(userPIN)
	return p.typed, nil
}
func (p *person) Touch(hsm.TouchRequest) func() { return func() {} }

// device is a fake with a token that has a key, and how to reach it.
func device(t *testing.T) (fake *pkcs11test.Fake, uri string) {
	t.Helper()
	fake = pkcs11test.Proxy(t)
	uri = "pkcs11:token=holder-1;object=root?module-path=" + fake.Path
	createTokenAt(t, fake.Path, "holder-1")
	if _, err := makeKey(uri, userPIN, "root"); err != nil {
		t.Fatal(err)
	}
	fake.Forget()
	return fake, uri
}

// openFake opens a fake's token, for a test that goes on step by step.
func openFake(t *testing.T, uri string) (hsm.Token, hsm.Key) {
	t.Helper()
	token, err := pkcs11.OpenWith(uri, pkcs11.Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { token.Close() })
	keys, err := token.Keys()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	return token, keys[0]
}

// use opens, logs in and signs once. It says how far that came.
func use(t *testing.T, uri string, p hsm.Prompter, before func(step string)) (public *ecdsa.PublicKey, signature []byte, err error) {
	t.Helper()
	before("open")
	token, err := pkcs11.OpenWith(uri, pkcs11.Options{Timeout: patience})
	if err != nil {
		return nil, nil, err
	}
	defer token.Close()
	before("keys")
	keys, err := token.Keys()
	if err != nil {
		return nil, nil, err
	}
	if len(keys) != 1 {
		return nil, nil, fmt.Errorf("%d keys", len(keys))
	}
	public = keys[0].Public.(*ecdsa.PublicKey)
	before("login")
	signer, err := token.Signer(keys[0], p)
	if err != nil {
		return public, nil, err
	}
	before("sign")
	signature, err = signer.Sign(rand.Reader, digestOf("message"), crypto.SHA256)
	return public, signature, err
}

func digestOf(message string) []byte {
	digest := sha256.Sum256([]byte(message))
	return digest[:]
}

func nothing(string) {}

// Each fault is an error in words: nothing is signed, no PIN is given to the
// device that nobody has typed for it, and the process goes on.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault  string
		want   string
		is     error
		logins int // C_Login that reached the module
	}{
		{"C_OpenSession rv 0x32", "it is gone (CKR_DEVICE_REMOVED)", hsm.ErrRemoved, 0},
		{"C_GetTokenInfo rv 0x32", "it is gone", hsm.ErrRemoved, 0},
		{"C_FindObjectsInit rv 0x32", "it is gone", hsm.ErrRemoved, 0},
		{"C_GetAttributeValue rv 0x32", "it is gone", hsm.ErrRemoved, 0},
		{"C_Login rv 0x32", "it is gone", hsm.ErrRemoved, 1},
		{"C_SignInit rv 0x32", `signing with token "holder-1": it is gone`, hsm.ErrRemoved, 1},
		{"C_Sign rv 0x32", `signing with token "holder-1": it is gone`, hsm.ErrRemoved, 1},
		{"C_Sign rv 0x5", "CKR_GENERAL_ERROR", nil, 1}, // a TPM's resource manager that was killed
		{"C_Sign rv 0x6", "CKR_FUNCTION_FAILED", nil, 1},
		{"C_OpenSession rv 0x30", "CKR_DEVICE_ERROR", nil, 0}, // p11-kit's server that was killed
		{"C_Sign rv 0x82", "CKR_OBJECT_HANDLE_INVALID", nil, 1},
		{"C_Sign rv 0xCE534352", "vendor-defined CKR 0xCE534352", nil, 1},
		{"C_Sign short", "63 bytes instead of 64", nil, 1},
		{"C_GetTokenInfo flags 0x40000", "the PIN is locked", hsm.ErrPINLocked, 0},
		{"C_GetTokenInfo hang", "did not answer", hsm.ErrNoAnswer, 0},
		{"C_GetSlotList hang", "did not answer", hsm.ErrNoAnswer, 0},
		{"C_OpenSession hang", `listing the keys of token "holder-1": the module did not answer within 300ms`, hsm.ErrNoAnswer, 0},
		{"C_Login hang", `preparing to sign with token "holder-1": logging in: the module did not answer`, hsm.ErrNoAnswer, 1},
		{"C_SignInit hang", `signing with token "holder-1": the module did not answer`, hsm.ErrNoAnswer, 1},
		{"C_Sign hang", `signing with token "holder-1": the module did not answer within 300ms and was given up`, hsm.ErrNoAnswer, 1},
		{"C_GetAttributeValue id", "a private key with ID", nil, 1},
		{"C_GetAttributeValue class", "an object that is no private key", nil, 1},
		{"C_GetAttributeValue point 044104" + fmt.Sprintf("%0128x", 7), "0 keys", nil, 0}, // no point of the curve
	} {
		t.Run(strings.SplitN(c.fault, " 0441", 2)[0], func(t *testing.T) {
			fake, uri := device(t)
			fake.Faults(t, c.fault)
			p := &person{}
			start := time.Now()
			_, signature, err := use(t, uri, p, nothing)
			wantError(t, err, c.want)
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error is %v, want %q in it", err, c.is)
			}
			if c.is != hsm.ErrRemoved && errors.Is(err, hsm.ErrRemoved) {
				t.Errorf("error is %v, and the token is there", err)
			}
			if signature != nil {
				t.Errorf("a signature came with the error: %x", signature)
			}
			if n := fake.Count("C_Login"); n != c.logins || len(p.asked) != c.logins {
				t.Errorf("%d logins and %d questions, want %d", n, len(p.asked), c.logins)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if errors.Is(err, hsm.ErrNoAnswer) {
				return
			}
			if fake.Count("C_Initialize") != fake.Count("C_Finalize") {
				t.Errorf("not finalised: %v", fake.Calls())
			}
			fake.Faults(t)
			public, signature, err := use(t, uri, &person{}, nothing)
			if err != nil || !ecdsa.VerifyASN1(public, digestOf("message"), signature) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// After a call was given up, nothing more is asked of the module, and everything
// says so at once.
func TestGivenUp(t *testing.T) {
	fake, uri := device(t)
	token, key := openFake(t, uri)
	fake.Faults(t, "C_Login hang")
	p := &person{}
	if _, err := token.Signer(key, p); !errors.Is(err, hsm.ErrNoAnswer) {
		t.Errorf("error is %v", err)
	}
	if !slices.Equal(p.typed, make([]byte, len(p.typed))) {
		t.Errorf("the PIN was left as %q", p.typed)
	}
	fake.Forget()
	start := time.Now()
	_, infoError := token.Info()
	_, keysError := token.Keys()
	_, signerError := token.Signer(key, p)
	_, listError := pkcs11.List(fake.Path)
	for name, err := range map[string]error{"Info": infoError, "Keys": keysError, "Signer": signerError, "List": listError} {
		if !errors.Is(err, hsm.ErrNoAnswer) {
			t.Errorf("%s says %v", name, err)
		}
	}
	if err := token.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if took := time.Since(start); took > patience || len(p.asked) != 1 {
		t.Errorf("it took %v, and %d questions", took, len(p.asked))
	}
	if calls := fake.Calls(); len(calls) != 0 {
		t.Errorf("called after it was given up: %v", calls)
	}
}

// A login that answers after it was given up has had the PIN that was typed, and
// not what is left of it after wiping; nobody hears of its answer.
func TestLateAnswer(t *testing.T) {
	fake, uri := device(t)
	token, key := openFake(t, uri)
	fake.Faults(t, "C_Login late 600")
	if _, err := token.Signer(key, &person{}); !errors.Is(err, hsm.ErrNoAnswer) {
		t.Errorf("error is %v", err)
	}
	time.Sleep(600 * time.Millisecond)
	if _, err := token.Signer(key, &person{}); !errors.Is(err, hsm.ErrNoAnswer) {
		t.Errorf("error is %v", err)
	}
	token.Close()
	if fake.Count("login 0x0") != 1 {
		t.Errorf("the module was called %v", fake.Calls())
	}
}

// The flags of a PIN are told to the person before a try is spent.
func TestPINFlags(t *testing.T) {
	fake, uri := device(t)
	for _, c := range []struct {
		flags string
		tries int
	}{{"0x10000", hsm.Unknown}, {"0x30000", 1}} {
		fake.Faults(t, "C_GetTokenInfo flags "+c.flags)
		p := &person{}
		if _, _, err := use(t, uri, p, nothing); err != nil || len(p.asked) != 1 || p.asked[0].TriesLeft != c.tries {
			t.Errorf("flags %s: asked %+v, %v", c.flags, p.asked, err)
		}
	}
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte(userPIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fake.Forget()
	if _, _, err := use(t, uri+"&pin-source=file:"+file, nil, nothing); !errors.Is(err, hsm.ErrLastTry) || fake.Count("C_Login") != 0 {
		t.Errorf("the last try with a file: %v, %d logins", err, fake.Count("C_Login"))
	}
}

// The driver does not verify: what comes back is for the caller to hold against
// the key. Both of these must not pass there.
func TestWrongSignatures(t *testing.T) {
	fake, uri := device(t)
	if _, err := makeKey("pkcs11:token=holder-1?module-path="+fake.Path, userPIN, "targets"); err != nil {
		t.Fatal(err)
	}
	for _, fault := range []string{"C_Sign flip", "C_SignInit other"} {
		fake.Faults(t, fault)
		public, signature, err := use(t, uri, &person{}, nothing)
		if err != nil || ecdsa.VerifyASN1(public, digestOf("message"), signature) {
			t.Errorf("%s: %x, %v", fault, signature, err)
		}
	}
}

// A public key that lies is seen as what it says: it is not the plan's.
func TestPublicKeyThatLies(t *testing.T) {
	fake, uri := device(t)
	other, err := ecdsa.GenerateKey(p256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := other.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	fake.Faults(t, "C_GetAttributeValue point 0441"+hex.EncodeToString(point))
	public, signature, err := use(t, uri, &person{}, nothing)
	if err != nil || !public.Equal(&other.PublicKey) || ecdsa.VerifyASN1(public, digestOf("message"), signature) {
		t.Errorf("%v, %v", public, err)
	}
}

// Two keys of a label: neither is taken, and it is said how to choose.
func TestLabelTwice(t *testing.T) {
	fake, uri := device(t)
	addKeys(t, fake.Path, "holder-1", newKey{label: "root", kind: "P-256", id: []byte{1, 0xAB}})
	fake.Forget()
	p := &person{}
	_, _, err := use(t, uri, p, nothing)
	wantError(t, err, `2 keys are labelled "root", with IDs`, "%01%AB", "add id=")
	if len(p.asked) != 0 {
		t.Error("a PIN was asked for")
	}
	if _, _, err := use(t, "pkcs11:token=holder-1;object=root;id=%01%AB?module-path="+fake.Path, p, nothing); err != nil {
		t.Error(err)
	}
}

// Two public keys of one ID: it cannot be known whose private half there is.
func TestIDTwice(t *testing.T) {
	fake, _ := device(t)
	for _, label := range []string{"a", "b"} {
		addKeys(t, fake.Path, "holder-1", newKey{label: label, kind: "P-256", id: []byte{7}})
	}
	p := &person{}
	_, _, err := use(t, "pkcs11:token=holder-1;object=a?module-path="+fake.Path, p, nothing)
	wantError(t, err, "2 private keys have this ID")
	token := openToken(t, "pkcs11:token=holder-1?module-path="+fake.Path)
	keys, err := token.Keys()
	if err != nil || len(keys) != 3 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	p = &person{}
	_, err = token.Signer(keys[0], p)
	wantError(t, err, "two different public keys have ID 07")
	if len(p.asked) != 0 {
		t.Error("a PIN was asked for")
	}
}
