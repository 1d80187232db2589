package ceremonytest

import (
	"crypto/rsa"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
)

// rsaKeys keeps what takes long to make.
var rsaKeys sync.Map

// rsaKey makes an RSA key from a seed, which crypto/rsa would not.
func rsaKey(t testing.TB, bits string, seed [32]byte) *rsa.PrivateKey {
	t.Helper()
	size, err := strconv.Atoi(bits)
	if err != nil {
		t.Fatal(err)
	}
	made := sync.OnceValues(func() (*rsa.PrivateKey, error) { return makeRSA(size, rand.NewChaCha8(seed)) })
	kept, _ := rsaKeys.LoadOrStore(fmt.Sprint(size, seed), made)
	key, err := kept.(func() (*rsa.PrivateKey, error))()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func makeRSA(bits int, random *rand.ChaCha8) (*rsa.PrivateKey, error) {
	one, e := big.NewInt(1), big.NewInt(65537)
	p, q := prime(bits/2, e, random), prime(bits/2, e, random)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e.Int64())},
		D:         new(big.Int).ModInverse(e, phi),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	return key, key.Validate()
}

// prime draws a prime whose two highest bits are set, so that the product of
// two has twice the bits, and that goes with the exponent.
func prime(bits int, e *big.Int, random *rand.ChaCha8) *big.Int {
	raw := make([]byte, bits/8)
	_, _ = random.Read(raw) // never fails
	raw[0] |= 0xC0
	raw[len(raw)-1] |= 1
	one, two := big.NewInt(1), big.NewInt(2)
	for p := new(big.Int).SetBytes(raw); ; p.Add(p, two) {
		rest := new(big.Int).Mod(new(big.Int).Sub(p, one), e)
		if rest.Sign() != 0 && p.ProbablyPrime(20) {
			return p
		}
	}
}
