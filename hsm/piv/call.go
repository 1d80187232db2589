//go:build cgo && (linux || darwin)

package piv

import (
	"errors"
	"fmt"
	"strings"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/pcsc"
)

// protect runs what calls piv-go, which panics on some replies that are shorter
// than it expects.
func protect(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the card answered with something that piv-go cannot read: %v", r)
		}
	}()
	return f()
}

// call runs a command of piv-go, and says in words what went wrong. A device
// that was pulled ends the session.
func (t *token) call(f func() error) error {
	if err := protect(f); err != nil {
		return t.judge(err)
	}
	return nil
}

func (t *token) judge(err error) error {
	err = fromPIVGo(err)
	if errors.Is(err, pcsc.ErrGone) || isPIVGoTransport(err) && t.device.vanished(t.service) {
		err = hsm.ErrRemoved
	}
	if errors.Is(err, hsm.ErrRemoved) {
		t.ended = hsm.ErrRemoved
	}
	return inWords(err, hsm.ErrRemoved)
}

// alive refuses what comes after Close, and after the device is gone.
func (t *token) alive() error {
	if t.ended == nil && t.device.changed(t.service) {
		t.ended = hsm.ErrRemoved
	}
	if t.ended != nil {
		return fmt.Errorf("using %s: %w", t, t.ended)
	}
	return nil
}

// pivGoErrors are the errors of the service in piv-go's words, which are all
// that it lets out of itself. A device that was pulled and inserted again
// before the service was asked has left no other trace.
var pivGoErrors = []struct {
	text string
	err  error
}{
	{"because of other connections outstanding", pcsc.ErrInUse},
	{"has been removed", pcsc.ErrGone},
	{"has been reset", pcsc.ErrGone},
	{"no Smart Card is currently in the device", pcsc.ErrGone},
	{"supplied handle was invalid", pcsc.ErrGone},
	{"power has been removed", pcsc.ErrGone},
	{"reader name is not recognized", pcsc.ErrGone},
	{"reader is not currently available", pcsc.ErrGone},
	{"resource manager is not running", pcsc.ErrNoService},
	{"resource manager has shut down", pcsc.ErrNoService},
}

func fromPIVGo(err error) error {
	if _, answered := statusOf(err); answered {
		return err
	}
	for _, known := range pivGoErrors {
		if strings.Contains(err.Error(), known.text) {
			return known.err
		}
	}
	return err
}

// isPIVGoTransport is isTransport for errors of piv-go: no answer came, or one
// without a status word, as from a card that is pulled while it works.
func isPIVGoTransport(err error) bool {
	if _, answered := statusOf(err); err == nil || answered {
		return false
	}
	return strings.Contains(err.Error(), "transmitting request") || strings.Contains(err.Error(), "scard response too short")
}
