// Package ceremonytest has a small repository for the tests of the stages: six
// holders and an online key, a genesis, and the rotation after it.
//
//	c := ceremonytest.Genesis(t)
//	c.Draft()
//	c.Sign("holder-1", "holder-2", "holder-3")
//	files := c.Seal()
//
// Keys are made from the names of tokens and signatures are deterministic, so
// everything comes out the same each time, and nothing of it is a secret.
//
// Tests that lie change Files between the steps, and sign with Force what no
// review would approve. Only tests import the package; a test holds that.
package ceremonytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/draft"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
)

// Ceremony is a ceremony folder in memory.
type Ceremony struct {
	Plan  *plan.Plan
	Files folder.Files
	t     testing.TB
}

// Now lies in the signing window of every plan here.
var Now = time.Date(2027, 1, 12, 9, 0, 0, 0, time.UTC)

// Start makes a folder with the plan, the keys that it names, and what is
// trusted beforehand.
func Start(t testing.TB, p *plan.Plan, trusted folder.Files) *Ceremony {
	t.Helper()
	c := &Ceremony{p, folder.Files{folder.Plan: p.Text()}, t}
	maps.Copy(c.Files, trusted)
	for _, token := range p.Roster.Tokens() {
		c.Files[token.KeyFile] = PEM(t, token.Name)
	}
	return c
}

// In goes on in a folder that is there already.
func In(t testing.TB, files folder.Files) *Ceremony { return &Ceremony{Files: files, t: t} }

// Draft makes the payloads and puts them on record.
func (c *Ceremony) Draft() {
	c.t.Helper()
	c.Payloads()
	c.Record()
}

// Payloads makes the payloads.
func (c *Ceremony) Payloads() {
	c.t.Helper()
	p, err := plan.Parse(c.Files[folder.Plan])
	c.must(err)
	c.must(p.Roster.LoadKeys(c.Files))
	c.must(p.LoadLists(c.Files))
	c.must(p.CheckExternals(c.Files))
	payloads, err := draft.Payloads(p, c.Files)
	c.must(err)
	maps.Copy(c.Files, payloads)
}

// Record writes into the record that the folder was drafted as it is now.
func (c *Ceremony) Record() {
	c.t.Helper()
	c.Append(record.Line{Act: "draft", Event: c.Files.Event().String()})
}

// Append adds a line to the record.
func (c *Ceremony) Append(l record.Line) {
	c.t.Helper()
	l.At = Now.Format(tufmeta.TimeFormat)
	l.Binary = record.Binary{Version: "test", SHA256: tufmeta.Digest(nil)}
	dir, sitting := c.t.TempDir(), record.Sitting("test")
	name := folder.Record + "/" + sitting + ".jsonl"
	file := filepath.Join(dir, filepath.FromSlash(name))
	c.must(os.Mkdir(filepath.Dir(file), 0o755))
	c.must(os.WriteFile(file, c.Files[name], 0o644))
	c.must(record.Append(dir, sitting, l))
	data, err := os.ReadFile(file)
	c.must(err)
	c.Files[name] = data
}

// Sign has tokens sign all that they can, after a review that approves.
func (c *Ceremony) Sign(tokens ...string) {
	c.t.Helper()
	report, err := review.Review(c.Files)
	c.must(err)
	approval, err := report.Approve(report.Event.Words(), Now)
	c.must(err)
	for _, token := range tokens {
		for _, d := range report.Demands {
			for _, m := range d.Members(&report.Plan.Roster) {
				if m.Token == nil || m.Token.Name != token {
					continue
				}
				key := Key(c.t, token)
				files, err := sign.Sign(approval, d.Payload, m.KeyIDs, key.Public(), Signer{key})
				c.must(err)
				for _, f := range files {
					c.Files[f.Name()] = f.Encode()
				}
				c.Append(record.Line{Act: "sign", Event: report.Event.String(), Role: d.Payload.Role, Version: d.Payload.Version, Token: token, KeyIDs: m.KeyIDs})
			}
		}
	}
}

// Force signs a payload with a token's key under a key ID, whatever a review
// would say: what holders could do who do not look, or will not.
func (c *Ceremony) Force(payload folder.Version, token, keyID string) {
	c.t.Helper()
	data := c.Files[folder.Payload+"/"+payload.File()]
	f := sign.File{Event: c.Files.Event().String(), KeyID: keyID, Payload: tufmeta.Digest(data),
		Role: payload.Role, Sig: hex.EncodeToString(Signature(c.t, token, data)), Version: payload.Version}
	c.Files[f.Name()] = f.Encode()
}

// Seal gives what goes into a bundle: the folder, with the payloads in their
// envelopes.
func (c *Ceremony) Seal() folder.Files {
	c.t.Helper()
	collection, err := assemble.Collect(c.Files)
	c.must(err)
	metadata, err := collection.Envelopes()
	c.must(err)
	sealed := maps.Clone(c.Files)
	for _, name := range c.Files.Names(folder.Payload) {
		delete(sealed, name)
	}
	maps.Copy(sealed, metadata)
	return sealed
}

// Edit changes a payload and writes it canonically again.
func (c *Ceremony) Edit(payload string, change func(signed map[string]any)) {
	c.t.Helper()
	name := folder.Payload + "/" + payload
	signed, err := tufmeta.ParseSigned(c.Files[name])
	c.must(err)
	change(signed)
	c.Files[name], err = tufmeta.Encode(signed)
	c.must(err)
}

func (c *Ceremony) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// Key makes the private key of a token from its name: on P-384 or RSA where the
// name ends so, "holder-2-p384", "holder-2-rsa3072", else on P-256.
func Key(t testing.TB, token string) crypto.Signer {
	t.Helper()
	if strings.HasSuffix(token, "p384") {
		seed := sha512.Sum384([]byte("key of " + token))
		return raw(t, elliptic.P384(), seed[:])
	}
	seed := sha256.Sum256([]byte("key of " + token))
	if _, bits, ok := strings.Cut(token, "-rsa"); ok {
		return rsaKey(t, bits, seed)
	}
	return raw(t, elliptic.P256(), seed[:])
}

func raw(t testing.TB, curve elliptic.Curve, scalar []byte) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(curve, scalar)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// PEM gives the public key of a token as keys/ has it.
func PEM(t testing.TB, token string) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(Key(t, token).Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Object gives the key object of a token as metadata lists it.
func Object(t testing.TB, token string) *tufmeta.Key {
	t.Helper()
	key, err := tufmeta.NewKey(Key(t, token).Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Signature signs data with a token's key.
func Signature(t testing.TB, token string, data []byte) []byte {
	t.Helper()
	sig, err := Object(t, token).Sign(nil, data, Signer{Key(t, token)})
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// Signer signs the same digest to the same bytes each time: RFC 6979 has ECDSA
// do so, and the salt of RSA-PSS is drawn from the digest.
type Signer struct{ crypto.Signer }

// Sign passes over the randomness that it is given.
func (s Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, ok := opts.(*rsa.PSSOptions); ok {
		return s.Signer.Sign(rand.NewChaCha8(sha256.Sum256(digest)), digest, opts)
	}
	return s.Signer.Sign(nil, digest, opts)
}
