//go:build cgo && linux

package piv

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"errors"
	"strings"
	"testing"
	"time"

	pivgo "github.com/go-piv/piv-go/v2/piv"

	"tufceremony/hsm"
)

func TestKinds(t *testing.T) {
	sum384, sum512 := sha512.Sum384([]byte("message")), sha512.Sum512([]byte("message"))
	for _, kind := range []struct {
		firmware  string
		algorithm Algorithm
		sign      func(crypto.Signer) error
	}{
		{"4.3.5", P384, func(s crypto.Signer) error {
			signature, err := s.Sign(rand.Reader, sum384[:], crypto.SHA384)
			return verified(err, err == nil && ecdsa.VerifyASN1(s.Public().(*ecdsa.PublicKey), sum384[:], signature))
		}},
		{"5.2.4", RSA2048, func(s crypto.Signer) error {
			signature, err := s.Sign(nil, digest[:], crypto.SHA256)
			return verified(err, err == nil && rsa.VerifyPKCS1v15(s.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature) == nil)
		}},
		{"5.4.3", RSA2048, func(s crypto.Signer) error {
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA512}
			signature, err := s.Sign(nil, sum512[:], options)
			return verified(err, err == nil && rsa.VerifyPSS(s.Public().(*rsa.PublicKey), crypto.SHA512, sum512[:], signature, options) == nil)
		}},
		{"5.7.1", RSA3072, func(s crypto.Signer) error {
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: crypto.SHA256}
			signature, err := s.Sign(rand.Reader, digest[:], options)
			return verified(err, err == nil && rsa.VerifyPSS(s.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature, options) == nil)
		}},
		{"5.7.1", Ed25519, func(s crypto.Signer) error {
			message := []byte(strings.Repeat("message ", 300)) // longer than one command takes
			signature, err := s.Sign(rand.Reader, message, crypto.Hash(0))
			return verified(err, err == nil && ed25519.Verify(s.Public().(ed25519.PublicKey), message, signature))
		}},
	} {
		t.Run(kind.algorithm.String()+" "+kind.firmware, func(t *testing.T) {
			b := fresh(t, kind.firmware)
			b.generate(KeyManagement, kind.algorithm, PINOnce, TouchNever)
			must(t, kind.sign(mustSigner(t, b.mustToken(KeyManagement), &person{pin: testPIN})))
		})
	}
}

func verified(err error, ok bool) error {
	if err == nil && !ok {
		return errWrong
	}
	return err
}

// A digest that does not go with the key is refused before the card is asked.
func TestDigests(t *testing.T) {
	sum512 := sha512.Sum512([]byte("message"))
	for _, refused := range []struct {
		algorithm Algorithm
		digest    []byte
		opts      crypto.SignerOpts
		want      string
	}{
		{P384, digest[:], crypto.SHA256, "only SHA-384 digests are signed with P-384 keys"},
		{P256, sum512[:48], crypto.SHA384, "only SHA-256 digests are signed with P-256 keys"},
		{RSA2048, sum512[:20], crypto.SHA1, "only SHA-256, SHA-384 and SHA-512"},
		{RSA2048, digest[:], crypto.SHA512, "the digest has 32 bytes"},
		{Ed25519, digest[:], crypto.SHA256, "messages, not digests"},
		{Ed25519, sum512[:], &ed25519.Options{Hash: crypto.SHA512}, "messages, not digests"},
		{Ed25519, digest[:], &ed25519.Options{Context: "a"}, "messages without a context"},
		{Ed25519, make([]byte, maxMessage+1), crypto.Hash(0), "a card takes"},
	} {
		b := fresh(t, "5.7.1")
		b.generate(Signature, refused.algorithm, PINNever, TouchNever)
		tok := b.mustToken(Signature)
		signer := mustSigner(t, tok, nil)
		before := b.counters()
		_, err := signer.Sign(rand.Reader, refused.digest, refused.opts)
		if !errors.Is(err, hsm.ErrUnsupported) || !strings.Contains(err.Error(), refused.want) {
			t.Errorf("%s: error is %v, want %q", refused.algorithm, err, refused.want)
		}
		if b.counters().APDUs != before.APDUs {
			t.Errorf("%s: the card was asked", refused.algorithm)
		}
		must(t, tok.Close())
	}
}

func TestRSA1024IsRefused(t *testing.T) {
	b := fresh(t, "5.7.1")
	t.Setenv("GODEBUG", "rsa1024min=0")
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	b.imported(Signature, private, pivgo.PINPolicyOnce)
	tok := b.mustToken(Signature)
	p := &person{pin: testPIN}
	_, err = tok.Signer(tok.key(t), p)
	if !errors.Is(err, hsm.ErrUnsupported) || !strings.Contains(err.Error(), "RSA-1024") || p.typed != 0 {
		t.Errorf("asked %d times, error is %v", p.typed, err)
	}
}

