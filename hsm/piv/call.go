//go:build cgo && (linux || darwin)

package piv

import (
	"errors"
	"fmt"
	"strings"
	"time"

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
	_, answered := statusOf(err)
	if errors.Is(err, pcsc.ErrGone) || !answered && t.gone() {
		err = hsm.ErrRemoved
	}
	if errors.Is(err, hsm.ErrRemoved) {
		t.ended = hsm.ErrRemoved
	}
	return inWords(err, hsm.ErrRemoved)
}

// alive refuses what comes after Close, and after the device is gone.
func (t *token) alive() error {
	if t.ended == nil && t.changed() {
		t.ended = hsm.ErrRemoved
	}
	if t.ended != nil {
		return fmt.Errorf("using %s: %w", t, t.ended)
	}
	return nil
}

// noticing is how long the service may take to see that a device was pulled: it
// looks at some readers every 400 ms.
const noticing = time.Second

// gone says whether the device was pulled, and waits for the service to notice.
func (t *token) gone() bool {
	for deadline := time.Now().Add(noticing); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if t.changed() {
			return true
		}
	}
	return false
}

// changed says whether the reader is empty, has vanished, or holds a card that
// was inserted since.
func (t *token) changed() bool {
	state, err := t.service.State(t.device.name)
	return errors.Is(err, pcsc.ErrGone) || err == nil && (!state.Present || state.Events != t.device.state.Events)
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
	for _, known := range pivGoErrors {
		if strings.Contains(err.Error(), known.text) {
			return known.err
		}
	}
	return err
}
