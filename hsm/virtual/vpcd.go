package virtual

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// stay is one card in the reader, from plug to pull.
//
// The link to vpcd is a TCP connection that the card opens. Every message is
// two bytes of length and the payload. A payload of one byte is the reader's
// own: power off, power on, reset, and a question for the ATR, which pcscd
// repeats every 400 ms to see whether the card is still there. All others are
// APDUs.
type stay struct {
	card atomic.Pointer[Card]
	conn *net.TCPConn

	powered chan struct{} // closed when pcscd has switched the card on
	left    chan struct{} // closed when the card is out
	over    chan struct{} // closed when vpcd has seen it

	powerOnce, leaveOnce sync.Once
}

func newStay(card *Card, conn *net.TCPConn) *stay {
	s := &stay{conn: conn, powered: make(chan struct{}), left: make(chan struct{}), over: make(chan struct{})}
	s.card.Store(card)
	return s
}

const (
	vpcdOff   = 0
	vpcdOn    = 1
	vpcdReset = 2
	vpcdATR   = 4
)

func (s *stay) serve() {
	defer close(s.over)
	defer s.conn.Close()
	for {
		message, err := s.read()
		if err != nil {
			s.pull()
			return
		}
		reply, pulled := s.handle(message)
		if pulled {
			s.pull()
		}
		if s.ended() {
			// vpcd hears of it when it reads next, and then closes its side.
			io.Copy(io.Discard, s.conn)
			return
		}
		if reply == nil {
			continue
		}
		if _, err := s.conn.Write(frame(reply)); err != nil {
			s.pull()
			return
		}
	}
}

func (s *stay) handle(message []byte) (reply []byte, pulled bool) {
	card := s.card.Load()
	if len(message) != 1 {
		return card.transmit(message)
	}
	switch message[0] {
	case vpcdOn:
		card.PowerCycle()
		s.powerOnce.Do(func() { close(s.powered) })
	case vpcdOff, vpcdReset:
		card.PowerCycle()
	case vpcdATR:
		return card.ATR(), false
	}
	return nil, false
}

// read waits for one message. Acknowledgements must go out at once: vpcd sends
// length and payload apart, and holds the payload back until the length is
// acknowledged, which Linux by itself puts off for 40 ms.
func (s *stay) read() ([]byte, error) {
	if err := quickAck(s.conn); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(s.conn, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(s.conn, message)
	return message, err
}

func frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(payload))), payload...)
}

// pull takes the card out. Closing one half of the connection tells vpcd, and
// leaves the other half to tell when vpcd has heard.
func (s *stay) pull() {
	s.leaveOnce.Do(func() {
		close(s.left)
		s.card.Load().bench.pulled()
		s.conn.CloseWrite()
	})
}

func (s *stay) ended() bool {
	select {
	case <-s.left:
		return true
	default:
		return false
	}
}
