//go:build cgo && linux

package piv

import (
	"errors"
	"strings"
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/pcsc"
	"tufceremony/hsm/virtual"
)

// piv-go leaves the reader locked when its first command fails; this driver
// does not, and the next one to come can open the card.
func TestOrphan(t *testing.T) {
	for name, fault := range map[string]func(bench) error{
		"refused": func(b bench) error { return b.AnswerAt(1, 0x6A82) },
		"pulled":  func(b bench) error { return b.PullAt(1, virtual.Before) },
	} {
		t.Run(name, func(t *testing.T) {
			b := fresh(t, "5.7.1")
			b.generate(Signature, P256, PINOnce, TouchNever)
			events := b.events()
			device, err := find(serial)
			must(t, err)
			tok := &token{uri: URI{serial, Signature}, device: device}
			tok.service, err = pcsc.Connect()
			must(t, err)
			must(t, fault(b))
			if err := tok.openExclusively(); err == nil || errors.Is(err, hsm.ErrRemoved) != (name == "pulled") {
				t.Errorf("error is %v", err)
			}
			must(t, tok.Close())
			if name == "pulled" {
				b.replug(events)
			}
			must(t, b.session(&person{pin: testPIN}))
		})
	}
}

// A device that comes back is another one to the session that had it.
func TestPulledAndPutBack(t *testing.T) {
	b := fresh(t, "5.7.1")
	b.generate(Signature, P256, PINOnce, TouchNever)
	events := b.events()
	tok := b.mustToken(Signature)
	key := tok.key(t)
	p := &person{pin: testPIN}
	signer := mustSigner(t, tok, p)
	must(t, b.Unplug())
	b.replug(events)
	_, infoError := tok.Info()
	_, keysError := tok.Keys()
	_, signerError := tok.Signer(key, p)
	_, attestError := tok.Attest(key)
	for name, err := range map[string]error{
		"Info": infoError, "Keys": keysError, "Signer": signerError, "Attest": attestError, "Sign": signsP256(signer),
	} {
		if !errors.Is(err, hsm.ErrRemoved) {
			t.Errorf("%s says %v, want %q", name, err, hsm.ErrRemoved)
		}
	}
	if p.typed != 1 {
		t.Errorf("asked %d times", p.typed)
	}
	must(t, tok.Close())
	must(t, b.session(p))
}

// Another device in the place of the one that was found is let go.
func TestExchanged(t *testing.T) {
	b := fresh(t, "5.7.1")
	device, err := find(serial)
	must(t, err)
	tok := &token{uri: URI{serial, Signature}, device: device}
	tok.service, err = pcsc.Connect()
	must(t, err)
	must(t, b.Swap(virtual.Config{Serial: serial + 1}))
	if err := tok.openExclusively(); !errors.Is(err, hsm.ErrRemoved) || !strings.Contains(err.Error(), "exchanged for one with serial number 14470877") {
		t.Errorf("error is %v", err)
	}
	must(t, tok.Close())
	must(t, mustAdmin(t, serial+1).Close())
}
