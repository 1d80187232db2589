package piv

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"tufceremony/hsm"
	"tufceremony/hsm/piv/internal/card"
	"tufceremony/hsm/piv/internal/pcsc"
)

// Readers lists the smart card readers, and what is in them. No card is spoken
// to.
func Readers() ([]Reader, error) {
	seen, err := survey()
	if err != nil {
		return nil, fmt.Errorf("looking for smart card readers: %w", inWords(err, hsm.ErrNotFound))
	}
	readers := make([]Reader, len(seen))
	for i, r := range seen {
		readers[i] = Reader{Name: r.name, Holds: r.holds()}
	}
	return readers, nil
}

// reader is one reader at one time.
type reader struct {
	name  string
	state pcsc.State
}

// survey asks the service about all readers.
func survey() ([]reader, error) {
	service, err := pcsc.Connect()
	if err != nil {
		return nil, err
	}
	defer service.Close()
	names, err := service.Readers()
	if err != nil {
		return nil, err
	}
	var readers []reader
	for _, name := range names {
		state, err := service.State(name)
		if errors.Is(err, pcsc.ErrGone) {
			continue // pulled since
		}
		if err != nil {
			return nil, err
		}
		readers = append(readers, reader{name, state})
	}
	return readers, nil
}

func (r reader) holds() Content {
	switch {
	case !r.state.Present:
		return Nothing
	case bytes.Contains(bytes.ToLower(r.state.ATR), []byte("yubikey")):
		return YubiKey
	default:
		return OtherCard
	}
}

// patience is how long a card may take that is only asked what it is. One that
// another program makes wait for a finger takes longer.
var patience = 5 * time.Second

// visit speaks to the card in a reader, in a transaction of its own beside
// other programs, and lets go of it.
func visit[T any](where reader, read func(*card.Card) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done, late := make(chan result, 1), make(chan struct{})
	go func() {
		value, err := visitNow(where, late, read)
		done <- result{value, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		close(late)
		var none T
		return none, fmt.Errorf("it has not answered for %v: %w", patience, pcsc.ErrInUse)
	}
}

// visitNow waits for other programs' transactions as long as they take. If that
// is too late, it lets go of the card at once.
func visitNow[T any](where reader, late <-chan struct{}, read func(*card.Card) (T, error)) (value T, err error) {
	service, err := pcsc.Connect()
	if err != nil {
		return value, err
	}
	defer service.Close()
	connection, err := service.Open(where.name, pcsc.Shared)
	if err != nil {
		return value, err
	}
	select {
	case <-late:
		return value, connection.Close(pcsc.Leave)
	default:
	}
	value, err = read(card.New(connection))
	_ = connection.Close(pcsc.Leave) // what was read is read
	if isTransport(err) && where.vanished(service) {
		err = pcsc.ErrGone
	}
	return value, err
}

// noticing is how long the service may take to see that a device was pulled: it
// looks at some readers every 400 ms. Until then it only says that the card
// does not answer.
const noticing = time.Second

// vanished says whether the card was pulled, and waits for the service to
// notice.
func (r reader) vanished(service *pcsc.Service) bool {
	for deadline := time.Now().Add(noticing); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if r.changed(service) {
			return true
		}
	}
	return false
}

// changed says whether the reader is empty, is no longer there, or holds a card
// that was inserted since.
func (r reader) changed(service *pcsc.Service) bool {
	now, err := service.State(r.name)
	return errors.Is(err, pcsc.ErrGone) || err == nil && (!now.Present || now.Events != r.state.Events)
}

// found is a YubiKey that says what it is, or why it cannot be asked.
type found struct {
	reader
	identity
	err error
}

// identifyAll asks all YubiKeys what they are, one after the other: each closes
// its connection before the next is opened. libpcsclite 1.9.9 looks for a card's
// handle in the lists of every connection of the process and locks its own alone,
// and so a handle that another thread has just closed ends the program.
func identifyAll(readers []reader) []found {
	readers = slices.DeleteFunc(slices.Clone(readers), func(r reader) bool { return r.holds() != YubiKey })
	all := make([]found, len(readers))
	for i, r := range readers {
		all[i].reader = r
		all[i].identity, all[i].err = visit(r, identify)
	}
	return all
}