// What each PIN policy asks, and when.
func TestPINPolicies(t *testing.T) {
	for _, firmware := range append([]string{"5.3.1"}, firmwares...) { // which forgets the PIN when it is asked for tries
		for policy, want := range map[PINPolicy][3]int{ // typed after Signer, first, second signature
			PINNever: {0, 0, 0}, PINOnce: {1, 1, 1}, PINAlways: {1, 1, 2},
		} {
			t.Run(firmware+" "+policy.String(), func(t *testing.T) {
				b := fresh(t, firmware)
				b.generate(Signature, P256, policy, TouchNever)
				tok := b.mustToken(Signature)
				p := &person{pin: testPIN}
				signer := mustSigner(t, tok, p)
				got := [3]int{p.typed}
				for n := 1; n <= 2; n++ {
					if _, err := tok.Info(); err != nil { // must not make the card forget the PIN
						t.Error(err)
					}
					must(t, signsP256(signer))
					got[n] = p.typed
				}
				if got != want {
					t.Errorf("the PIN was asked for %v times, want %v", got, want)
				}
			})
		}
	}
}

// A key of policy always: the PIN that was given for one signature is not good
// for that of another signer, and a wrong one is counted.
func TestAlwaysAndTwoSigners(t *testing.T) {
	b := fresh(t, "5.4.3")
	b.generate(Signature, P256, PINAlways, TouchNever)
	tok := b.mustToken(Signature)
	p := &person{pin: testPIN}
	one := mustSigner(t, tok, p)
	two := mustSigner(t, tok, p)
	must(t, signsP256(two))
	must(t, signsP256(one))
	if p.typed != 2 {
		t.Errorf("asked %d times, want 2", p.typed)
	}
	p.pin = testWrongPIN
	err := signsP256(one)
	var pinError *hsm.PINError
	if !errors.As(err, &pinError) || pinError.TriesLeft != testTries-1 {
		t.Errorf("error is %v", err)
	}
	if info, err := tok.Info(); err != nil || info.TriesLeft != testTries-1 {
		t.Errorf("%+v, %v", info, err)
	}
	p.pin = testPIN
	must(t, signsP256(one))
}

// A key whose policy the device does not tell is taken for one that always
// wants the PIN.
func TestImported(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	for _, firmware := range firmwares {
		t.Run(firmware, func(t *testing.T) {
			b := fresh(t, firmware)
			b.imported(Signature, private, pivgo.PINPolicyAlways)
			der, err := PlaceholderCertificate(private.Public(), "imported", rand.Reader)
			must(t, err)
			a := mustAdmin(t, serial)
			must(t, a.StoreCertificate(Signature, FactoryManagementKey(), der))
			_, adminError := a.Attest(Signature)
			must(t, a.Close())
			tok := b.mustToken(Signature)
			p := &person{pin: testPIN}
			signer := mustSigner(t, tok, p)
			must(t, signsP256(signer))
			must(t, signsP256(signer))
			if p.typed != 2 {
				t.Errorf("asked %d times, want 2", p.typed)
			}
			_, tokenError := tok.Attest(tok.key(t))
			for _, err := range []error{adminError, tokenError} {
				if !errors.Is(err, hsm.ErrUnsupported) || !strings.Contains(err.Error(), "attests only what it has generated") {
					t.Errorf("error is %v", err)
				}
			}
		})
	}
}

// The device's own word comes before a certificate of another key.
func TestForeignCertificate(t *testing.T) {
	for _, firmware := range firmwares {
		t.Run(firmware, func(t *testing.T) {
			b := fresh(t, firmware)
			b.generate(Signature, P256, PINOnce, TouchNever)
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			must(t, err)
			yubikey, err := pivgo.Open(stack.ReaderName(first))
			must(t, err)
			der, err := PlaceholderCertificate(other.Public(), "other", rand.Reader)
			must(t, err)
			must(t, yubikey.SetCertificate(FactoryManagementKey(), pivgo.SlotSignature, mustParse(t, der)))
			must(t, yubikey.Close())
			must(t, b.session(&person{pin: testPIN}))
		})
	}
}

// Every status word comes out in words, wherever it comes, and the reader is
// free afterwards.
func TestStatusWordsFromTheCard(t *testing.T) {
	session := func(b bench) error { return b.session(&person{pin: testPIN}) }
	places := []struct {
		ins     byte
		do      func(b bench) error
		matters bool // the session cannot do without
	}{
		{0xA4, session, false},
		{0xF9, func(b bench) error {
			tok := b.mustToken(Signature)
			_, err := tok.Attest(tok.key(b.t))
			return errors.Join(err, tok.Close())
		}, true},
		{0x20, session, false},
		{0x47, func(b bench) error {
			a := mustAdmin(b.t, b.serial)
			_, err := a.Generate(Authentication, P256, PINOnce, TouchNever, FactoryManagementKey())
			return errors.Join(err, a.Close())
		}, true},
		{0xF7, session, false},
	}
	for i, word := range StatusWords {
		for n := range 2 { // each word at two of the places
			place := places[(2*i+n)%len(places)]
			b := fresh(t, "5.7.1")
			b.generate(Signature, P256, PINOnce, TouchNever)
			must(t, b.AnswerINS(place.ins, example(word.Code)))
			err := place.do(b)
			must(t, b.Heal())
			if err != nil && strings.Contains(err.Error(), "smart card error") || err == nil && place.matters && word.Code != "61xx" {
				t.Errorf("%s at instruction %02X: error is %v", word.Code, place.ins, err)
			}
			if err := session(b); err != nil {
				t.Errorf("%s at instruction %02X: afterwards: %v", word.Code, place.ins, err)
			}
		}
	}
}

