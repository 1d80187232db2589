package tufmeta

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512" // SHA-384, for keys on P-384
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"tufceremony/ceremony/internal/spool"
)

// Key is a public key as a metadata file lists it.
type Key struct {
	ID     string // as it is listed, which need not be right
	Object map[string]any
	Type   string
	Scheme string
	Public crypto.PublicKey // nil where Err is set
	Err    error            // why the key cannot be used

	fingerprint string
}

// ParseKey reads one key object. A key that cannot be used is no error of the
// file: clients skip it, so Err says why and Verify refuses.
func ParseKey(id string, object map[string]any) *Key {
	k := &Key{ID: id, Object: object}
	k.Type, _ = object["keytype"].(string)
	k.Scheme, _ = object["scheme"].(string)
	value, _ := object["keyval"].(map[string]any)
	text, _ := value["public"].(string)
	k.Public, k.Err = parsePublic(k.Type, k.Scheme, text)
	if k.Err == nil {
		k.fingerprint, k.Err = Fingerprint(k.Public)
	}
	return k
}

// NewKey makes the key object that this project writes for a public key: the
// key type and scheme of its kind, and the key as PEM SubjectPublicKeyInfo.
// P-384 is written for devices that have such a key already; not every client
// verifies it (see Portable). The error says what other keys are, and of an RSA
// key that is too short it is an ErrWeak.
func NewKey(public crypto.PublicKey) (*Key, error) {
	s, err := schemeOf(public)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("making a TUF key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return WithID(map[string]any{
		"keytype": s.keytype,
		"scheme":  s.name,
		"keyval":  map[string]any{"public": string(text)},
	})
}

// NewListedKey makes the key object of a key that others sign with, elsewhere and
// on machines of their own: any that NewKey takes, and Ed25519 besides, which all
// measured clients verify. Of one of small order the error is an ErrWeak.
func NewListedKey(public crypto.PublicKey) (*Key, error) {
	if raw, ok := public.(ed25519.PublicKey); ok && len(raw) == ed25519.PublicKeySize {
		return WithID(map[string]any{
			"keytype": keyTypeEd,
			"scheme":  schemeEd,
			"keyval":  map[string]any{"public": hex.EncodeToString(raw)},
		})
	}
	return NewKey(public)
}

// WithID lists a key object under the key ID that its content has.
func WithID(object map[string]any) (*Key, error) {
	id, err := KeyID(object)
	if err != nil {
		return nil, err
	}
	k := ParseKey(id, object)
	return k, k.Err
}

// KeyID is the SHA-256, in lower-case hex, of the canonical form of the whole
// key object, fields that nobody knows included.
func KeyID(object map[string]any) (string, error) {
	canonical, err := Encode(object)
	if err != nil {
		return "", fmt.Errorf("computing a key ID: %w", err)
	}
	return Digest(canonical), nil
}

// Digest is the SHA-256 of data in lower-case hex, as sha256sum prints it.
func Digest(data []byte) string {
	return hex.EncodeToString(spool.Sum(crypto.SHA256, data))
}

// IDMatches reports whether the listed key ID is that of the content.
func (k *Key) IDMatches() bool {
	id, err := KeyID(k.Object)
	return err == nil && id == k.ID
}

// Standard reports whether keytype and encoding are those of the current
// specification; earlier tools wrote the scheme as the keytype, and hex points.
func (k *Key) Standard() bool {
	switch k.Type {
	case KeyTypeECDSA:
		value, _ := k.Object["keyval"].(map[string]any)
		text, _ := value["public"].(string)
		block, _ := pem.Decode([]byte(text))
		return block != nil && k.Err == nil
	case keyTypeEd, KeyTypeRSA:
		return k.Err == nil
	}
	return false
}

// Portable reports whether all three clients that were measured verify the
// key's scheme: go-tuf, python-tuf and tuf-js. P-384 fails in the last.
func (k *Key) Portable() bool {
	s, ok := schemeNamed(k.Scheme)
	return ok && s.portable && k.Err == nil
}

// Fingerprint is the SHA-256 of the public key's SubjectPublicKeyInfo, in hex:
// what identifies a key, whatever ID it is listed under. It is empty for a key
// that cannot be read.
func (k *Key) Fingerprint() string {
	return k.fingerprint
}

// Fingerprint of a public key that stands in no metadata; see Key.Fingerprint.
func Fingerprint(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("computing a fingerprint: %w", err)
	}
	return Digest(der), nil
}

