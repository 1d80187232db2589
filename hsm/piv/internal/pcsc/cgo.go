//go:build cgo && (linux || darwin)

package pcsc

// #cgo linux pkg-config: libpcsclite
// #cgo darwin LDFLAGS: -framework PCSC
// #include <stdlib.h>
// #include <string.h>
// #include <PCSC/winscard.h>
// #include <PCSC/wintypes.h>
//
// // reader_state asks for the state of one reader. It is in C because the
// // structure is packed on macOS, where Go cannot see all of its fields.
// static LONG reader_state(SCARDCONTEXT context, const char *reader, DWORD *event, BYTE *atr, DWORD *length) {
// 	SCARD_READERSTATE state;
// 	memset(&state, 0, sizeof state);
// 	state.szReader = reader;
// 	state.dwCurrentState = SCARD_STATE_UNAWARE;
// 	LONG code = SCardGetStatusChange(context, 0, &state, 1);
// 	*event = state.dwEventState;
// 	*length = state.cbAtr < MAX_ATR_SIZE ? state.cbAtr : MAX_ATR_SIZE;
// 	memcpy(atr, state.rgbAtr, *length);
// 	return code;
// }
//
// static LONG transmit(SCARDHANDLE card, const BYTE *command, DWORD length, BYTE *reply, DWORD *size) {
// 	return SCardTransmit(card, SCARD_PCI_T1, command, length, NULL, reply, size);
// }
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// Service is a connection to the smart card service. Its methods are not safe
// for concurrent use.
type Service struct{ context C.SCARDCONTEXT }

// Connect connects to the service.
func Connect() (*Service, error) {
	connecting.Lock()
	defer connecting.Unlock()
	s := new(Service)
	if err := checkLong(C.SCardEstablishContext(C.SCARD_SCOPE_SYSTEM, nil, nil, &s.context)); err != nil {
		return nil, fmt.Errorf("connecting to the smart card service: %w", err)
	}
	return s, nil
}

// Close ends the connection, and what was opened through it.
func (s *Service) Close() error { return checkLong(C.SCardReleaseContext(s.context)) }

// Readers returns the names of all readers, whether they hold a card or not.
func (s *Service) Readers() ([]string, error) {
	// A reader may be plugged in between the question for the size and the one
	// for the names: room for that is given at once.
	names := make([]byte, 16<<10)
	size := C.DWORD(len(names))
	code := C.SCardListReaders(s.context, nil, (*C.char)(unsafe.Pointer(&names[0])), &size)
	if uint32(code) == codeNoReaders {
		return nil, nil
	}
	if err := checkLong(code); err != nil {
		return nil, fmt.Errorf("listing the smart card readers: %w", err)
	}
	return splitNames(names[:size]), nil
}

// splitNames splits a list in which each name ends in a NUL byte, and an empty
// one ends the list.
func splitNames(names []byte) []string {
	return strings.FieldsFunc(string(names), func(r rune) bool { return r == 0 })
}

// State asks the service about a reader. The error wraps ErrGone if the reader
// is no longer there.
func (s *Service) State(reader string) (State, error) {
	name := C.CString(reader)
	defer C.free(unsafe.Pointer(name))
	var event, length C.DWORD
	atr := make([]byte, C.MAX_ATR_SIZE)
	code := C.reader_state(s.context, name, &event, (*C.BYTE)(&atr[0]), &length)
	if err := checkLong(code); err != nil {
		return State{}, fmt.Errorf("asking for the state of reader %q: %w", reader, err)
	}
	if event&(C.SCARD_STATE_UNKNOWN|C.SCARD_STATE_UNAVAILABLE|C.SCARD_STATE_IGNORE) != 0 {
		return State{}, fmt.Errorf("asking for the state of reader %q: %w", reader, ErrGone)
	}
	state := State{
		Present:   event&C.SCARD_STATE_PRESENT != 0 && event&C.SCARD_STATE_MUTE == 0,
		Exclusive: event&C.SCARD_STATE_EXCLUSIVE != 0,
		Events:    uint16(event >> 16),
	}
	if state.Present {
		state.ATR = atr[:length]
	}
	return state, nil
}

// Card is an open connection to one card.
type Card struct {
	handle C.SCARDHANDLE
	open   bool
}

// Open connects to the card in a reader. The errors wrap ErrInUse and ErrGone.
// Where a card is shared, Open waits for the end of the others' transactions,
// however long that takes.
func (s *Service) Open(reader string, sharing Sharing) (*Card, error) {
	name := C.CString(reader)
	defer C.free(unsafe.Pointer(name))
	mode := C.DWORD(C.SCARD_SHARE_SHARED)
	if sharing == Exclusive {
		mode = C.SCARD_SHARE_EXCLUSIVE
	}
	card := &Card{open: true}
	var protocol C.DWORD
	err := checkLong(C.SCardConnect(s.context, name, mode, C.SCARD_PROTOCOL_T1, &card.handle, &protocol))
	if err != nil {
		return nil, fmt.Errorf("connecting to the card: %w", err)
	}
	if err := checkLong(C.SCardBeginTransaction(card.handle)); err != nil {
		_ = card.Close(Leave) // says nothing that the first error did not
		return nil, fmt.Errorf("beginning a transaction with the card: %w", err)
	}
	return card, nil
}

// maxReply is the longest reply to a short command, with its status word.
const maxReply = 258

// Transmit sends one command of ISO 7816-4 and returns the reply, which ends
// in a status word of two bytes. An error is one of the transport: whether the
// card has executed the command is then not known.
func (c *Card) Transmit(command []byte) ([]byte, error) {
	if !c.open || len(command) == 0 {
		return nil, ErrGone
	}
	reply := make([]byte, maxReply)
	size := C.DWORD(len(reply))
	code := C.transmit(c.handle, (*C.BYTE)(&command[0]), C.DWORD(len(command)), (*C.BYTE)(&reply[0]), &size)
	if err := checkLong(code); err != nil {
		return nil, err
	}
	// A card that is pulled while it works is sometimes reported as an answer
	// of no bytes, without an error.
	if size < 2 {
		return nil, ErrGone
	}
	return reply[:size], nil
}

// Close ends the connection and lets others in. Closing twice is no error.
func (c *Card) Close(leaving Leaving) error {
	if !c.open {
		return nil
	}
	c.open = false
	disposition := C.DWORD(C.SCARD_LEAVE_CARD)
	if leaving == Reset {
		disposition = C.SCARD_RESET_CARD
	}
	return checkLong(C.SCardDisconnect(c.handle, disposition))
}

// checkLong is check for what the library returns: a C long on Linux, an int
// on macOS, of which the low 32 bits count.
func checkLong[T ~int32 | ~int64](code T) error { return check(uint32(code)) }
