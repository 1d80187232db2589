// Package hsmtest is the conformance suite that every driver passes.
//
//	hsmtest.Run(t, hsmtest.Device{
//		New:   newToken,
//		Lacks: map[hsmtest.Capability]string{hsmtest.Locks: "SoftHSM counts no wrong PINs"},
//	})
//
// It tests what callers rely on: what costs a PIN try and what does not, that
// nobody is asked twice, which errors can be branched on, and that a signature
// verifies with the standard library. What a device cannot do is named with a
// reason, and shows as a skipped test; it is never passed over in silence.
//
// It will not run on a token that somebody needs: it gives wrong PINs until
// the token locks.
package hsmtest

import (
	"errors"
	"slices"
	"testing"

	"tufceremony/hsm"
)

// Capability is something that not every device does.
type Capability string

const (
	// Exclusive: a second opener is refused.
	Exclusive Capability = "exclusive"
	// Counts: wrong PINs are counted and reported.
	Counts Capability = "counts"
	// Locks: the token locks after Instance.Tries wrong PINs.
	Locks Capability = "locks"
	// Removal: Instance.Remove pulls the device.
	Removal Capability = "removal"
	// Touch: Instance.WantTouch makes the device want touches.
	Touch Capability = "touch"
	// MissedTouch: Instance.MissTouch keeps the finger away once.
	MissedTouch Capability = "missed-touch"
	// Destruction: the token is a hsm.Destroyer.
	Destruction Capability = "destruction"
)

var capabilities = []Capability{Exclusive, Counts, Locks, Removal, Touch, MissedTouch, Destruction}

// Device is a driver under test.
type Device struct {
	// New prepares a fresh device with at least one P-256 key, or an RSA key
	// where it has no curves, for one test.
	New func(t *testing.T) Instance
	// Lacks says what the device cannot do, and why.
	Lacks map[Capability]string
}

// Instance is one fresh device. Hooks are called while no token is open; those
// of capabilities that the device lacks stay nil.
type Instance struct {
	Open     func() (hsm.Token, error)
	PIN      []byte
	WrongPIN []byte // as long as the right one
	Tries    int    // wrong PINs until it locks

	Remove    func(t *testing.T) // the device is pulled at the next signature
	WantTouch func(t *testing.T) // every signature wants a touch from now on
	MissTouch func(t *testing.T) // and the next one does not come
}

type test struct {
	name  string
	needs Capability // empty: every device passes
	run   func(*testing.T, Instance)
}

var tests = []test{
	{"info without a PIN", "", testInfo},
	{"keys without a PIN", "", testKeys},
	{"sign and verify", "", testSign},
	{"two signatures after one PIN", "", testTwoSignatures},
	{"only SHA-256 digests", "", testDigests},
	{"wrong PIN", "", testWrongPIN},
	{"wrong PIN is counted", Counts, testCounted},
	{"unknown key", "", testUnknownKey},
	{"nobody answers", "", testNoAnswer},
	{"empty PIN", "", testEmptyPIN},
	{"PIN is wiped", "", testWiped},
	{"use after close", "", testClosed},
	{"open again", "", testReopen},
	{"second opener", Exclusive, testSecondOpener},
	{"locking", Locks, testLocking},
	{"removal", Removal, testRemoval},
	{"touch", Touch, testTouch},
	{"missed touch", MissedTouch, testMissedTouch},
	{"destroy", Destruction, testDestroy},
	{"destroy nothing else", Destruction, testDestroyRefused},
}

// Run runs the suite.
func Run(t *testing.T, d Device) {
	for capability := range d.Lacks {
		if !slices.Contains(capabilities, capability) {
			t.Fatalf("the device lacks %q, which is not a capability", capability)
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if reason, lacks := d.Lacks[test.needs]; lacks {
				t.Skipf("the device lacks %q: %s", test.needs, reason)
			}
			test.run(t, d.New(t))
		})
	}
}

// person is a prompter that types one PIN, or gives up, and counts.
type person struct {
	pin     []byte
	err     error
	typed   []byte // the slice that was handed over
	asked   []hsm.PINRequest
	touches []hsm.TouchRequest
	waiting int // touches that were asked for, and whose wait is not over
}

func (p *person) PIN(request hsm.PINRequest) ([]byte, error) {
	p.asked = append(p.asked, request)
	if p.err != nil {
		return nil, p.err
	}
	p.typed = slices.Clone(p.pin)
	return p.typed, nil
}

func (p *person) Touch(request hsm.TouchRequest) func() {
	p.touches = append(p.touches, request)
	p.waiting++
	return func() { p.waiting-- }
}

func (p *person) wantAsked(t *testing.T, times int) {
	t.Helper()
	if len(p.asked) != times {
		t.Errorf("asked for the PIN %d times, want %d", len(p.asked), times)
	}
}

// nobody fails the test when it is asked for anything.
type nobody struct{ t *testing.T }

func (n nobody) PIN(hsm.PINRequest) ([]byte, error) {
	n.t.Error("asked for a PIN")
	return nil, errors.New("nobody is there")
}

func (n nobody) Touch(hsm.TouchRequest) func() {
	n.t.Error("asked for a touch")
	return func() {}
}
