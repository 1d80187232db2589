//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

// mechanismEdDSA is CKM_EDDSA, for which the binding has no name.
const mechanismEdDSA = 0x1057

// way is one way to have a device sign: a mechanism, and what it is given.
// Lists of mechanisms lie, so ways are tried, in order.
type way struct {
	mechanism uint
	parameter []byte
	input     []byte
	unknown   bool // it takes the message itself, which the caller has not given
}

// learned is what a session keeps of a way that has worked.
type learned struct {
	id    string // of the key
	first uint   // the mechanism that is tried first for such signatures
	hash  crypto.Hash
}

// ways lists how a signature can be had, or says why there is none to be had.
// The digest is made on this machine: hashing on the device gains nothing, and
// in several parts gives wrong signatures with some. message is nil where the
// caller has the digest alone.
//
// A curve goes with the digest of its size: devices would sign others too, and
// verifiers choose the digest by the curve.
func ways(public crypto.PublicKey, digest, message []byte, opts crypto.SignerOpts) ([]way, error) {
	if opts == nil {
		return nil, fmt.Errorf("the digest's algorithm was not given: %w", hsm.ErrUnsupported)
	}
	hash := opts.HashFunc()
	if hash != 0 && (!hash.Available() || len(digest) != hash.Size()) {
		return nil, fmt.Errorf("the digest has %d bytes, and %v has others: %w", len(digest), hash, hsm.ErrUnsupported)
	}
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if want := curveDigest(key); hash != want {
			return nil, fmt.Errorf("only %v digests are signed with %s keys: %w", want, key.Curve.Params().Name, hsm.ErrUnsupported)
		}
		return []way{{mechanism: p11.CKM_ECDSA, input: digest}}, nil
	case ed25519.PublicKey:
		if options, ok := opts.(*ed25519.Options); hash != 0 || ok && options.Context != "" {
			return nil, fmt.Errorf("only messages, not digests, and without a context, are signed with Ed25519 keys: %w", hsm.ErrUnsupported)
		}
		return []way{{mechanism: mechanismEdDSA, input: digest}}, nil
	case *rsa.PublicKey:
		return rsaWays(key, hash, digest, message, opts)
	}
	return nil, fmt.Errorf("keys of that kind are not signed with: %w", hsm.ErrUnsupported)
}

func curveDigest(key *ecdsa.PublicKey) crypto.Hash {
	if key.Curve.Params().BitSize == 384 {
		return crypto.SHA384
	}
	return crypto.SHA256
}

// rsaHash is what PKCS#11 needs to be told of a digest.
type rsaHash struct {
	hash                     crypto.Hash
	mechanism, mgf, combined uint
	prefix                   []byte // of a DigestInfo, before the digest
}

// digestInfo is the DER in front of a digest of n bytes: an algorithm of
// NIST's arc for hashes, by its last number.
func digestInfo(last, n byte) []byte {
	return []byte{0x30, 17 + n, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last, 5, 0, 4, n}
}

var rsaHashes = []rsaHash{
	{crypto.SHA256, p11.CKM_SHA256, p11.CKG_MGF1_SHA256, p11.CKM_SHA256_RSA_PKCS_PSS, digestInfo(1, 32)},
	{crypto.SHA384, p11.CKM_SHA384, p11.CKG_MGF1_SHA384, p11.CKM_SHA384_RSA_PKCS_PSS, digestInfo(2, 48)},
	{crypto.SHA512, p11.CKM_SHA512, p11.CKG_MGF1_SHA512, p11.CKM_SHA512_RSA_PKCS_PSS, digestInfo(3, 64)},
}

func rsaWays(key *rsa.PublicKey, hash crypto.Hash, digest, message []byte, opts crypto.SignerOpts) ([]way, error) {
	i := slices.IndexFunc(rsaHashes, func(h rsaHash) bool { return h.hash == hash })
	if i < 0 {
		return nil, fmt.Errorf("only SHA-256, SHA-384 and SHA-512 digests are signed with RSA keys: %w", hsm.ErrUnsupported)
	}
	h := rsaHashes[i]
	pss, ok := opts.(*rsa.PSSOptions)
	if !ok {
		return []way{{mechanism: p11.CKM_RSA_PKCS, input: append(bytes.Clone(h.prefix), digest...)}}, nil
	}
	salt := pss.SaltLength
	switch salt {
	case rsa.PSSSaltLengthEqualsHash:
		salt = hash.Size()
	case rsa.PSSSaltLengthAuto:
		salt = (key.N.BitLen()-1+7)/8 - 2 - hash.Size()
	}
	if salt < 0 {
		return nil, fmt.Errorf("a salt of %d bytes: %w", salt, hsm.ErrUnsupported)
	}
	parameter := p11.NewPSSParams(h.mechanism, h.mgf, uint(salt))
	// tpm2-pkcs11 begins the first, and refuses it when it comes to signing.
	return []way{{p11.CKM_RSA_PKCS_PSS, parameter, digest, false}, {h.combined, parameter, message, message == nil}}, nil
}

// refusesWay says whether a device does not have a way at all, so that another
// may be tried.
func refusesWay(err error) bool {
	return isCode(err, p11.CKR_MECHANISM_INVALID, p11.CKR_MECHANISM_PARAM_INVALID)
}

// finish turns what the device returned into what verifiers take, and refuses
// what is no signature at all. Whether it is the right one is for whoever asked
// for it to verify.
func finish(public crypto.PublicKey, raw []byte) ([]byte, error) {
	size := 0
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return encodeSignature(raw, (key.Curve.Params().BitSize+7)/8)
	case *rsa.PublicKey:
		size = key.Size()
	case ed25519.PublicKey:
		size = ed25519.SignatureSize
	}
	if len(raw) != size {
		return nil, wrongSize(raw, size)
	}
	return raw, nil
}

func wrongSize(raw []byte, size int) error {
	return fmt.Errorf("the device returned a signature of %d bytes instead of %d", len(raw), size)
}

// encodeSignature turns r‖s, as PKCS#11 has it, into the DER that TUF wants.
// Each half must have its full width: a shorter signature cannot be split
// without guessing.
func encodeSignature(raw []byte, size int) ([]byte, error) {
	if len(raw) != 2*size {
		return nil, wrongSize(raw, 2*size)
	}
	r, s := bytes.TrimLeft(raw[:size], "\x00"), bytes.TrimLeft(raw[size:], "\x00")
	if len(r) == 0 || len(s) == 0 {
		return nil, errors.New("the device returned a signature with a zero in it")
	}
	der := make([]byte, 2, 2*size+8)
	der = appendInteger(appendInteger(der, r), s)
	der[0], der[1] = 0x30, byte(len(der)-2) // a SEQUENCE, of at most 102 bytes
	return der, nil
}

// appendInteger adds a positive DER INTEGER of less than 127 bytes: one with
// its high bit set is preceded by a zero.
func appendInteger(der, n []byte) []byte {
	sign := int(n[0] >> 7)
	der = append(der, 0x02, byte(len(n)+sign))
	return append(append(der, make([]byte, sign)...), n...)
}
