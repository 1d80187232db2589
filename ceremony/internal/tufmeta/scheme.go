package tufmeta

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
)

// Names of the specification (TUF 1.0.34, section 4.2).
const (
	KeyTypeECDSA = "ecdsa"
	KeyTypeRSA   = "rsa"
	keyTypeEd    = "ed25519"
	SchemeP256   = "ecdsa-sha2-nistp256"
	schemeP384   = "ecdsa-sha2-nistp384"
	schemeEd     = "ed25519"
	SchemePSS    = "rsassa-pss-sha256"
)

// scheme is what stands behind the name of a scheme.
type scheme struct {
	name     string
	keytype  string
	portable bool              // go-tuf, python-tuf and tuf-js were all seen to verify it
	options  crypto.SignerOpts // what a device is asked for; nil where none is asked
}

// The salt of PSS is as long as the digest, as python-tuf and go-tuf make it;
// the specification does not say, and verifiers take any.
var schemes = []scheme{
	{SchemeP256, KeyTypeECDSA, true, crypto.SHA256},
	{schemeP384, KeyTypeECDSA, false, crypto.SHA384},
	{SchemePSS, KeyTypeRSA, true, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}},
	{schemeEd, keyTypeEd, true, nil},
}

func schemeNamed(name string) (scheme, bool) {
	for _, s := range schemes {
		if s.name == name {
			return s, true
		}
	}
	return scheme{}, false
}

// schemeOf gives the scheme that a new key signs with, or says why a key
// cannot be planned. Ed25519 is not: it signs whole messages, and not every
// device takes one.
func schemeOf(public crypto.PublicKey) (scheme, error) {
	name, kind := "", "a key of another kind"
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		switch {
		case public == nil:
		case public.Curve == elliptic.P256():
			name = SchemeP256
		case public.Curve == elliptic.P384():
			name = schemeP384
		case public.Curve != nil:
			kind = "an ECDSA key on " + public.Curve.Params().Name
		}
	case *rsa.PublicKey:
		if public != nil && public.N != nil {
			name = SchemePSS
			if err := checkModulus(public); err != nil {
				return scheme{}, err
			}
		}
	case ed25519.PublicKey:
		kind = "an Ed25519 key, which would have a device take the whole file"
	}
	s, ok := schemeNamed(name)
	if !ok {
		return scheme{}, fmt.Errorf("it is %s: ECDSA on P-256 and RSA can be planned, which every TUF client verifies, and ECDSA on P-384", kind)
	}
	return s, nil
}

// ErrWeak is in what is said of a key, RSA or Ed25519, that is too weak for new
// metadata.
var ErrWeak = errors.New("too weak")

// Sizes of RSA keys, in bits. Smaller ones can be broken, and larger ones take
// long to verify.
const (
	minRSA = 2048
	maxRSA = 8192
)

func checkModulus(public *rsa.PublicKey) error {
	switch bits := public.N.BitLen(); {
	case bits < minRSA:
		return fmt.Errorf("an RSA key of %d bits is %w: %d to %d are accepted", bits, ErrWeak, minRSA, maxRSA)
	case bits > maxRSA:
		return fmt.Errorf("an RSA key of %d bits is too large: %d to %d are accepted", bits, minRSA, maxRSA)
	case public.N.Bit(0) == 0:
		return fmt.Errorf("an RSA key with an even modulus is %w", ErrWeak)
	}
	return nil
}

// Public exponents in new metadata. Devices make 65537 and nothing else; smaller
// ones forgive no mistake in the padding (FIPS 186-5 has the same bound), and
// larger ones are read by few programs.
const (
	minExponent = 1<<16 + 1
	maxExponent = 1<<31 - 1
)

func checkExponent(public *rsa.PublicKey) error {
	if e := public.E; e < minExponent || e > maxExponent || e%2 == 0 {
		return fmt.Errorf("an RSA key with the public exponent %d is %w: odd ones from %d to %d are accepted", e, ErrWeak, minExponent, maxExponent)
	}
	return nil
}

// Weak says why a key is too weak for new metadata, or nothing. With a small
// exponent it can be read all the same: clients count such a key that was
// published, and it has to sign the root that replaces it. A short modulus cannot
// be used at all, nor an Ed25519 point of small order: what it signs proves nothing.
func (k *Key) Weak() error {
	if errors.Is(k.Err, ErrWeak) {
		return k.Err
	}
	if public, ok := k.Public.(*rsa.PublicKey); ok {
		return checkExponent(public)
	}
	return nil
}
