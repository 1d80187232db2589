//go:build cgo && linux

package piv

import (
	"errors"
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
