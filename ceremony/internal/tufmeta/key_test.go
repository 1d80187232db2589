package tufmeta_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/tufmeta"
)

type object = map[string]any

// The key IDs of all published roots are those of their key objects, but for
// the one in root 11.
func TestKeyIDsOfSigstore(t *testing.T) {
	const odd = "7247f0dbad85b147e1863bade761243cc785dcb7aa410e7105dd3d2b61a36d2c"
	keys, hexPoints := 0, 0
	for n := 1; n <= 12; n++ {
		env, err := tufmeta.ParseEnvelope(ceremonytest.Read(t, fmt.Sprintf("sigstore/root/%d.root.json", n)))
		if err != nil {
			t.Fatal(err)
		}
		root, err := tufmeta.ParseRoot(env.Signed)
		if err != nil {
			t.Fatal(err)
		}
		for id, key := range root.Keys {
			keys++
			if key.Err != nil || key.ID != id || key.IDMatches() == (n == 11 && id == odd) {
				t.Errorf("root %d: key %s: matches %t, %v", n, id, key.IDMatches(), key.Err)
			}
			if !strings.HasPrefix(key.Object["keyval"].(object)["public"].(string), "-----BEGIN") {
				hexPoints++
			}
			if standard := n >= 9; key.Standard() != standard {
				t.Errorf("root %d: key %s is standard: %t", n, id, key.Standard())
			}
		}
		if odd := root.Keys[odd]; n == 11 {
			if id, err := tufmeta.KeyID(odd.Object); id != "0c87432c3bf09fd99189fdc32fa5eaedf4e4a5fac7bab73fa04a2e0fc64af6f5" || err != nil {
				t.Errorf("the odd key has the key ID %s, %v", id, err)
			}
		}
	}
	if keys != 79 || hexPoints != 5+7+7+7 {
		t.Errorf("%d keys, %d of them hex", keys, hexPoints)
	}
}

// One key in two encodings is one key, with two key IDs.
func TestOneKeyTwoEncodings(t *testing.T) {
	private := ceremonytest.Key(t, "holder-1")
	point, err := private.Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	old := tufmeta.ParseKey("old", object{"keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256", "keyval": object{"public": hex.EncodeToString(point)}})
	now := ceremonytest.Object(t, "holder-1")
	fingerprint, err := tufmeta.Fingerprint(private.Public())
	if err != nil || old.Err != nil || old.Fingerprint() != fingerprint || now.Fingerprint() != fingerprint {
		t.Errorf("fingerprints %s, %s, %s (%v, %v)", old.Fingerprint(), now.Fingerprint(), fingerprint, err, old.Err)
	}
	if id, _ := tufmeta.KeyID(old.Object); id == now.ID || old.Standard() || !now.Standard() || !now.IDMatches() || old.IDMatches() {
		t.Errorf("key IDs %s and %s", id, now.ID)
	}
	sig := ceremonytest.Signature(t, "holder-1", []byte("text"))
	if old.Verify([]byte("text"), sig) != nil || now.Verify([]byte("text"), sig) != nil {
		t.Error("a good signature is refused")
	}
	if now.Verify([]byte("text."), sig) == nil || now.Verify([]byte("text"), sig[:len(sig)-1]) == nil || now.Verify([]byte("text"), nil) == nil {
		t.Error("a signature of something else is accepted")
	}
}

// A field that nobody knows is part of the key ID.
func TestKeyIDCoversAllFields(t *testing.T) {
	key := ceremonytest.Object(t, "holder-1")
	copied := object{"x-other": "value"}
	for name, v := range key.Object {
		copied[name] = v
	}
	other, err := tufmeta.WithID(copied)
	if err != nil || other.ID == key.ID || other.Fingerprint() != key.Fingerprint() || !other.IDMatches() {
		t.Errorf("key ID %s and %s, %v", other.ID, key.ID, err)
	}
}

