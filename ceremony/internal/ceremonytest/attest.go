package ceremonytest

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tufceremony/ceremony/internal/plan"
)

// Card is what a device says of itself and of a key, as its attestation has it.
type Card struct {
	Serial     uint32
	Slot       string
	Firmware   [3]byte
	PIN, Touch byte // 1 never, 2 once, 3 always; 1 never, 2 always, 3 cached
	Form       byte // 1 usb-a-keychain … 4 usb-c-nano
	FIPS       bool
	Without    []int // extensions that are left out: 3 firmware, 7 serial, 8 policies, 9 form
}

// YubiKey is a card as a careful holder has it.
func YubiKey(serial uint32) Card {
	return Card{Serial: serial, Slot: "9c", Firmware: [3]byte{5, 7, 1}, PIN: 3, Touch: 2, Form: 1}
}

// Maker certifies devices.
type Maker struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// Rehearsals is the maker of the rehearsals' cards, whose key everybody has.
func Rehearsals(t testing.TB) Maker {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository(t), "hsm", "attest", "certs", "rehearsal.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	seed := sha256.Sum256([]byte("ceremony rehearsal PIV root, not a secret"))
	return Maker{certificate, raw(t, elliptic.P256(), seed[:])}
}

// NewMaker is a maker that a plan may trust by naming its certificate.
func NewMaker(t testing.TB, name string) Maker {
	t.Helper()
	m := Maker{key: Key(t, "maker "+name)}
	m.certificate = m.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign}, m.key.Public())
	return m
}

// PEM is the maker's certificate.
func (m Maker) PEM() []byte { return certificatePEM(m.certificate) }

// Evidence is what a card attests of a key: the slot's certificate, and the
// card's own, which the maker has certified.
func (m Maker) Evidence(t testing.TB, public crypto.PublicKey, c Card) []byte {
	t.Helper()
	return m.evidence(t, public, c, m)
}

// Forged is the same from a card that has certified itself, under the name of
// the maker.
func (m Maker) Forged(t testing.TB, public crypto.PublicKey, c Card) []byte {
	t.Helper()
	return m.evidence(t, public, c, m.impostor(t))
}

// impostor certifies under the maker's name, with a key of its own.
func (m Maker) impostor(t testing.TB) Maker {
	t.Helper()
	name := *m.certificate
	name.PublicKey = nil // which would not fit
	return Maker{&name, Key(t, "forger")}
}

func (m Maker) evidence(t testing.TB, public crypto.PublicKey, c Card, certifier Maker) []byte {
	t.Helper()
	card := Maker{key: Key(t, fmt.Sprintf("card %d", c.Serial))}
	own := &x509.Certificate{Subject: pkix.Name{CommonName: "Yubico PIV Attestation"}, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		ExtraExtensions: []pkix.Extension{extension(3, c.Firmware[:])}}
	if c.FIPS {
		own.ExtraExtensions = append(own.ExtraExtensions, extension(10, []byte{1}))
	}
	card.certificate = certifier.issue(t, own, card.key.Public())
	serial, err := asn1.Marshal(int64(c.Serial))
	if err != nil {
		t.Fatal(err)
	}
	slot := &x509.Certificate{Subject: pkix.Name{CommonName: "YubiKey PIV Attestation " + c.Slot}}
	for _, e := range []struct {
		id    int
		value []byte
	}{{3, c.Firmware[:]}, {7, serial}, {8, []byte{c.PIN, c.Touch}}, {9, []byte{c.Form}}} {
		if !slices.Contains(c.Without, e.id) {
			slot.ExtraExtensions = append(slot.ExtraExtensions, extension(e.id, e.value))
		}
	}
	return append(certificatePEM(card.issue(t, slot, public)), card.PEM()...)
}

func extension(id int, value []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, id}, Value: value}
}

// issue signs a certificate. One that has no maker signs itself.
func (m Maker) issue(t testing.TB, c *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(7), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2052, 1, 1, 0, 0, 0, 0, time.UTC)
	parent := m.certificate
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(nil, c, parent, public, Signer{m.key})
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// Leaf is the first certificate of evidence, Rest what follows it.
func Leaf(evidence []byte) []byte { return evidence[:len(evidence)-len(Rest(evidence))] }

// Rest is evidence without its first certificate.
func Rest(evidence []byte) []byte {
	_, rest := pem.Decode(evidence)
	return bytes.Clone(rest)
}

// Attested makes a genesis of YubiKeys: each holder's key is in slot 9c of the
// device with the plan's serial, and what it attests lies beside it. The maker
// is one whom the plan trusts by name; in a rehearsal it is the rehearsals'.
func Attested(t testing.TB, rehearsal bool) *Ceremony {
	t.Helper()
	p := GenesisPlan()
	p.Rehearsal = rehearsal
	p.Policy = &plan.Policy{Attestation: plan.Required, Firmware: "5.7.0", PIN: "always", Touch: "always"}
	maker := Rehearsals(t)
	if !rehearsal {
		p.Policy.Roots = "keys/makers.pem"
		maker = NewMaker(t, "Example Maker Root")
	}
	for i, h := range p.Roster.Holders {
		token := h.Tokens[0]
		token.URI = fmt.Sprintf("piv:serial=%d;slot=9c", 1001+i)
		token.EvidenceFile = "keys/" + token.Name + ".attestation.pem"
	}
	c := Start(t, p, nil)
	if !rehearsal {
		c.Files[p.Policy.Roots] = maker.PEM()
	}
	for i, h := range p.Roster.Holders {
		token := h.Tokens[0]
		c.Files[token.EvidenceFile] = maker.Evidence(t, Key(t, token.Name).Public(), YubiKey(uint32(1001+i)))
	}
	return c
}
