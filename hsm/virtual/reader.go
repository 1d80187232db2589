package virtual

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// reader is one port of vpcd, and the card that is in it or lies beside it.
type reader struct {
	address string

	// watch waits until pcscd shows a card in this reader, or none. It is nil
	// where nobody can be asked.
	watch func(present bool) error

	mu   sync.Mutex // one of plug, unplug, replace at a time
	card *Card      // nil: nothing to plug
	stay *stay      // nil: the card lies beside the reader
}

var (
	errNoCard    = errors.New("there is no card at this reader")
	errPlugged   = errors.New("the card is in the reader already")
	errUnplugged = errors.New("the card is not in the reader")
)

// plug puts the card in, and returns when pcscd has switched it on and shows
// it to clients.
func (r *reader) plug() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plugLocked()
}

func (r *reader) plugLocked() error {
	switch {
	case r.card == nil:
		return errNoCard
	case r.stay != nil && !r.stay.ended():
		return errPlugged
	}
	// Exchanged before pcscd has seen the last one go, it would be the same
	// card, and never switched on.
	if err := r.waitOver(); err != nil {
		return err
	}
	if err := r.insert(); err != nil {
		return fmt.Errorf("plugging a card: %w", err)
	}
	return nil
}

func (r *reader) insert() error {
	conn, err := dial(r.address)
	if err != nil {
		return err
	}
	r.card.PowerCycle()
	r.card.bench.plugged()
	r.stay = newStay(r.card, conn)
	go r.stay.serve()
	select {
	case <-r.stay.powered:
	case <-r.stay.over:
		return errors.New("vpcd closed the connection")
	case <-time.After(patience):
		r.stay.pull()
		return errors.New("pcscd did not switch it on")
	}
	if r.watch != nil {
		return r.watch(true)
	}
	return nil
}

// dial waits for vpcd to listen: cards are plugged while pcscd starts.
func dial(address string) (*net.TCPConn, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.(*net.TCPConn), nil
		}
		if time.Now().After(deadline) {
			return nil, err
		}
	}
}

// unplug pulls the card, and returns when pcscd shows that it is gone.
func (r *reader) unplug() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stay == nil || r.stay.ended() {
		return errUnplugged
	}
	return r.unplugLocked()
}

func (r *reader) unplugLocked() error {
	if r.stay != nil {
		r.stay.pull()
	}
	return r.waitOver()
}

// waitOver waits until vpcd has let go of the last card, and pcscd knows.
func (r *reader) waitOver() error {
	if r.stay == nil {
		return nil
	}
	select {
	case <-r.stay.over:
	case <-time.After(patience):
		r.stay.conn.Close()
		<-r.stay.over
	}
	r.stay = nil
	if r.watch != nil {
		return r.watch(false)
	}
	return nil
}

// replace puts another card into the reader, or with nil leaves it empty.
func (r *reader) replace(card *Card) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.unplugLocked(); err != nil {
		return err
	}
	r.card = card
	if card == nil {
		return nil
	}
	return r.plugLocked()
}

// swap replaces the card without pulling it: to pcscd, and to whoever has it
// open, it is as if the card had lost all that it knew.
func (r *reader) swap(card *Card) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stay == nil || r.stay.ended() {
		return errUnplugged
	}
	r.card = card
	r.stay.card.Store(card)
	return nil
}

// look returns the card, and whether it is in the reader.
func (r *reader) look() (card *Card, plugged bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.card, r.stay != nil && !r.stay.ended()
}
