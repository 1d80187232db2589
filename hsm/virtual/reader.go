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

	mu   sync.Mutex // one of plug, unplug, replace at a time
	card *Card      // nil: nothing to plug
	stay *stay      // nil: the card lies beside the reader
}

// pcscd looks at its readers every 400 ms. A card that is exchanged faster is
// the same card to it.
const poll = 400 * time.Millisecond

var (
	errNoCard  = errors.New("there is no card at this reader")
	errPlugged = errors.New("the card is in the reader already")
)

// plug puts the card in, and returns when pcscd has switched it on.
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
	for {
		noticed, err := r.tryPlug()
		if noticed || err != nil {
			return err
		}
	}
}

// tryPlug puts the card in once. Where pcscd did not see the last one go, it
// pulls this one as well, and reports false.
func (r *reader) tryPlug() (noticed bool, err error) {
	r.waitOver()
	conn, err := dial(r.address)
	if err != nil {
		return false, fmt.Errorf("plugging a card: %w", err)
	}
	r.card.PowerCycle()
	r.card.bench.plugged()
	r.stay = newStay(r.card, conn)
	go r.stay.serve()
	select {
	case <-r.stay.powered:
		return true, nil
	case <-r.stay.stale:
		r.stay.pull()
		return false, nil
	case <-r.stay.over:
		return false, errors.New("plugging a card: vpcd closed the connection")
	case <-time.After(patience):
		r.stay.pull()
		return false, errors.New("plugging a card: pcscd did not switch it on")
	}
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

// unplug pulls the card, and returns when vpcd knows.
func (r *reader) unplug() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stay == nil || r.stay.ended() {
		return errors.New("the card is not in the reader")
	}
	r.unplugLocked()
	return nil
}

func (r *reader) unplugLocked() {
	if r.stay != nil {
		r.stay.pull()
		r.waitOver()
	}
}

// waitOver waits until vpcd has let go of the last card.
func (r *reader) waitOver() {
	if r.stay == nil {
		return
	}
	select {
	case <-r.stay.over:
	case <-time.After(patience):
		r.stay.conn.Close()
		<-r.stay.over
	}
	// In the middle of an APDU it is the client that saw it go, not yet pcscd.
	time.Sleep(time.Until(r.stay.abrupt.Add(poll + poll/8)))
	r.stay = nil
}

// replace puts another card into the reader, or with nil leaves it empty.
func (r *reader) replace(card *Card) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unplugLocked()
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
		return errors.New("the card is not in the reader")
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
