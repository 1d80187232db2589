//go:build cgo && (linux || darwin)

package piv

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"tufceremony/hsm"
)

// maxMessage is what fits into the card's protocol. Devices stop before: they
// have memory for about 3 KB, and refuse in words of their own.
const maxMessage = 0xFFFF - 16

// checkDigest takes what verifiers expect of each kind of key, and refuses the
// rest before anybody is asked for anything. A curve goes with the digest of
// its size: P-384 would sign a SHA-256 digest too, but no format in use here
// has such signatures, and verifiers choose the digest by the curve.
func checkDigest(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) error {
	if opts == nil {
		return fmt.Errorf("the digest's algorithm was not given: %w", hsm.ErrUnsupported)
	}
	allowed, words := digestsOf(public, opts)
	hash := opts.HashFunc()
	switch {
	case !slices.Contains(allowed, hash):
		return fmt.Errorf("only %s: %w", words, hsm.ErrUnsupported)
	case hash != 0 && len(digest) != hash.Size():
		return fmt.Errorf("the digest has %d bytes, and only %s: %w", len(digest), words, hsm.ErrUnsupported)
	case len(digest) > maxMessage:
		return fmt.Errorf("the message has %d bytes, and a card takes %d at most: %w", len(digest), maxMessage, hsm.ErrUnsupported)
	}
	return nil
}

func digestsOf(public crypto.PublicKey, opts crypto.SignerOpts) (allowed []crypto.Hash, words string) {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if key.Curve.Params().BitSize == 384 {
			return []crypto.Hash{crypto.SHA384}, "SHA-384 digests are signed with P-384 keys"
		}
		return []crypto.Hash{crypto.SHA256}, "SHA-256 digests are signed with P-256 keys"
	case *rsa.PublicKey:
		return []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}, "SHA-256, SHA-384 and SHA-512 digests are signed with RSA keys"
	case ed25519.PublicKey:
		if options, ok := opts.(*ed25519.Options); ok && options.Context != "" {
			return nil, "messages without a context are signed with Ed25519 keys"
		}
		return []crypto.Hash{crypto.Hash(0)}, "messages, not digests, are signed with Ed25519 keys"
	}
	return nil, "keys on P-256, P-384 and Ed25519, and RSA keys, sign"
}

// checkSignature refuses what is no signature. Whether it is the right one is
// for whoever asked for it to verify.
func checkSignature(public crypto.PublicKey, signature []byte) error {
	ok := false
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		ok = isECDSA(key, signature)
	case *rsa.PublicKey:
		ok = len(signature) == key.Size() && new(big.Int).SetBytes(signature).Cmp(key.N) < 0
	case ed25519.PublicKey:
		ok = len(signature) == ed25519.SignatureSize
	}
	if !ok {
		return errors.New("the device returned something that is no signature of its key")
	}
	return nil
}

// isECDSA wants DER with two numbers from 1 to below the curve's order.
func isECDSA(public *ecdsa.PublicKey, signature []byte) bool {
	var numbers struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(signature, &numbers)
	if err != nil || len(rest) > 0 {
		return false
	}
	again, err := asn1.Marshal(numbers)
	if err != nil || !bytes.Equal(again, signature) {
		return false
	}
	order := public.Curve.Params().N
	for _, n := range []*big.Int{numbers.R, numbers.S} {
		if n.Sign() <= 0 || n.Cmp(order) >= 0 {
			return false
		}
	}
	return true
}
