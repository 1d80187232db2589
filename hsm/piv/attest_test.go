//go:build cgo && linux

package piv

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"tufceremony/hsm"
	"tufceremony/hsm/attest"
	"tufceremony/hsm/virtual"
)

// facts verifies what a device says of a key, down to the virtual cards' root.
func facts(t *testing.T, chain [][]byte) attest.Facts {
	t.Helper()
	if len(chain) != 2 {
		t.Fatalf("there are %d certificates", len(chain))
	}
	evidence := attest.Evidence{Leaf: mustParse(t, chain[0]), Intermediates: []*x509.Certificate{mustParse(t, chain[1])}}
	facts, err := attest.Verify(evidence, attest.Rehearsal(), time.Now())
	must(t, err)
	return facts
}

func TestAttest(t *testing.T) {
	for _, firmware := range firmwares {
		t.Run(firmware, func(t *testing.T) {
			b := fresh(t, firmware)
			b.generate(Signature, P256, PINOnce, TouchCached)
			tok := b.mustToken(Signature)
			key := tok.key(t)
			p := &person{pin: testPIN}
			signer := mustSigner(t, tok, p)
			chain, err := hsm.Attester(tok).Attest(key)
			must(t, err)
			f := facts(t, chain)
			for _, err := range []error{f.Bind(key.Public), f.WantSlot("9c"), f.WantSerial("14470876")} {
				if err != nil {
					t.Error(err)
				}
			}
			if f.PINPolicy.Value != "once" || f.TouchPolicy.Value != "cached" || f.Firmware.Value != firmware {
				t.Errorf("%+v", f)
			}
			info, err := tok.Info()
			must(t, err)
			if info.FormFactor != f.FormFactor.Value {
				t.Errorf("the form factor is %q, and attested as %q", info.FormFactor, f.FormFactor.Value)
			}
			must(t, signsP256(signer)) // the PIN still counts
			if p.typed != 1 {
				t.Errorf("asked %d times", p.typed)
			}
			must(t, tok.Close())

			a := mustAdmin(t, serial)
			chain, err = a.Attest(Signature)
			must(t, err)
			must(t, facts(t, chain).Bind(key.Public))
			factory, err := a.FactoryCertificate()
			if err != nil || !bytes.Equal(factory, chain[1]) {
				t.Errorf("the factory's certificate is another one, %v", err)
			}
			if again, err := a.Info(); err != nil || again.TriesLeft != info.TriesLeft || again.Serial != info.Serial {
				t.Errorf("%+v, %v, and before %+v", again, err, info)
			}
			if _, err := a.Attest(Authentication); !errors.Is(err, hsm.ErrUnsupported) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// A device whose factory certificate was removed says so.
func TestFactoryCertificateIsMissing(t *testing.T) {
	b := fresh(t, "5.7.1")
	b.generate(Signature, P256, PINOnce, TouchNever)
	tok := b.mustToken(Signature)
	key := tok.key(t)
	must(t, b.AnswerINS(0xCB, 0x6A82))
	if _, err := tok.Attest(key); !errors.Is(err, errNoFactoryCertificate) {
		t.Errorf("error is %v", err)
	}
	must(t, tok.Close())
	a := mustAdmin(t, serial)
	must(t, b.AnswerINS(0xCB, 0x6A82))
	if _, err := a.Attest(Signature); !errors.Is(err, errNoFactoryCertificate) {
		t.Errorf("error is %v", err)
	}
}

func TestReset(t *testing.T) {
	for _, firmware := range firmwares {
		t.Run(firmware, func(t *testing.T) {
			fresh(t, firmware)
			a := mustAdmin(t, serial)
			must(t, newHolder().provision(a))
			must(t, a.Reset())
			state := mustState(t, a)
			if len(state.Slots) > 0 || len(state.Certificates) > 0 || state.Management.PINProtected || state.PIN.TriesLeft != testTries || state.PIN.Factory == No {
				t.Errorf("the state is %+v", state)
			}
			must(t, a.Reset()) // once more
			must(t, newHolder().provision(a))
		})
	}
}

// Blocked PINs and PUKs are told apart.
func TestBlocked(t *testing.T) {
	fresh(t, "5.7.1")
	a := mustAdmin(t, serial)
	wrong, good := []byte(testWrongPIN), []byte(newPIN)
	for left := testTries - 1; left > 0; left-- {
		var pin *hsm.PINError
		if err := a.ChangePIN(wrong, good); !errors.As(err, &pin) || pin.TriesLeft != left {
			t.Errorf("error is %v", err)
		}
	}
	for range 2 {
		if err := a.ChangePIN(wrong, good); !errors.Is(err, hsm.ErrPINLocked) {
			t.Errorf("error is %v", err)
		}
	}
	must(t, a.UnblockPIN([]byte(factoryPUK), good))
	for left := testTries - 1; left > 0; left-- {
		var puk *PUKError
		if err := a.UnblockPIN(wrong, good); !errors.As(err, &puk) || puk.TriesLeft != left {
			t.Errorf("error is %v", err)
		}
	}
	for range 2 {
		if err := a.ChangePUK(wrong, []byte(newPUK)); !errors.Is(err, ErrPUKLocked) || errors.Is(err, hsm.ErrPINLocked) {
			t.Errorf("error is %v", err)
		}
	}
	must(t, a.ChangePIN(good, []byte("73920164"))) // not blocked by the PUK
	key, err := a.NewManagementKey()
	must(t, err)
	_, notStored := a.ProtectedManagementKey([]byte("73920164"))
	if !errors.Is(notStored, hsm.ErrNotFound) {
		t.Errorf("error is %v", notStored)
	}
	if err := a.StoreManagementKey(wrong, FactoryManagementKey(), key); err == nil {
		t.Error("a management key was stored with a wrong PIN")
	}
}

// PINs that newer firmware finds too simple are refused in words, and what it
// cannot be is refused before it costs a try.
func TestTooSimple(t *testing.T) {
	freshCard(t, virtual.Config{Firmware: "5.7.1", PINComplexity: true})
	a := mustAdmin(t, serial)
	if err := a.ChangePIN([]byte(factoryPIN), []byte("112233")); !errors.Is(err, ErrTooSimple) {
		t.Errorf("error is %v", err)
	}
	before := mustState(t, a)
	for _, pin := range []string{"", "12345", "111111", factoryPIN} {
		if err := a.ChangePIN([]byte(testWrongPIN), []byte(pin)); err == nil {
			t.Errorf("%q was taken", pin)
		}
		if err := a.ChangePUK([]byte(testWrongPIN), []byte(pin)); err == nil {
			t.Errorf("%q was taken", pin)
		}
	}
	if after := mustState(t, a); after.PIN != before.PIN || after.PUK != before.PUK {
		t.Errorf("tries were spent: %+v", after)
	}
}

// The certificate of another program is not overwritten, nor what it keeps
// where the management key would be.
func TestForeignObjects(t *testing.T) {
	fresh(t, "5.7.1")
	a := mustAdmin(t, serial)
	factory := FactoryManagementKey()
	public, err := a.Generate(Signature, P256, PINOnce, TouchNever, factory)
	must(t, err)
	for n := range 2 {
		der, err := PlaceholderCertificate(public, "holder", rand.Reader)
		must(t, err)
		if err := a.StoreCertificate(Signature, factory, der); (err == nil) != (n == 0) || n == 1 && !errors.Is(err, ErrOccupied) {
			t.Errorf("error is %v", err)
		}
	}
	must(t, a.authenticate(a.card, factory))
	must(t, a.card.Put(0x5FC109, []byte("a name")))
	key, err := a.NewManagementKey()
	must(t, err)
	if err := a.StoreManagementKey([]byte(factoryPIN), factory, key); !errors.Is(err, ErrForeignObject) {
		t.Errorf("error is %v", err)
	}
	if _, err := a.ProtectedManagementKey([]byte(factoryPIN)); !errors.Is(err, ErrForeignObject) {
		t.Errorf("error is %v", err)
	}
}
