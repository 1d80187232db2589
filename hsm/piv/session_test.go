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
// does not.
func TestOrphan(t *testing.T) {
	for _, fault := range []struct {
		name string
		set  func(bench) error
	}{
		{"refused", func(b bench) error { return b.AnswerAt(1, 0x6A82) }},
		{"pulled", func(b bench) error { return b.PullAt(1, virtual.Before) }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			b := fresh(t, "5.7.1")
			b.generate(Signature, P256, PINOnce, TouchNever)
			device, err := find(serial)
			must(t, err)
			must(t, fault.set(b))
			tok := &token{uri: URI{serial, Signature}, device: device}
			tok.service, err = pcsc.Connect()
			must(t, err)
			if err := tok.openExclusively(); err == nil {
				t.Fatal("opened")
			} else {
				t.Log(err)
			}
			if fault.name == "pulled" {
				must(t, b.Plug())
			}
			again, err := Open(b.uri(Signature))
			if err != nil {
				t.Fatal(err)
			}
			must(t, again.Close())
			_ = errors.Is(err, hsm.ErrRemoved)
		})
	}
}
