package virtual

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// RootName is the subject of the root of all virtual cards' attestations. Its
// key is public knowledge on purpose: whoever trusts this root trusts anybody,
// which no rehearsal can be mistaken for.
const RootName = "Ceremony Rehearsal PIV Root - NOT YUBICO"

// rootSeed gives the root's private key: the scalar is its SHA-256.
const rootSeed = "ceremony rehearsal PIV root, not a secret"

var (
	attestationName = pkix.Name{CommonName: "Ceremony Rehearsal PIV Attestation"}
	rootNotBefore   = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	rootNotAfter    = time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC)
)

var (
	oidFirmware         = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 3}
	oidSerial           = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 7}
	oidPolicies         = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}
	oidForm             = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 9}
	oidFIPS             = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 10}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
)

func rootKey() (*ecdsa.PrivateKey, error) {
	scalar := sha256.Sum256([]byte(rootSeed))
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
}

// makeAttestationKey gives the card what the factory gives it: a key in slot
// f9, and the root's certificate over it. As on devices, the certificates have
// neither key identifiers nor a key usage.
func (p *pivApplet) makeAttestationKey() error {
	algorithm := byte(algorithmP256)
	if p.version.atLeast(5, 7) {
		algorithm = algorithmP384
	}
	private, err := generateKey(algorithm)
	if err != nil {
		return fmt.Errorf("generating the attestation key: %w", err)
	}
	device := &key{algorithm: algorithm, private: private, pin: pinNever, touch: touchNever}
	root, err := rootKey()
	if err != nil {
		return fmt.Errorf("deriving the rehearsal root's key: %w", err)
	}
	extensions := []pkix.Extension{raw(oidFirmware, p.version[:])}
	if p.config.FIPS {
		extensions = append(extensions, raw(oidFIPS, []byte{2, 1, 7})) // a DER integer
	}
	// CA, with no CA below.
	extensions = append(extensions, pkix.Extension{Id: oidBasicConstraints, Critical: true,
		Value: []byte{0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00}})
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: RootName}}
	template := &x509.Certificate{Subject: attestationName, NotBefore: rootNotBefore, NotAfter: rootNotAfter,
		ExtraExtensions: extensions}
	der, err := certify(template, parent, device.publicKey(), root)
	if err != nil {
		return fmt.Errorf("signing the attestation certificate: %w", err)
	}
	p.keys[slotAttestation] = device
	p.objects[objectAttestation] = certificateObject(der)
	return nil
}

// certify signs a certificate with a random serial number of 16 bytes.
func certify(template, parent *x509.Certificate, public crypto.PublicKey, private crypto.PrivateKey) ([]byte, error) {
	serial := randomBytes(16)
	serial[0] = serial[0]&0x7f | 0x01
	template.SerialNumber = new(big.Int).SetBytes(serial)
	if _, isECDSA := private.(*ecdsa.PrivateKey); isECDSA {
		template.SignatureAlgorithm = x509.ECDSAWithSHA256 // whatever the curve
	}
	return x509.CreateCertificate(rand.Reader, template, parent, public, private)
}

func raw(oid asn1.ObjectIdentifier, value []byte) pkix.Extension {
	return pkix.Extension{Id: oid, Value: value}
}

// certificateObject is a certificate as data objects hold it: not compressed,
// and an empty check code.
func certificateObject(der []byte) []byte {
	out := encodeTLV(0x70, der)
	out = append(out, encodeTLV(0x71, []byte{0})...)
	return append(out, encodeTLV(0xfe)...)
}

// attest is ATTEST: a certificate over the key in a slot, signed by the one in
// f9, for keys that were generated on the card. No challenge goes into it, so
// it does not show when it was made.
func (p *pivApplet) attest(c command) ([]byte, status) {
	if c.p2 != 0 || !isKeySlot(c.p1) {
		return nil, wrongParameters
	}
	k, found := p.keys[c.p1]
	if !found || k.imported || c.p1 == slotAttestation {
		return nil, wrongData
	}
	device, err := p.attestationCertificate()
	if err != nil {
		return nil, wrongData
	}
	serial, err := asn1.Marshal(int64(p.config.serial()))
	if err != nil {
		return nil, noDiagnosis
	}
	extensions := []pkix.Extension{
		raw(oidFirmware, p.version[:]),
		raw(oidSerial, serial),
		raw(oidPolicies, []byte{k.pin, k.touch}),
	}
	if p.version.atLeast(5, 0) {
		extensions = append(extensions, raw(oidForm, []byte{p.config.formFactor()}))
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: fmt.Sprintf("YubiKey PIV Attestation %02x", c.p1)},
		NotBefore: device.NotBefore, NotAfter: device.NotAfter, ExtraExtensions: extensions,
	}
	parent := &x509.Certificate{RawSubject: device.RawSubject}
	der, err := certify(template, parent, k.publicKey(), p.keys[slotAttestation].private)
	if err != nil {
		return nil, noDiagnosis
	}
	return der, ok
}

// attestationCertificate reads what is in f9 now: people may put their own
// key and certificate there.
func (p *pivApplet) attestationCertificate() (*x509.Certificate, error) {
	fields, _ := parseTLV(p.objects[objectAttestation])
	return x509.ParseCertificate(field(fields, 0x70))
}
