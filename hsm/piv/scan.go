package piv

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
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
const patience = 5 * time.Second

// visit speaks to the card in a reader, in a transaction of its own beside
// other programs, and lets go of it.
func visit[T any](name string, read func(*card.Card) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := visitNow(name, read)
		done <- result{value, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C: // the goroutine lets go when the service lets it
		var none T
		return none, fmt.Errorf("it has not answered for %v: %w", patience, pcsc.ErrInUse)
	}
}

func visitNow[T any](name string, read func(*card.Card) (T, error)) (value T, err error) {
	service, err := pcsc.Connect()
	if err != nil {
		return value, err
	}
	defer service.Close()
	connection, err := service.Open(name, pcsc.Shared)
	if err != nil {
		return value, err
	}
	defer connection.Close(pcsc.Leave)
	return read(card.New(connection))
}

// found is a YubiKey that says what it is, or why it cannot be asked.
type found struct {
	reader
	identity
	err error
}

// identifyAll asks all YubiKeys what they are, at the same time.
func identifyAll(readers []reader) []found {
	var all []found
	for _, r := range readers {
		if r.holds() == YubiKey {
			all = append(all, found{reader: r})
		}
	}
	each(all, func(f *found) { f.identity, f.err = visit(f.name, identify) })
	return all
}

// each runs do for all elements at the same time. Every reader has a wire of
// its own.
func each[T any](all []T, do func(*T)) {
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() { do(&all[i]) })
	}
	group.Wait()
}
