//go:build cgo

package pkcs11_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/hsmtest"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/pkcs11test"
	"tufceremony/hsm/pkcs11/uri"
)

const (
	softHSM = pkcs11test.SoftHSMModule
	soPIN   = "56785678"
	userPIN = "123456"
)

func newSoftHSM(t testing.TB) { pkcs11test.SoftHSM(t) }

func createToken(t testing.TB, label string) (serial string) {
	t.Helper()
	return createTokenAt(t, softHSM, label)
}

func createTokenAt(t testing.TB, module, label string) (serial string) {
	t.Helper()
	serial, err := newToken(module, label, soPIN, userPIN)
	if err != nil {
		t.Fatal(err)
	}
	return serial
}

func newToken(module, label, so, user string) (serial string, err error) {
	u := uri.URI{Token: label, ModulePath: module}
	return pkcs11.CreateToken(u.String(), []byte(so), []byte(user), pkcs11.Options{})
}

// makeKey makes a key with a label on the token that a URI describes.
func makeKey(text, pin, label string) (hsm.Key, error) {
	u, err := uri.Parse(text)
	if err != nil {
		return hsm.Key{}, err
	}
	u.Object = label
	if u.ID, err = pkcs11.NewID(rand.Reader); err != nil {
		return hsm.Key{}, err
	}
	return pkcs11.GenerateKey(u.String(), []byte(pin), pkcs11.Options{})
}