// The words of the table reach the person.
func TestWordsAtTheSignature(t *testing.T) {
	for _, word := range StatusWords {
		if word.Code == "61xx" || word.Code == "6982" { // more to come; told apart by time
			continue
		}
		b := fresh(t, "5.4.3")
		b.generate(Signature, P256, PINOnce, TouchNever)
		tok := b.mustToken(Signature)
		signer := mustSigner(t, tok, &person{pin: testPIN})
		must(t, b.AnswerINS(insAuthenticate, example(word.Code)))
		err := signsP256(signer)
		must(t, b.Heal())
		must(t, tok.Close())
		var status *StatusError
		if !errors.As(err, &status) || status.Do() != word.Do || !strings.Contains(err.Error(), word.Words) {
			t.Errorf("%s: error is %v", word.Code, err)
		}
	}
}

// A card that takes its time is waited for.
func TestSlowCard(t *testing.T) {
	b := fresh(t, "5.7.1")
	b.generate(Signature, P256, PINOnce, TouchNever)
	must(t, b.Slow(5*time.Millisecond))
	must(t, b.SlowINS(insAuthenticate, 300*time.Millisecond))
	must(t, b.session(&person{pin: testPIN}))
	must(t, b.Heal())
}

// After a refusal at once, the PIN is asked for again by the next signer.
func TestRefusedAtOnce(t *testing.T) {
	b := fresh(t, "5.2.4")
	b.generate(Signature, P256, PINOnce, TouchAlways)
	tok := b.mustToken(Signature)
	p := &person{pin: testPIN}
	signer := mustSigner(t, tok, p)
	must(t, b.AnswerINS(insAuthenticate, 0x6982))
	err := signsP256(signer)
	if err == nil || errors.Is(err, hsm.ErrTouchMissed) || !strings.Contains(err.Error(), "refused to sign") {
		t.Errorf("error is %v", err)
	}
	if err := signsP256(signer); err == nil || !strings.Contains(err.Error(), "log in again") {
		t.Errorf("error is %v", err)
	}
	must(t, signsP256(mustSigner(t, tok, p)))
	if p.typed != 2 {
		t.Errorf("asked %d times, want 2", p.typed)
	}
}

// PINs that cannot be right are not given to the card.
func TestImpossiblePINs(t *testing.T) {
	b := fresh(t, "5.7.1")
	b.generate(Signature, P256, PINOnce, TouchNever)
	tok := b.mustToken(Signature)
	before := b.counters().Verifies
	for _, pin := range []string{"", "12345", "123456789", "12345\xff", "\xff\xff\xff\xff\xff\xff\xff\xff"} {
		_, err := tok.Signer(tok.key(t), &person{pin: pin})
		var pinError *hsm.PINError
		if err == nil || errors.As(err, &pinError) || !strings.Contains(err.Error(), "no try was spent") {
			t.Errorf("%q: error is %v", pin, err)
		}
	}
	if b.counters().Verifies != before {
		t.Error("the card was given one")
	}
}

// A slot that cannot be read is no reason to refuse another.
func TestUnreadableSlot(t *testing.T) {
	b := fresh(t, "5.7.1")
	b.generate(Signature, P256, PINOnce, TouchNever)
	const slot9a = 8 // the commands before ask what the device is
	must(t, b.AnswerAt(slot9a, 0x6F00))
	must(t, b.session(&person{pin: testPIN}))
	must(t, b.AnswerAt(slot9a+1, 0x6F00))
	if _, err := Open(b.uri(Signature)); err == nil || !strings.Contains(err.Error(), "reading slot 9c: the card failed and does not say why") {
		t.Errorf("error is %v", err)
	}
}

// A key in another slot than the URI's is listed, and not signed with.
func TestOtherSlot(t *testing.T) {
	b := fresh(t, "5.7.1")
	b.generate(Authentication, P256, PINOnce, TouchNever)
	tok := b.mustToken(Signature)
	keys, err := tok.Keys()
	must(t, err)
	p := &person{pin: testPIN}
	_, err = tok.Signer(keys[0], p)
	if !errors.Is(err, hsm.ErrNotFound) || !strings.Contains(err.Error(), "in slot 9a, and the URI names slot 9c") || p.typed != 0 {
		t.Errorf("asked %d times, error is %v", p.typed, err)
	}
}
