package tufmeta

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"slices"
)

// An Ed25519 public key is the coordinate y of a point, 255 bits with the lowest
// byte first, and one bit for the sign of x (RFC 8032, section 5.1.2). Eight
// points have an order that divides 8. A signature by one of them needs no private
// key: with R the same point and S zero it verifies over one message in eight or more,
// and by the neutral point over all. Verifiers do not refuse them (RFC 8032 asks
// for none of it), so whoever lists keys has to.

// smallOrder has y of the eight points, in hex: points that differ in the sign of
// x share one. They are those that libsodium refuses (ge25519_has_small_order);
// 0 is of order 4, 1 the neutral point, the next two of order 8, and -1 of order 2.
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// checkEd25519 refuses points of small order, however they are encoded, and y that
// is not below p = 2^255-19: section 5.1.3 has decoding fail there, and verifiers
// that take it all the same see one key under two encodings.
func checkEd25519(public ed25519.PublicKey) error {
	y := bytes.Clone(public)
	y[len(y)-1] &= 0x7f
	if slices.Contains(smallOrder, hex.EncodeToString(y)) {
		return fmt.Errorf("an Ed25519 key of small order is %w: anybody can sign for it", ErrWeak)
	}
	if y[0] >= 0xed && y[31] == 0x7f && allOnes(y[1:31]) {
		return fmt.Errorf("an Ed25519 key whose y is not below 2^255-19 is %w: it has a second encoding", ErrWeak)
	}
	return nil
}

func allOnes(data []byte) bool {
	return !slices.ContainsFunc(data, func(b byte) bool { return b != 0xff })
}
