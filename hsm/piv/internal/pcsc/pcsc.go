// Package pcsc asks the machine's smart card service (PC/SC) what stands in
// its readers, and speaks to one card.
//
//	service, err := pcsc.Connect()
//	defer service.Close()
//	readers, err := service.Readers()
//	state, err := service.State(readers[0]) // touches no card
//	card, err := service.Open(readers[0], pcsc.Exclusive)
//	defer card.Close(pcsc.Reset)
//	reply, err := card.Transmit([]byte{0x00, 0xA4, 0x04, 0x00, 5, 0xA0, 0, 0, 3, 8, 0})
//
// It is beside piv-go's own binding, to the same library, because that one
// cannot say whether a card is still the one that was opened, connects to
// nothing but YubiKeys, and keeps a reader locked when the first command
// fails.
//
// It knows nothing of PIV. It does not interpret status words, does not retry,
// and has no timeouts: a card decides how long it takes.
package pcsc

import (
	"errors"
	"fmt"
	"sync"
)

// connecting is held while a connection to the service is made, so that
// EndOrphans knows which are whose.
var connecting sync.Mutex

// State is what the service knows of a reader without asking the card.
type State struct {
	Present   bool   // a card is there, and has answered to power
	ATR       []byte // the card's answer to reset; nil if there is none
	Events    uint16 // counts insertions and removals, where the service counts
	Exclusive bool   // a program has the card for itself
}

// Sharing says who else may use a card while it is open.
type Sharing int

const (
	// Shared: others may use it in between, but not during a Transmit. It is
	// for reading, and holds a transaction as long as the card is open.
	Shared Sharing = iota + 1
	// Exclusive: nobody else.
	Exclusive
)

// Leaving says what becomes of the card when it is closed.
type Leaving int

const (
	// Leave: it keeps its state, also a PIN that was given.
	Leave Leaving = iota + 1
	// Reset: it forgets.
	Reset
)

// Errors that callers branch on.
var (
	// ErrNoService: no smart card service runs, or it has stopped.
	ErrNoService = errors.New("the smart card service is not running: start pcscd (`systemctl start pcscd.socket`)")
	// ErrInUse: another connection keeps this one out.
	ErrInUse = errors.New("another program is using the card")
	// ErrGone: there is no card in the reader, the reader is no longer there,
	// or the card was powered down since it was opened.
	ErrGone = errors.New("the card is gone")
	// ErrUnsupported: this build cannot do it.
	ErrUnsupported = errors.New("this build has no smart cards: build it with cgo, for Linux or macOS")
)

// ServiceError is a code of the service for which there is no better error.
type ServiceError struct {
	Code uint32 // SCARD_E_…, as in winscard.h
}

func (e *ServiceError) Error() string {
	if words, ok := serviceErrors[e.Code]; ok {
		return fmt.Sprintf("%s (PC/SC error %08X)", words, e.Code)
	}
	return fmt.Sprintf("the smart card service failed for an unusual reason (PC/SC error %08X)", e.Code)
}

var serviceErrors = map[uint32]string{
	0x80100001: "the smart card service failed",
	0x80100004: "the smart card service did not accept the request",
	0x80100006: "the smart card service ran out of memory",
	0x80100008: "the card answered with more than fits",
	0x8010000A: "the card took too long",
	0x8010000F: "the card does not speak the protocol that is wanted",
	0x80100010: "the reader or the card is not ready; pull it and insert it again",
	0x80100016: "the connection to the card failed; pull it and insert it again",
	0x80100013: "the smart card service cannot be spoken to",
	0x80100015: "the card answered to power with nonsense",
	0x8010001A: "the driver of the reader is too old",
	0x8010001F: "the card or its reader did something unexpected",
	0x8010002F: "the connection to the card is bad; pull it and insert it again",
	0x80100031: "the smart card service has too much to do",
	0x80100065: "the reader cannot speak to this card",
	0x80100066: "the card does not answer to power; pull it and insert it again",
	0x8010006A: "the smart card service does not let this user use cards; let an administrator allow it (polkit: org.debian.pcsc-lite.access_card)",
}

const (
	codeInvalidHandle     = 0x80100003
	codeUnknownReader     = 0x80100009
	codeSharingViolation  = 0x8010000B
	codeNoSmartCard       = 0x8010000C
	codeReaderUnavailable = 0x80100017
	codeNoService         = 0x8010001D
	codeServiceStopped    = 0x8010001E
	codeNoReaders         = 0x8010002E
	codeUnpowered         = 0x80100067
	codeResetCard         = 0x80100068
	codeRemovedCard       = 0x80100069
)

// check turns a return code into an error. A handle becomes invalid when its
// reader goes away, and a card that was opened exclusively is reset by nobody
// but whoever powers it down: both mean that the card is another one now, or
// must be taken for another one.
func check(code uint32) error {
	switch code {
	case 0:
		return nil
	case codeNoService, codeServiceStopped:
		return ErrNoService
	case codeSharingViolation:
		return ErrInUse
	case codeInvalidHandle, codeUnknownReader, codeNoSmartCard, codeReaderUnavailable, codeUnpowered, codeResetCard, codeRemovedCard:
		return ErrGone
	}
	return &ServiceError{Code: code}
}
