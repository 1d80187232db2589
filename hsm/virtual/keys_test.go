package virtual

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"
	"time"
)

// A PIN policy of 0 is the slot's own: always for 9c, never for 9e.
func TestPINPolicies(t *testing.T) {
	for _, test := range []struct {
		slot, policy byte
		want         []status // without a PIN, after one, and once more
	}{
		{slotSignature, pinNever, []status{ok, ok, ok}},
		{slotSignature, pinOnce, []status{securityStatus, ok, ok}},
		{slotSignature, pinAlways, []status{securityStatus, ok, securityStatus}},
		{slotSignature, 0, []status{securityStatus, ok, securityStatus}},
		{slotAuthentication, 0, []status{securityStatus, ok, ok}},
		{slotCardAuth, 0, []status{ok, ok, ok}},
		{slotRetiredFirst, 0, []status{securityStatus, ok, ok}},
		{slotRetiredLast, pinAlways, []status{securityStatus, ok, securityStatus}},
	} {
		d := newDesk(t, Config{})
		d.generate(test.slot, algorithmP256, test.policy, touchNever)
		for i, want := range test.want {
			if i == 1 {
				d.login("123456")
			}
			if _, sw := d.sign(test.slot); sw != want {
				t.Errorf("slot %02x, policy %d, signature %d: %04x", test.slot, test.policy, i, sw)
			}
		}
	}
}

// One VERIFY is good for one use of a key of policy always, whichever it is.
func TestFreshPIN(t *testing.T) {
	d := newDesk(t, Config{})
	d.generate(slotSignature, algorithmP256, pinAlways, touchNever)
	d.generate(slotAuthentication, algorithmP256, pinOnce, touchNever)
	d.login("123456")
	if _, sw := d.sign(slotAuthentication); sw != ok {
		t.Errorf("once: %04x", sw)
	}
	if _, sw := d.sign(slotSignature); sw != securityStatus {
		t.Errorf("always, after another key's use: %04x", sw)
	}
	if _, sw := d.sign(slotAuthentication); sw != ok {
		t.Errorf("once, again: %04x", sw)
	}
}

func TestTouchPolicies(t *testing.T) {
	for policy, want := range map[byte]int{touchNever: 0, touchAlways: 3, touchCached: 1} {
		d := newDesk(t, Config{})
		d.generate(slotCardAuth, algorithmP256, pinNever, policy)
		for range 3 {
			if _, sw := d.sign(slotCardAuth); sw != ok {
				t.Errorf("policy %d: %04x", policy, sw)
			}
		}
		if got := d.card.bench.counters.Touches; got != want {
			t.Errorf("policy %d waited for %d touches, not %d", policy, got, want)
		}
	}
}

// An untouched card gives up after its patience, with the word that a missing
// PIN has too, and the next touch comes again.
func TestMissedTouch(t *testing.T) {
	const patience = 40 * time.Millisecond
	d := newDesk(t, Config{TouchWait: patience})
	d.generate(slotCardAuth, algorithmP256, pinNever, touchAlways)
	d.card.bench.miss = 1
	start := time.Now()
	if _, sw := d.sign(slotCardAuth); sw != securityStatus {
		t.Errorf("it was answered with %04x", sw)
	}
	if took := time.Since(start); took < patience {
		t.Errorf("it gave up after %s", took)
	}
	if _, sw := d.sign(slotCardAuth); sw != ok {
		t.Errorf("the next was answered with %04x", sw)
	}
}

func TestSignatures(t *testing.T) {
	d := newDesk(t, Config{})
	message := bytes.Repeat([]byte{9}, 32)
	ask := func(algorithm byte, tag uint32, data []byte) []byte {
		t.Helper()
		template := append(encodeTLV(tagResponse), encodeTLV(tag, data)...)
		out := d.want(ok, insAuthenticate, algorithm, slotCardAuth, encodeTLV(tagDynamic, template)...)
		outer, _ := parseTLV(out)
		inner, _ := parseTLV(field(outer, tagDynamic))
		return field(inner, tagResponse)
	}
	point := func(algorithm byte) []byte {
		outer, _ := parseTLV(d.generate(slotCardAuth, algorithm, pinNever, touchNever))
		inner, _ := parseTLV(field(outer, 0x7f49))
		return field(inner, 0x86)
	}
	for algorithm, curve := range map[byte]elliptic.Curve{algorithmP256: elliptic.P256(), algorithmP384: elliptic.P384()} {
		public, err := ecdsa.ParseUncompressedPublicKey(curve, point(algorithm))
		if err != nil {
			t.Fatal(err)
		}
		if !ecdsa.VerifyASN1(public, message, ask(algorithm, tagChallenge, message)) {
			t.Errorf("the signature on %s is wrong", curve.Params().Name)
		}
		own, _ := ecdsa.GenerateKey(curve, rand.Reader)
		ownPoint, _ := own.PublicKey.Bytes()
		checkShared(t, own, public, ask(algorithm, tagExponent, ownPoint))
	}
	if public := point(algorithmEd25519); !ed25519.Verify(public, []byte("words"), ask(algorithmEd25519, tagChallenge, []byte("words"))) {
		t.Error("the Ed25519 signature is wrong")
	}
	d.want(wrongData, insAuthenticate, algorithmP256, slotCardAuth, encodeTLV(tagDynamic, encodeTLV(tagChallenge, message))...)
}

func checkShared(t *testing.T, own *ecdsa.PrivateKey, public *ecdsa.PublicKey, shared []byte) {
	t.Helper()
	private, err := own.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	other, err := public.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := private.ECDH(other); err != nil || !bytes.Equal(want, shared) {
		t.Errorf("the shared secret on %v is wrong: %v", private.Curve(), err)
	}
}

