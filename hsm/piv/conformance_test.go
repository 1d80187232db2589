//go:build cgo && linux

package piv

import (
	"testing"

	"tufceremony/hsm"
	"tufceremony/hsm/hsmtest"
	"tufceremony/hsm/virtual"
)

const insAuthenticate = 0x87

func TestConformance(t *testing.T) {
	for _, firmware := range firmwares {
		t.Run(firmware, func(t *testing.T) {
			hsmtest.Run(t, hsmtest.Device{New: func(t *testing.T) hsmtest.Instance {
				b := fresh(t, firmware)
				b.generate(Signature, P256, PINOnce, TouchNever)
				return instance(b, firmware)
			}})
		})
	}
}

func instance(b bench, firmware string) hsmtest.Instance {
	withTouch := func(t *testing.T) {
		b = fresh(t, firmware)
		b.generate(Signature, P256, PINOnce, TouchAlways)
	}
	return hsmtest.Instance{
		Open:      func() (hsm.Token, error) { return Open(b.uri(Signature)) },
		PIN:       []byte(testPIN),
		WrongPIN:  []byte(testWrongPIN),
		Tries:     testTries,
		Remove:    func(t *testing.T) { must(t, b.PullAtINS(insAuthenticate, virtual.Before)) },
		WantTouch: func(t *testing.T) { withTouch(t) },
		MissTouch: func(t *testing.T) {
			withTouch(t)
			must(t, b.MissTouch())
		},
	}
}