func parsePublic(keytype, scheme, text string) (crypto.PublicKey, error) {
	switch scheme {
	case SchemeP256:
		return parseECDSA(keytype, text, elliptic.P256())
	case schemeP384:
		return parseECDSA(keytype, text, elliptic.P384())
	case schemeEd:
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != ed25519.PublicKeySize || keytype != keyTypeEd {
			return nil, errors.New("not an ed25519 key: 32 bytes in hex are wanted")
		}
		if err := checkEd25519(raw); err != nil {
			return nil, err
		}
		return ed25519.PublicKey(raw), nil
	case SchemePSS:
		return parseRSA(keytype, text)
	}
	return nil, fmt.Errorf("scheme %q of key type %q is not known", Printable(scheme), Printable(keytype))
}

func parseECDSA(keytype, text string, curve elliptic.Curve) (crypto.PublicKey, error) {
	if keytype != KeyTypeECDSA && keytype != SchemeP256 && keytype != schemeP384 {
		return nil, fmt.Errorf("key type \"%s\" does not go with an ECDSA scheme", Printable(keytype))
	}
	if raw, err := hex.DecodeString(text); err == nil { // sigstore's first four roots
		key, err := ecdsa.ParseUncompressedPublicKey(curve, raw)
		if err != nil {
			return nil, fmt.Errorf("the public key is not a point on %s", curve.Params().Name)
		}
		return key, nil
	}
	public, err := ParsePEM([]byte(text))
	if err != nil {
		return nil, err
	}
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || key.Curve != curve {
		return nil, fmt.Errorf("the public key is not on %s, which the scheme names", curve.Params().Name)
	}
	return key, nil
}

func parseRSA(keytype, text string) (crypto.PublicKey, error) {
	public, err := ParsePEM([]byte(text))
	if err != nil {
		return nil, err
	}
	key, ok := public.(*rsa.PublicKey)
	if !ok || keytype != KeyTypeRSA {
		return nil, errors.New("the public key is not RSA, which the scheme names")
	}
	if err := checkModulus(key); err != nil {
		return nil, err
	}
	return key, nil
}

// ParsePEM reads exactly one PEM block with a SubjectPublicKeyInfo.
func ParsePEM(text []byte) (crypto.PublicKey, error) {
	block, rest := pem.Decode(text)
	if block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, errors.New("reading a public key: it is a PRIVATE key. Take it off this medium, and if the medium has been elsewhere, make a new key; `openssl pkey -pubout` gives the public half")
	}
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New(`reading a public key: no PEM block "PUBLIC KEY"`)
	}
	if len(rest) > 0 && len(block.Bytes) > 0 && string(rest) != "\n" {
		return nil, errors.New("reading a public key: text follows the PEM block")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading a public key: %w", err)
	}
	return public, nil
}

// Verify checks a signature over payload, hashing as the key's scheme says.
func (k *Key) Verify(payload, sig []byte) error {
	if k.Err != nil {
		return fmt.Errorf("verifying a signature: %w", k.Err)
	}
	ok := false
	switch public := k.Public.(type) {
	case *ecdsa.PublicKey:
		_, digest := k.digest(payload)
		ok = ecdsa.VerifyASN1(public, digest, sig)
	case ed25519.PublicKey:
		ok = ed25519.Verify(public, payload, sig)
	case *rsa.PublicKey:
		hash, digest := k.digest(payload)
		ok = rsa.VerifyPSS(public, hash, digest, sig, nil) == nil // a salt of any length
	}
	if !ok {
		return errors.New("verifying a signature: it does not belong to this key and these bytes")
	}
	return nil
}

// digest hashes as the key's scheme says.
func (k *Key) digest(payload []byte) (crypto.Hash, []byte) {
	s, _ := schemeNamed(k.Scheme)
	return s.options.HashFunc(), spool.Sum(s.options.HashFunc(), payload)
}

// Sign has a signer sign a payload in the key's scheme. Whether it did is for
// Verify to say. A device is given the digest; one that can be given the whole
// payload (crypto.MessageSigner) is, since some hash for RSA-PSS themselves or
// not at all.
func (k *Key) Sign(random io.Reader, payload []byte, signer crypto.Signer) ([]byte, error) {
	if k.Err != nil {
		return nil, fmt.Errorf("choosing how to sign: %w", k.Err)
	}
	s, ok := schemeNamed(k.Scheme)
	if !ok || s.options == nil {
		return nil, fmt.Errorf("choosing how to sign: nothing is signed here with scheme \"%s\"", Printable(k.Scheme))
	}
	if whole, ok := signer.(crypto.MessageSigner); ok {
		return whole.SignMessage(random, payload, s.options)
	}
	_, digest := k.digest(payload)
	return signer.Sign(random, digest, s.options)
}