func generateKey(t testing.TB, token, label string) hsm.Key {
	t.Helper()
	key, err := makeKey(tokenURI(token), userPIN, label)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func tokenURI(token string) string { return "pkcs11:token=" + token + "?module-path=" + softHSM }

func openToken(t testing.TB, uri string) hsm.Token {
	t.Helper()
	token, err := pkcs11.Open(uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { token.Close() })
	return token
}

type typist string

func (p typist) PIN(hsm.PINRequest) ([]byte, error) { return []byte(p), nil }
func (p typist) Touch(hsm.TouchRequest) func()      { return func() {} }

func wantError(t *testing.T, err error, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
}

func TestSoftHSMConformance(t *testing.T) {
	const unlimited = "SoftHSM takes wrong PINs for ever and does not count them"
	const noFinger = "PKCS#11 does not tell that a device waits for a touch"
	hsmtest.Run(t, hsmtest.Device{
		New: func(t *testing.T) hsmtest.Instance {
			newSoftHSM(t)
			createToken(t, "holder-1")
			generateKey(t, "holder-1", "root")
			return hsmtest.Instance{
				Open:     func() (hsm.Token, error) { return pkcs11.Open(tokenURI("holder-1")) },
				PIN:      []byte(userPIN),
				WrongPIN: []byte("654321"),
			}
		},
		Lacks: map[hsmtest.Capability]string{
			hsmtest.Counts:      unlimited,
			hsmtest.Locks:       unlimited,
			hsmtest.Removal:     "SoftHSM never answers that a device is gone; see faults_test.go and fake_test.go",
			hsmtest.Touch:       noFinger,
			hsmtest.MissedTouch: noFinger,
		},
	})
}

func TestSoftHSMFindsTokens(t *testing.T) {
	newSoftHSM(t)
	first := createToken(t, "holder-1")
	second := createToken(t, "holder-2")
	if first == second || first == "" {
		t.Fatalf("serials are %q and %q", first, second)
	}
	for _, uri := range []string{
		"pkcs11:serial=" + second,
		"pkcs11:token=holder-2;serial=" + second + ";model=SoftHSM%20v2;manufacturer=SoftHSM%20project",
		"pkcs11:token=holder-2;library-description=Implementation%20of%20PKCS11;library-manufacturer=SoftHSM",
	} {
		token := openToken(t, uri+"?module-path="+softHSM)
		info, err := token.Info()
		if err != nil || info.Label != "holder-2" || info.Serial != second || info.TriesLeft != hsm.Unknown {
			t.Errorf("%s: %+v, %v", uri, info, err)
		}
		token.Close()
	}
	infos, err := pkcs11.List(softHSM)
	if err != nil || len(infos) != 2 {
		t.Fatalf("listed %+v, %v", infos, err)
	}
	for _, info := range infos {
		openToken(t, info.URI).Close()
	}
}

func TestSoftHSMRefusesToFind(t *testing.T) {
	newSoftHSM(t)
	first := createToken(t, "holder-1")
	second := createToken(t, "holder-2")
	for _, c := range []struct {
		uri   string
		is    error
		wants []string
	}{
		{"pkcs11:token=holder-3", hsm.ErrNotFound, []string{`"holder-1"`, `"holder-2"`, "pkcs11:token=holder-3"}},
		{"pkcs11:token=holder-1;serial=" + second, hsm.ErrNotFound, nil},
		{"pkcs11:token=holder-1;library-version=99", hsm.ErrNotFound, []string{"the module is"}},
		{"pkcs11:token=holder-1;slot-description=none", hsm.ErrNotFound, nil},
		{"pkcs11:model=SoftHSM%20v2", nil, []string{"2 tokens fit", first, second, "add serial="}},
		{"pkcs11:slot-id=0", nil, []string{"must name the token"}},
		{"pkcs11:", nil, []string{"must name the token"}},
		{"pkcs11:token=holder-1;type=cert", nil, []string{"do not sign"}},
	} {
		token, err := pkcs11.Open(c.uri + "?module-path=" + softHSM)
		if err == nil {
			token.Close()
			t.Errorf("%s: opened", c.uri)
			continue
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: error is %v, want %q", c.uri, err, c.is)
		}
		wantError(t, err, c.wants...)
	}
}

func TestSoftHSMFiltersKeys(t *testing.T) {
	newSoftHSM(t)
	createToken(t, "holder-1")
	root, targets := generateKey(t, "holder-1", "root"), generateKey(t, "holder-1", "targets")
	for _, c := range []struct {
		filter string
		want   []hsm.Key
	}{
		{"", []hsm.Key{root, targets}},
		{";object=root", []hsm.Key{root}},
		{";id=" + percent(targets.ID), []hsm.Key{targets}},
		{";object=root;id=" + percent(targets.ID), nil},
		{";object=none", nil},
	} {
		token := openToken(t, "pkcs11:token=holder-1"+c.filter+"?module-path="+softHSM)
		keys, err := token.Keys()
		if err != nil || len(keys) != len(c.want) {
			t.Errorf("%q: %d keys, %v", c.filter, len(keys), err)
		}
		for _, want := range c.want {
			found := false
			for _, key := range keys {
				found = found || key.ID == want.ID && key.Label == want.Label
			}
			if !found {
				t.Errorf("%q: key %q is missing", c.filter, want.Label)
			}
		}
		if _, err := token.Signer(hsm.Key{ID: "00", Public: root.Public}, nil); !errors.Is(err, hsm.ErrNotFound) {
			t.Errorf("%q: error is %v, want %q", c.filter, err, hsm.ErrNotFound)
		}
		token.Close()
	}
}

func percent(hexID string) (encoded string) {
	for i := 0; i < len(hexID); i += 2 {
		encoded += "%" + hexID[i:i+2]
	}
	return encoded
}

func TestSoftHSMTwoTokensAtOnce(t *testing.T) {
	newSoftHSM(t)
	for _, label := range []string{"holder-1", "holder-2"} {
		createToken(t, label)
		generateKey(t, label, "root")
	}
	first, second := openToken(t, tokenURI("holder-1")), openToken(t, tokenURI("holder-2"))
	signOnce(t, first, typist(userPIN))
	signOnce(t, second, typist(userPIN))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	signOnce(t, second, nil) // still initialised, still logged in
}

func TestSoftHSMPINSource(t *testing.T) {
	newSoftHSM(t)
	createToken(t, "holder-1")
	generateKey(t, "holder-1", "root")
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte(userPIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	uri := tokenURI("holder-1") + "&pin-source=file:" + path
	token := openToken(t, uri)
	if info, err := token.Info(); err != nil || info.PINSource != path || info.URI != uri {
		t.Errorf("info is %+v, %v", info, err)
	}
	signOnce(t, token, nil)
	token.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	token = openToken(t, uri)
	keys, _ := token.Keys()
	_, err := token.Signer(keys[0], typist(userPIN))
	wantError(t, err, "reading PIN file")
}

func signOnce(t *testing.T, token hsm.Token, prompter hsm.Prompter) {
	t.Helper()
	keys, err := token.Keys()
	if err != nil || len(keys) == 0 {
		t.Fatalf("keys: %v, %v", keys, err)
	}
	signer, err := token.Signer(keys[0], prompter)
	if err != nil {
		t.Fatal(err)
	}
	if err := signMessage(signer); err != nil {
		t.Error(err)
	}
}

func TestSoftHSMProvisioningRefuses(t *testing.T) {
	newSoftHSM(t)
	createToken(t, "holder-1")
	generateKey(t, "holder-1", "root")
	create := func(label, so, user string) error {
		_, err := newToken(softHSM, label, so, user)
		return err
	}
	generate := func(uri, pin, label string) error {
		_, err := makeKey(uri, pin, label)
		return err
	}
	wantError(t, create("holder-1", soPIN, userPIN), `a token labelled "holder-1" already`)
	wantError(t, create("", soPIN, userPIN), "label must have")
	wantError(t, create(strings.Repeat("a", 33), soPIN, userPIN), "label must have")
	wantError(t, create("holder-2 ", soPIN, userPIN), "not end in a blank")
	wantError(t, create("holder-2", "", userPIN), "both PINs")
	wantError(t, create("holder-2", soPIN, ""), "both PINs")
	wantError(t, generate(tokenURI("holder-1"), userPIN, "root"), "key of this label already")
	wantError(t, generate(tokenURI("holder-1"), userPIN, ""), "must not be empty")
	wantError(t, generate(tokenURI("holder-1"), "", "other"), "PIN must be given")
	wantError(t, generate(tokenURI("holder-2"), userPIN, "other"), "no token fits")
	err := generate(tokenURI("holder-1"), "654321", "other")
	if pinError := (*hsm.PINError)(nil); !errors.As(err, &pinError) {
		t.Errorf("error is %v, want a *hsm.PINError", err)
	}
	infos, err := pkcs11.List(softHSM)
	if err != nil || len(infos) != 1 {
		t.Errorf("listed %+v, %v", infos, err)
	}
}