// A digest that is longer than the curve is refused, not cut.
func TestLongDigest(t *testing.T) {
	d := newDesk(t, Config{})
	d.generate(slotCardAuth, algorithmP256, pinNever, touchNever)
	d.want(wrongData, insAuthenticate, algorithmP256, slotCardAuth,
		encodeTLV(tagDynamic, encodeTLV(tagChallenge, make([]byte, 48)))...)
}

func TestImport(t *testing.T) {
	d := newDesk(t, Config{})
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	data := append(encodeTLV(0x06, scalar), tagPINPolicy, 1, pinNever)
	d.want(securityStatus, insImport, algorithmP256, slotCardAuth, data...)
	d.manage(d.factoryKey())
	d.want(ok, insImport, algorithmP256, slotCardAuth, data...)
	out, sw := d.sign(slotCardAuth)
	if sw != ok || !ecdsa.VerifyASN1(&private.PublicKey, make([]byte, 32), out[4:]) {
		t.Errorf("the signature is wrong, or was refused with %04x", sw)
	}
	// Nothing says that such a key never was anywhere else.
	d.want(wrongData, insAttest, slotCardAuth, 0)
	fields, _ := parseTLV(d.want(ok, insMetadata, 0, slotCardAuth))
	if origin := field(fields, 3); !bytes.Equal(origin, []byte{2}) {
		t.Errorf("its origin is % x", origin)
	}
	d.want(wrongData, insImport, algorithmP256, slotCardAuth, encodeTLV(0x06, make([]byte, 32))...)
	d.want(wrongData, insImport, algorithmP384, slotCardAuth, data...)
}

func TestImportRSA(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, Config{})
	d.manage(d.factoryKey())
	data := append(encodeTLV(1, private.Primes[0].Bytes()), encodeTLV(2, private.Primes[1].Bytes())...)
	d.want(ok, insImport, algorithmRSA2048, slotCardAuth, append(data, tagPINPolicy, 1, pinNever)...)
	block := append([]byte{0}, bytes.Repeat([]byte{3}, 255)...)
	out := d.want(ok, insAuthenticate, algorithmRSA2048, slotCardAuth, encodeTLV(tagDynamic, encodeTLV(tagChallenge, block))...)
	outer, _ := parseTLV(out)
	inner, _ := parseTLV(field(outer, tagDynamic))
	back := new(big.Int).Exp(new(big.Int).SetBytes(field(inner, tagResponse)), big.NewInt(65537), private.N)
	if !bytes.Equal(back.FillBytes(make([]byte, 256)), block) {
		t.Error("the public exponent does not undo the private one")
	}
}

func TestX25519(t *testing.T) {
	d := newDesk(t, Config{})
	outer, _ := parseTLV(d.generate(slotKeyManagement, algorithmX25519, pinNever, touchNever))
	inner, _ := parseTLV(field(outer, 0x7f49))
	card, err := ecdh.X25519().NewPublicKey(field(inner, 0x86))
	if err != nil {
		t.Fatal(err)
	}
	own, _ := ecdh.X25519().GenerateKey(rand.Reader)
	want, _ := own.ECDH(card)
	out := d.want(ok, insAuthenticate, algorithmX25519, slotKeyManagement,
		encodeTLV(tagDynamic, encodeTLV(tagExponent, own.PublicKey().Bytes()))...)
	if !bytes.Equal(out[4:], want) {
		t.Error("the shared secret is wrong")
	}
}

func TestMoveKey(t *testing.T) {
	d := newDesk(t, Config{})
	public := d.generate(slotCardAuth, algorithmP256, pinNever, touchNever)
	d.want(ok, insMoveKey, slotSignature, slotCardAuth)
	d.want(referenceNotFound, insMetadata, 0, slotCardAuth)
	if out := d.want(ok, insMetadata, 0, slotSignature); !bytes.Contains(out, public[5:]) {
		t.Error("it is another key")
	}
	d.want(ok, insMoveKey, 0xff, slotSignature)
	d.want(referenceNotFound, insMetadata, 0, slotSignature)
	old := newDesk(t, Config{Firmware: "5.4.3"})
	old.want(unknownIns, insMoveKey, 0xff, slotSignature)
}

// Objects with the person's own data want the PIN, whether there are any.
func TestObjects(t *testing.T) {
	d := newDesk(t, Config{})
	printed := []byte{tagList, 3, 0x5f, 0xc1, 0x09}
	d.want(securityStatus, insGetData, 0x3f, 0xff, printed...)
	d.login("123456")
	d.want(notFound, insGetData, 0x3f, 0xff, printed...)
	d.want(securityStatus, insPutData, 0x3f, 0xff, append(printed, tagObject, 1, 5)...)
	d.manage(d.factoryKey())
	d.want(ok, insPutData, 0x3f, 0xff, append(printed, tagObject, 1, 5)...)
	if out := d.want(ok, insGetData, 0x3f, 0xff, printed...); !bytes.Equal(out, []byte{tagObject, 1, 5}) {
		t.Errorf("it came back as % x", out)
	}
	d.want(ok, insPutData, 0x3f, 0xff, append(printed, tagObject, 0)...)
	d.want(notFound, insGetData, 0x3f, 0xff, printed...)
	big := encodeTLV(tagObject, make([]byte, maxObject+1))
	d.want(noMemory, insPutData, 0x3f, 0xff, append(printed, big...)...)
	d.want(ok, insGetData, 0x3f, 0xff, tagList, 1, objectDiscovery)
}
