package soft

import (
	"errors"
	"fmt"
)

// FaultKind is a way in which devices fail.
type FaultKind string

const (
	// TouchMissed: the finger does not come. Nothing is signed, and the
	// session goes on.
	TouchMissed FaultKind = "touch-missed"
	// Removed: the device is pulled. Everything answers hsm.ErrRemoved until
	// the token is opened again.
	Removed FaultKind = "removed"
	// WrongSignature: the device returns, without an error, a signature over
	// something else. Modules have been seen to do so.
	WrongSignature FaultKind = "wrong-signature"
)

// Fault is one failure to come. It happens once.
type Fault struct {
	Kind FaultKind `json:"kind"`
	// Signature says when: 1 is the next signature that is asked for.
	Signature int `json:"signature"`
}

const (
	maxFaults      = 8
	maxFaultDelays = 1000
)

// SetFault makes a token fail at a later signature. It is kept in the token's
// file, so that another process meets it. Several faults at different
// signatures may wait at the same time. The token must not be open.
func SetFault(dir, name string, fault Fault) error {
	token, err := Open(dir, name)
	if err != nil {
		return err
	}
	defer token.Close()
	changed := *token.contents
	changed.Faults = append(append([]Fault{}, changed.Faults...), fault)
	if err := changed.check(); err != nil {
		return fmt.Errorf("setting a fault on soft token %q: %w", name, err)
	}
	return token.store(&changed)
}

func checkFaults(faults []Fault, touchRequired bool) error {
	switch {
	case faults == nil:
		return errors.New("faults is missing")
	case len(faults) > maxFaults:
		return fmt.Errorf("faults: more than %d", maxFaults)
	}
	seen := make(map[int]bool)
	for i, fault := range faults {
		if err := fault.check(touchRequired); err != nil {
			return fmt.Errorf("faults[%d]: %w", i, err)
		}
		if seen[fault.Signature] {
			return fmt.Errorf("faults[%d]: there is another one at signature %d", i, fault.Signature)
		}
		seen[fault.Signature] = true
	}
	return nil
}

func (f Fault) check(touchRequired bool) error {
	switch f.Kind {
	case Removed, WrongSignature:
	case TouchMissed:
		if !touchRequired {
			return errors.New("a token that wants no touch cannot miss one")
		}
	default:
		return fmt.Errorf("unknown kind %q", f.Kind)
	}
	if f.Signature < 1 || f.Signature > maxFaultDelays {
		return fmt.Errorf("signature must be 1 to %d", maxFaultDelays)
	}
	return nil
}

// nextFault counts one signature, writes the count, and returns the fault that
// is due: empty if none is. Tokens without faults are not written to.
func (t *Token) nextFault() (FaultKind, error) {
	if len(t.contents.Faults) == 0 {
		return "", nil
	}
	var due FaultKind
	changed := *t.contents
	changed.Faults = []Fault{}
	for _, fault := range t.contents.Faults {
		if fault.Signature--; fault.Signature == 0 {
			due = fault.Kind
		} else {
			changed.Faults = append(changed.Faults, fault)
		}
	}
	return due, t.store(&changed)
}
