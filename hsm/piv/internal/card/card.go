// Package card speaks the commands of a YubiKey's PIV application: NIST SP
// 800-73-4, with Yubico's extensions.
//
//	c := card.New(channel)
//	err := c.Select(card.PIV)
//	firmware, err := c.Version()
//	metadata, err := c.Metadata(0x9c)
//
// Errors of the card are a Status, which holds the status word and no words:
// the caller translates. Errors of the channel come as they are. What a card
// answers is read strictly, and never panics.
//
// The package keeps no state but the channel: which application is selected,
// and which PIN or key was given, is between the caller and the card.
package card

import (
	"errors"
	"fmt"
)

// Channel sends one command and returns the reply with its status word.
type Channel interface {
	Transmit(command []byte) ([]byte, error)
}

// Status is a status word that is not 9000.
type Status uint16

func (s Status) Error() string { return fmt.Sprintf("status word %04X", uint16(s)) }

// Status returns the word, as the errors of piv-go do.
func (s Status) Status() uint16 { return uint16(s) }

// ErrMalformed: a reply is not what the command's reply can be.
var ErrMalformed = errors.New("the card's reply is malformed")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

// Card is one card, reached through a channel.
type Card struct{ channel Channel }

// New returns the card at the other end of a channel.
func New(channel Channel) *Card { return &Card{channel} }

// Instruction bytes: SP 800-73-4, ISO 7816-4, and Yubico's extensions.
const (
	insVerify                = 0x20
	insChangeReference       = 0x24
	insResetRetry            = 0x2C
	insGenerate              = 0x47
	insAuthenticate          = 0x87
	insSelect                = 0xA4
	insGetResponse           = 0xC0
	insGetData               = 0xCB
	insPutData               = 0xDB
	insMetadata              = 0xF7
	insSerial                = 0xF8
	insAttest                = 0xF9
	insReset                 = 0xFB
	insVersion               = 0xFD
	insSetManagementKey      = 0xFF
	insReadConfig            = 0x1D // of the management application
	insOTP                   = 0x01 // of the OTP application
	otpSerial           byte = 0x10
)

const (
	maxCommandData = 255
	maxReplyData   = 64 << 10 // longer than any certificate: bounds a card that never ends
)

// command sends one instruction and returns the data of the reply. Data longer
// than a short command takes is chained, and a reply in pieces is put together.
func (c *Card) command(instruction, p1, p2 byte, data []byte) ([]byte, error) {
	for len(data) > maxCommandData {
		if _, _, err := c.exchange(0x10, instruction, p1, p2, data[:maxCommandData]); err != nil {
			return nil, err
		}
		data = data[maxCommandData:]
	}
	reply, more, err := c.exchange(0, instruction, p1, p2, data)
	for rounds := 0; err == nil && more; rounds++ {
		var piece []byte
		piece, more, err = c.exchange(0, insGetResponse, 0, 0, nil)
		reply = append(reply, piece...)
		if len(reply) > maxReplyData || rounds > maxReplyData/256 {
			return nil, malformed("it does not end")
		}
	}
	if err != nil {
		return nil, err
	}
	return reply, nil
}

func (c *Card) exchange(class, instruction, p1, p2 byte, data []byte) (reply []byte, more bool, err error) {
	request := append([]byte{class, instruction, p1, p2, byte(len(data))}, data...)
	defer clear(request) // it may hold a PIN
	raw, err := c.channel.Transmit(request)
	if err != nil {
		return nil, false, err
	}
	if len(raw) < 2 {
		return nil, false, malformed("it has no status word")
	}
	reply, word := raw[:len(raw)-2], Status(raw[len(raw)-2])<<8|Status(raw[len(raw)-1])
	switch {
	case word == 0x9000:
		return reply, false, nil
	case word>>8 == 0x61:
		return reply, true, nil
	}
	return nil, false, word
}
