package tufmeta_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/tufmeta"
)

// What is newly written has the scheme of its key, and what a device is asked
// to sign is hashed as the scheme says.
func TestNewKey(t *testing.T) {
	payload := []byte("payload")
	for _, row := range []struct {
		token, keytype, scheme string
		hash                   crypto.Hash
		portable               bool
	}{
		{"a", "ecdsa", "ecdsa-sha2-nistp256", crypto.SHA256, true},
		{"a-p384", "ecdsa", "ecdsa-sha2-nistp384", crypto.SHA384, false},
		{"a-rsa2048", "rsa", "rsassa-pss-sha256", crypto.SHA256, true},
		{"a-rsa3072", "rsa", "rsassa-pss-sha256", crypto.SHA256, true},
		{"a-rsa4096", "rsa", "rsassa-pss-sha256", crypto.SHA256, true},
	} {
		private := ceremonytest.Key(t, row.token)
		key, err := tufmeta.NewKey(private.Public())
		must(t, err)
		if key.Type != row.keytype || key.Scheme != row.scheme || !key.Standard() || !key.IDMatches() || key.Portable() != row.portable || key.Weak() != nil {
			t.Errorf("%s: %+v", row.token, key)
		}
		asked := &digester{Signer: private}
		sig, err := key.Sign(rand.Reader, payload, asked)
		if err != nil || asked.opts.HashFunc() != row.hash || len(asked.digest) != row.hash.Size() {
			t.Errorf("%s: asked to sign %d bytes of %v, %v", row.token, len(asked.digest), asked.opts, err)
		}
		if err := key.Verify(payload, sig); err != nil {
			t.Errorf("%s: %v", row.token, err)
		}
	}
}

// digester is a device that is given digests.
type digester struct {
	crypto.Signer
	digest []byte
	opts   crypto.SignerOpts
}

func (d *digester) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	d.digest, d.opts = digest, opts
	return d.Signer.Sign(random, digest, opts)
}

// messenger is a device that hashes by itself, and refuses digests.
type messenger struct{ digester }

func (m *messenger) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("it takes no digest")
}

func (m *messenger) SignMessage(random io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	sum := sha256.Sum256(message)
	return m.digester.Sign(random, sum[:], opts)
}

