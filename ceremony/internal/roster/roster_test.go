package roster_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

func people() *roster.Roster {
	return &roster.Roster{
		Holders: []roster.Holder{
			{Name: "holder-1", Tokens: []*roster.Token{{Name: "holder-1", Holder: "holder-1", Model: "YubiKey 5", Serial: "14470876", KeyFile: "keys/1.pem"}}},
			{Name: "holder-2", Tokens: []*roster.Token{
				{Name: "old", Holder: "holder-2", KeyFile: "keys/2.pem"},
				{Name: "new", Holder: "holder-2", Model: "evil\x1b[2J", Serial: "\u202e1", KeyFile: "keys/3.pem"}}},
		},
		Online: []*roster.Token{{Name: "online", KeyFile: "keys/4.pem"}},
	}
}

func keys(t *testing.T) folder.Files {
	t.Helper()
	return folder.Files{"keys/1.pem": ceremonytest.PEM(t, "a"), "keys/2.pem": ceremonytest.PEM(t, "b"), "keys/3.pem": ceremonytest.PEM(t, "c"), "keys/4.pem": ceremonytest.PEM(t, "d")}
}

// People are found by public key, and described so that neither a name nor a
// device can be taken for another.
func TestDescribe(t *testing.T) {
	r := people()
	if err := r.LoadKeys(keys(t)); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"a": "holder-1, YubiKey 5 serial 14470876, key ", "b": "holder-2 (old), key ", "c": `holder-2 (new), evil\u001b[2J serial \u202e1, key `,
		"d": "the online key online, key ", "stranger": "unknown holder, key ",
	} {
		fingerprint := ceremonytest.Object(t, key).Fingerprint()
		want += roster.Short(fingerprint)
		have := r.Describe(fingerprint)
		if have != want || tufmeta.Unsafe(have) {
			t.Errorf("%s is described as %q, want %q", key, have, want)
		}
		token, ok := r.ByFingerprint(fingerprint)
		if ok != (key != "stranger") || ok && token.Key.Fingerprint() != fingerprint {
			t.Errorf("%s: found %t", key, ok)
		}
	}
	if _, ok := r.ByFingerprint(""); ok {
		t.Error("a key that cannot be read belongs to somebody")
	}
	if have := r.Describe(""); have != "unknown holder, key unreadable" {
		t.Errorf("a key that cannot be read is described as %q", have)
	}
	if token, ok := r.Token("new"); !ok || token.Holder != "holder-2" {
		t.Errorf("the token new is %+v", token)
	}
	if _, ok := r.Token("holder-2"); ok {
		t.Error("a holder's name is taken for a token's")
	}
}

func TestLoadKeysRefuses(t *testing.T) {
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	spki := func(public any) []byte {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	private, err := x509.MarshalPKCS8PrivateKey(ceremonytest.Key(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		data []byte
		want string
	}{
		{"no file", nil, `reading the key of token "new": the folder has no file "keys/3.pem"`},
		{"no key", []byte("hello"), `token "new" from "keys/3.pem": reading a public key: no PEM block`},
		{"a private key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), "it is a PRIVATE key"},
		{"two keys", append(ceremonytest.PEM(t, "c"), ceremonytest.PEM(t, "e")...), "text follows the PEM block"},
		{"a key on another curve", spki(p521.Public()), "it is an ECDSA key on P-521: ECDSA on P-256 and RSA can be planned"},
		{"an Ed25519 key", spki(edwards), "it is an Ed25519 key, which would have a device take the whole file: ECDSA on P-256 and RSA can be planned"},
		{"an RSA key of 1024 bits", spki(short), "3.pem\": an RSA key of 1024 bits is too weak: 2048 to 8192 are accepted: KEY-WEAK"},
		{"the key of another token", ceremonytest.PEM(t, "a"), `tokens "holder-1" and "new" have the same public key`},
		{"the online key", ceremonytest.PEM(t, "d"), `tokens "new" and "online" have the same public key`},
	} {
		files := keys(t)
		delete(files, "keys/3.pem")
		if row.data != nil {
			files["keys/3.pem"] = row.data
		}
		if err := people().LoadKeys(files); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

// A key on P-384, as some devices have one already, and an RSA key are planned
// with their own schemes.
func TestOtherKinds(t *testing.T) {
	for token, scheme := range map[string]string{"c-p384": "ecdsa-sha2-nistp384", "c-rsa2048": "rsassa-pss-sha256"} {
		files := keys(t)
		files["keys/3.pem"] = ceremonytest.PEM(t, token)
		r := people()
		if err := r.LoadKeys(files); err != nil {
			t.Fatal(err)
		}
		if planned, _ := r.Token("new"); planned.Key.Scheme != scheme || planned.Key.Fingerprint() != ceremonytest.Object(t, token).Fingerprint() {
			t.Errorf("planned as %+v", planned.Key)
		}
	}
}

// A PIV URI says which device and which slot; other URIs say neither here.
func TestDeviceURI(t *testing.T) {
	for _, row := range []struct{ uri, planned, serial, slot string }{
		{"piv:serial=14470876;slot=9c", "", "14470876", "9c"},
		{"piv:slot=9C;serial=14470876", "", "14470876", "9c"},
		{"piv:slot=82", "77", "77", "82"},
		{"piv:serial=14470876;slot=9c?reader=x;slot=9a", "", "14470876", "9c"},
		{"piv:", "", "", ""},
		{"pkcs11:serial=5;slot=9c", "77", "77", ""},
		{"pkcs11:serial=5", "", "", ""},
		{"", "", "", ""},
	} {
		token := &roster.Token{URI: row.uri, Serial: row.planned}
		if token.DeviceSerial() != row.serial || token.Slot() != row.slot || token.OnPIV() != strings.HasPrefix(row.uri, "piv:") {
			t.Errorf("%q: serial %q, slot %q", row.uri, token.DeviceSerial(), token.Slot())
		}
	}
}

// The short form has the first 16 digits, and no more.
func TestShort(t *testing.T) {
	digits := strings.Repeat("0123456789abcdef", 4)
	have := strings.Map(func(r rune) rune {
		if strings.ContainsRune(digits, r) {
			return r
		}
		return -1
	}, roster.Short(digits))
	if have != digits[:16] {
		t.Errorf("%s is %s", roster.Short(digits), have)
	}
}