func TestSchemes(t *testing.T) {
	payload := []byte("payload")
	sum256, sum384 := sha256.Sum256(payload), sha512.Sum384(payload)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	sig384, err := p384.Sign(rand.Reader, sum384[:], crypto.SHA384)
	must(t, err)
	sig384of256, err := p384.Sign(rand.Reader, sum256[:], crypto.SHA256)
	must(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	pss, err := rsaKey.Sign(rand.Reader, sum256[:], &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256})
	must(t, err)
	pkcs1, err := rsaKey.Sign(rand.Reader, sum256[:], crypto.SHA256)
	must(t, err)
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	for _, row := range []struct {
		name, keytype, scheme, public string
		good, bad                     []byte
		portable                      bool
	}{
		{"P-384", "ecdsa", "ecdsa-sha2-nistp384", pemOf(t, p384.Public()), sig384, sig384of256, false},
		{"P-384 of earlier tools", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", pemOf(t, p384.Public()), sig384, sig384of256, false},
		{"RSA-PSS", "rsa", "rsassa-pss-sha256", pemOf(t, rsaKey.Public()), pss, pkcs1, true},
		{"ed25519", "ed25519", "ed25519", hex.EncodeToString(edPublic), ed25519.Sign(edKey, payload), ed25519.Sign(edKey, sum256[:]), true},
	} {
		key := tufmeta.ParseKey("id", object{"keytype": row.keytype, "scheme": row.scheme, "keyval": object{"public": row.public}})
		if key.Err != nil || key.Portable() != row.portable {
			t.Errorf("%s: portable %t, %v", row.name, key.Portable(), key.Err)
		}
		if err := key.Verify(payload, row.good); err != nil {
			t.Errorf("%s: a good signature: %v", row.name, err)
		}
		if key.Verify(payload, row.bad) == nil {
			t.Errorf("%s: a signature of another scheme is accepted", row.name)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	p256, rsaPublic := string(ceremonytest.PEM(t, "holder-1")), pemOf(t, small.Public())
	for _, row := range []struct{ name, keytype, scheme, public, want string }{
		{"RSA of 1024 bits", "rsa", "rsassa-pss-sha256", rsaPublic, "1024 bits is too weak"},
		{"RSA under another key type", "ecdsa", "rsassa-pss-sha256", rsaPublic, "not RSA"},
		{"P-256 as RSA", "rsa", "rsassa-pss-sha256", p256, "not RSA"},
		{"P-256 under the scheme of P-384", "ecdsa", "ecdsa-sha2-nistp384", p256, "not on P-384"},
		{"P-384 under the scheme of P-256", "ecdsa", "ecdsa-sha2-nistp256", pemOf(t, p384.Public()), "not on P-256"},
		{"ECDSA under another key type", "rsa", "ecdsa-sha2-nistp256", p256, `key type "rsa"`},
		{"a point off the curve", "ecdsa", "ecdsa-sha2-nistp256", "04" + strings.Repeat("11", 64), "not a point on P-256"},
		{"a short point", "ecdsa", "ecdsa-sha2-nistp256", "0411", "not a point on P-256"},
		{"a compressed point", "ecdsa", "ecdsa-sha2-nistp256", "02" + strings.Repeat("11", 32), "not a point on P-256"},
		{"nothing", "ecdsa", "ecdsa-sha2-nistp256", "", "not a point on P-256"},
		{"no PEM", "ecdsa", "ecdsa-sha2-nistp256", "public key", "no PEM block"},
		{"another PEM block", "ecdsa", "ecdsa-sha2-nistp256", strings.ReplaceAll(p256, "PUBLIC", "PRIVATE"), "it is a PRIVATE key"},
		{"two PEM blocks", "ecdsa", "ecdsa-sha2-nistp256", p256 + p256, "text follows"},
		{"text after the PEM block", "ecdsa", "ecdsa-sha2-nistp256", p256 + "x", "text follows"},
		{"a short ed25519 key", "ed25519", "ed25519", "00ff", "32 bytes in hex"},
		{"ed25519 under another key type", "ecdsa", "ed25519", strings.Repeat("00", 32), "32 bytes in hex"},
		{"a scheme nobody knows", "sphincs", "sphincs\x1b[2J", "00", `u001b[2J`},
	} {
		key := tufmeta.ParseKey("id", object{"keytype": row.keytype, "scheme": row.scheme, "keyval": object{"public": row.public}})
		if key.Err == nil || !strings.Contains(key.Err.Error(), row.want) || key.Public != nil || key.Fingerprint() != "" {
			t.Errorf("%s: %v, want %q", row.name, key.Err, row.want)
		}
		if key.Verify([]byte("payload"), []byte("sig")) == nil || key.Portable() || key.Standard() {
			t.Errorf("%s: it can be used all the same", row.name)
		}
	}
	for name, o := range map[string]object{"nothing": {}, "no keyval": {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256"},
		"keyval of another kind": {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": "x"}, "scheme of another kind": {"scheme": int64(1)}} {
		if key := tufmeta.ParseKey("id", o); key.Err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func pemOf(t *testing.T, public crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Others may sign with Ed25519, which no holder can be planned with, and as the
// clients read it.
func TestListedKeys(t *testing.T) {
	public := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public()
	if _, err := tufmeta.NewKey(public); err == nil {
		t.Error("an Ed25519 key can be planned")
	}
	key, err := tufmeta.NewListedKey(public)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := tufmeta.Encode(key.Object)
	if want := `{"keytype":"ed25519","keyval":{"public":"3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"},"scheme":"ed25519"}`; err != nil || string(canonical) != want {
		t.Errorf("it is written as %s, %v", canonical, err)
	}
	if key.ID != tufmeta.Digest(canonical) || !key.Portable() || key.Weak() != nil {
		t.Errorf("%+v", key)
	}
	for _, other := range []crypto.PublicKey{ed25519.PublicKey{1, 2}, nil, "a key"} {
		if _, err := tufmeta.NewListedKey(other); err == nil {
			t.Errorf("%v is listed", other)
		}
	}
	same, err := tufmeta.NewListedKey(ceremonytest.Key(t, "holder-1").Public())
	if own, _ := tufmeta.NewKey(ceremonytest.Key(t, "holder-1").Public()); err != nil || same.ID != own.ID {
		t.Errorf("a key on P-256 has two IDs: %v", err)
	}
}
