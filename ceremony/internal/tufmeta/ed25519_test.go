package tufmeta_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"testing"

	"tufceremony/ceremony/internal/tufmeta"
)

// Arithmetic of the curve -x²+y² = 1+dx²y² (RFC 8032, section 5.1), so that no
// list of points is believed.
var (
	prime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curve = mod(new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), prime)))
)

func mod(x *big.Int) *big.Int { return x.Mod(x, prime) }

func mul(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }

type point struct{ x, y *big.Int }

// decode gives a point with this y, of the two.
func decode(y *big.Int) (point, bool) {
	y = mod(new(big.Int).Set(y))
	square := mul(y, y)
	below := mod(new(big.Int).Add(mul(curve, square), big.NewInt(1)))
	x := new(big.Int).ModSqrt(mul(mod(square.Sub(square, big.NewInt(1))), new(big.Int).ModInverse(below, prime)), prime)
	return point{x, y}, x != nil
}

func (p point) double() point {
	xx, yy := mul(p.x, p.x), mul(p.y, p.y)
	both := mul(curve, mul(xx, yy))
	inverse := func(v *big.Int) *big.Int { return new(big.Int).ModInverse(mod(v), prime) }
	one := big.NewInt(1)
	return point{
		mul(mul(big.NewInt(2), mul(p.x, p.y)), inverse(new(big.Int).Add(one, both))),
		mul(mod(new(big.Int).Add(xx, yy)), inverse(new(big.Int).Sub(one, both))),
	}
}

// small reports whether eight times the point is the neutral one.
func (p point) small() bool {
	p = p.double().double().double()
	return p.x.Sign() == 0 && p.y.Cmp(big.NewInt(1)) == 0
}

// encodings are y with either sign of x, as a key has them.
func encodings(y *big.Int) [][]byte {
	data := y.FillBytes(make([]byte, 32))
	slices.Reverse(data)
	other := slices.Clone(data)
	other[31] |= 0x80
	return [][]byte{data, other}
}

func edKey(public []byte) *tufmeta.Key {
	return tufmeta.ParseKey("id", map[string]any{"keytype": "ed25519", "scheme": "ed25519", "keyval": map[string]any{"public": hex.EncodeToString(public)}})
}

// smallY are y of all points of small order: below p, and written with p added
// where that fits into 255 bits.
func smallY(t *testing.T) []*big.Int {
	t.Helper()
	eighth, ok := new(big.Int).SetString("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7", 16)
	if !ok {
		t.Fatal("no number")
	}
	all := []*big.Int{big.NewInt(0), big.NewInt(1), new(big.Int).Sub(prime, big.NewInt(1)), eighth, new(big.Int).Sub(prime, eighth), new(big.Int).Set(prime), new(big.Int).Add(prime, big.NewInt(1))}
	for _, y := range all {
		if p, ok := decode(y); !ok || !p.small() {
			t.Fatalf("%x is not of small order", y)
		}
	}
	return all
}

// Anybody signs for a point of small order: none of its encodings is a key.
func TestSmallOrder(t *testing.T) {
	for _, y := range smallY(t) {
		for _, public := range encodings(y) {
			key := edKey(public)
			if err := key.Weak(); !errors.Is(err, tufmeta.ErrWeak) {
				t.Errorf("%x: %v", public, err)
			}
			if _, err := tufmeta.NewListedKey(ed25519.PublicKey(public)); !errors.Is(err, tufmeta.ErrWeak) {
				t.Errorf("%x is listed: %v", public, err)
			}
			if err := key.Verify([]byte("anything"), append(slices.Clone(public), make([]byte, 32)...)); err == nil {
				t.Errorf("%x: a signature without a private key verifies", public)
			}
		}
	}
	neutral := encodings(big.NewInt(1))[0]
	if !ed25519.Verify(neutral, []byte("anything"), append(slices.Clone(neutral), make([]byte, 32)...)) {
		t.Error("the standard library refuses such keys by now")
	}
}

// Each y from p on has an encoding below p, and is not written so.
func TestNotCanonical(t *testing.T) {
	for n := range int64(19) {
		for _, public := range encodings(new(big.Int).Add(prime, big.NewInt(n))) {
			if err := edKey(public).Weak(); !errors.Is(err, tufmeta.ErrWeak) {
				t.Errorf("%x: %v", public, err)
			}
		}
	}
	for n := int64(2); n < 40; n++ { // and p - n and n are not refused
		for _, y := range []*big.Int{new(big.Int).Sub(prime, big.NewInt(n)), big.NewInt(n)} {
			for _, public := range encodings(y) {
				if key := edKey(public); key.Err != nil || key.Weak() != nil {
					t.Errorf("%x: %v", public, key.Err)
				}
			}
		}
	}
}