// The salt is as long as the digest, whoever hashes: a verifier that wants it
// so, as the devices' own tools do, takes the signature.
func TestPSSSalt(t *testing.T) {
	payload := []byte("payload")
	sum := sha256.Sum256(payload)
	private := ceremonytest.Key(t, "a-rsa2048")
	for name, signer := range map[string]crypto.Signer{"digest": &digester{Signer: private}, "message": &messenger{digester{Signer: private}}} {
		sig, err := ceremonytest.Object(t, "a-rsa2048").Sign(rand.Reader, payload, signer)
		must(t, err)
		if err := rsa.VerifyPSS(private.Public().(*rsa.PublicKey), crypto.SHA256, sum[:], sig, &rsa.PSSOptions{SaltLength: 32}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func rsaPublic(bits uint, exponent int) *rsa.PublicKey {
	n := new(big.Int).SetBit(big.NewInt(1), int(bits)-1, 1)
	return &rsa.PublicKey{N: n, E: exponent}
}

func TestNewKeyRefuses(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(t, err)
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	even := rsaPublic(2048, 65537)
	even.N.SetBit(even.N, 0, 0)
	for _, row := range []struct {
		name   string
		public crypto.PublicKey
		want   string
		weak   bool
	}{
		{"nothing", nil, "it is a key of another kind: ECDSA on P-256 and RSA can be planned", false},
		{"no ECDSA key", (*ecdsa.PublicKey)(nil), "a key of another kind", false},
		{"an empty ECDSA key", &ecdsa.PublicKey{}, "a key of another kind", false},
		{"no RSA key", (*rsa.PublicKey)(nil), "a key of another kind", false},
		{"an empty RSA key", &rsa.PublicKey{}, "a key of another kind", false},
		{"P-224", p224.Public(), "it is an ECDSA key on P-224", false},
		{"Ed25519", edwards, "it is an Ed25519 key, which would have a device take the whole file", false},
		{"RSA-1024", rsaPublic(1024, 65537), "an RSA key of 1024 bits is too weak: 2048 to 8192 are accepted", true},
		{"RSA-2047", rsaPublic(2047, 65537), "2047 bits is too weak", true},
		{"RSA-8200", rsaPublic(8200, 65537), "an RSA key of 8200 bits is too large", false},
		{"an even modulus", even, "an even modulus is too weak", true},
	} {
		key, err := tufmeta.NewKey(row.public)
		if err == nil || key != nil || !strings.Contains(err.Error(), row.want) || errors.Is(err, tufmeta.ErrWeak) != row.weak {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

// An exponent that is weak counts where it is published, as it does with
// clients, and can be named in a plan, to sign its own replacement; a short
// modulus counts nowhere.
func TestPublishedWeakKeys(t *testing.T) {
	for _, row := range []struct {
		public *rsa.PublicKey
		usable bool
	}{{rsaPublic(2048, 3), true}, {rsaPublic(2048, 65535), true}, {rsaPublic(2048, 65538), true}, {rsaPublic(2048, 1<<31+1), true}, {rsaPublic(1024, 65537), false}} {
		key := tufmeta.ParseKey("id", object{"keytype": "rsa", "scheme": "rsassa-pss-sha256", "keyval": object{"public": pemOf(t, row.public)}})
		if !errors.Is(key.Weak(), tufmeta.ErrWeak) || (key.Err == nil) != row.usable {
			t.Errorf("%d bits, exponent %d: %v, %v", row.public.N.BitLen(), row.public.E, key.Weak(), key.Err)
		}
		if _, err := tufmeta.NewKey(row.public); (err == nil) != row.usable {
			t.Errorf("%d bits, exponent %d: as a new key: %v", row.public.N.BitLen(), row.public.E, err)
		}
	}
}

// Nothing is asked to sign for a key that nothing here signs with.
func TestSignRefuses(t *testing.T) {
	for name, key := range map[string]*tufmeta.Key{
		"ed25519":    tufmeta.ParseKey("id", object{"keytype": "ed25519", "scheme": "ed25519", "keyval": object{"public": strings.Repeat("00", 32)}}),
		"unreadable": tufmeta.ParseKey("id", object{"keytype": "sphincs"}),
	} {
		asked := &digester{Signer: ceremonytest.Key(t, "a")}
		if sig, err := key.Sign(rand.Reader, []byte("payload"), asked); err == nil || sig != nil || asked.digest != nil {
			t.Errorf("%s: %x, %v", name, sig, err)
		}
	}
}

var planned = []string{"a", "a-rsa2048", "a-rsa3072", "a-rsa4096"}

// go-tuf makes the same key object of a key, and so the same key ID.
func TestKeyIDAsGoTUF(t *testing.T) {
	for _, token := range planned {
		theirs, err := metadata.KeyFromPublicKey(ceremonytest.Key(t, token).Public())
		must(t, err)
		id, err := theirs.ID()
		must(t, err)
		if have := ceremonytest.Object(t, token).ID; have != id {
			t.Errorf("%s: key ID %s, and go-tuf says %s", token, have, id)
		}
	}
}

// So does securesystemslib, from the PEM file as it lies in keys/, and each
// verifies what the other signs.
func TestKeyIDAsPython(t *testing.T) {
	python, err := filepath.Abs("../../../.peers/python/bin/python")
	must(t, err)
	if _, err := os.Stat(python); err != nil {
		t.Skip("python-tuf is not there; scripts/test installs it")
	}
	const script = `
import json, sys
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import SSlibKey, Signature
text, sig = json.load(sys.stdin)
key = SSlibKey.from_crypto(load_pem_public_key(text.encode()))
key.verify_signature(Signature(key.keyid, sig), b"payload")
print(json.dumps([key.keyid, key.to_dict()]))
`
	for _, token := range planned {
		ours := ceremonytest.Object(t, token)
		in, err := json.Marshal([]string{string(ceremonytest.PEM(t, token)), hex.EncodeToString(ceremonytest.Signature(t, token, []byte("payload")))})
		must(t, err)
		c := exec.Command(python, "-c", script)
		c.Stdin, c.Stderr = strings.NewReader(string(in)), t.Output()
		out, err := c.Output()
		must(t, err)
		want, err := json.Marshal([]any{ours.ID, ours.Object})
		must(t, err)
		var have, same any
		must(t, json.Unmarshal(out, &have))
		must(t, json.Unmarshal(want, &same))
		if h, s := sorted(t, have), sorted(t, same); h != s {
			t.Errorf("%s: %s, and securesystemslib says %s", token, s, h)
		}
	}
}

// sorted writes a value with the members of its objects in one order.
func sorted(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return string(text)
}
