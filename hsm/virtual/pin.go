package virtual

import (
	"bytes"
	"crypto/subtle"
)

// secret is the PIN or the PUK.
type secret struct {
	value       []byte // padded with FF to eight bytes
	tries, left int
}

const pinLength = 8

// padPIN is for PINs of this package, which are short enough.
func padPIN(pin string) []byte {
	return append([]byte(pin), bytes.Repeat([]byte{0xff}, pinLength-len(pin))...)
}

// try spends a try before it compares, and gives them all back if right.
func (s *secret) try(value []byte) status {
	if s.left == 0 {
		return blocked
	}
	s.left--
	if subtle.ConstantTimeCompare(s.value, value) != 1 {
		return triesLeft(s.left)
	}
	s.left = s.tries
	return ok
}

const (
	referencePIN = 0x80
	referencePUK = 0x81
)

// verify is VERIFY. Without data it asks, and spends nothing: 9000 where the
// PIN was verified, or the tries left. P1 FF logs out.
func (p *pivApplet) verify(c command) status {
	if c.p2 != referencePIN {
		return referenceNotFound
	}
	switch {
	case c.p1 == 0xff && len(c.data) == 0:
		p.pinVerified, p.pinFresh = false, false
		return ok
	case c.p1 != 0:
		return wrongParameters
	case len(c.data) == 0:
		return p.askPIN()
	case len(c.data) != pinLength:
		return wrongData
	}
	sw := p.pin.try(c.data)
	p.pinVerified, p.pinFresh = sw == ok, sw == ok
	return sw
}

func (p *pivApplet) askPIN() status {
	verified := p.pinVerified
	if p.version == (firmware{5, 3, 1}) {
		// A defect of that firmware: asking logs out.
		p.pinVerified, p.pinFresh = false, false
	}
	switch {
	case verified:
		return ok
	case p.pin.left == 0:
		return blocked
	}
	return triesLeft(p.pin.left)
}

// changeReference is CHANGE REFERENCE DATA, for the PIN and the PUK.
func (p *pivApplet) changeReference(c command) status {
	s := &p.pin
	switch {
	case c.p1 != 0:
		return wrongParameters
	case c.p2 == referencePUK:
		s = &p.puk
	case c.p2 != referencePIN:
		return referenceNotFound
	}
	if len(c.data) != 2*pinLength {
		return wrongData
	}
	if sw := s.try(c.data[:pinLength]); sw != ok {
		if s == &p.pin {
			p.pinVerified, p.pinFresh = false, false
		}
		return sw
	}
	return p.replace(s, c.data[pinLength:])
}

// resetRetry is RESET RETRY COUNTER. It counts the PUK before it looks at the
// new PIN, so that clients may block a PUK with a PIN that could never be.
func (p *pivApplet) resetRetry(c command) status {
	switch {
	case c.p1 != 0:
		return wrongParameters
	case c.p2 != referencePIN:
		return referenceNotFound
	case len(c.data) != 2*pinLength:
		return wrongData
	}
	if sw := p.puk.try(c.data[:pinLength]); sw != ok {
		return sw
	}
	sw := p.replace(&p.pin, c.data[pinLength:])
	if sw == ok {
		p.pin.left = p.pin.tries
	}
	return sw
}

func (p *pivApplet) replace(s *secret, value []byte) status {
	length := len(bytes.TrimRight(value, "\xff"))
	switch {
	case length < 6 || bytes.IndexByte(value[:length], 0xff) >= 0:
		return wrongData
	case p.config.PINComplexity && guessable(value[:length]):
		return conditions
	}
	s.value = bytes.Clone(value)
	return ok
}

// guessable is a small part of what the firmware refuses: one character all
// over, and the best known.
func guessable(pin []byte) bool {
	if len(bytes.Trim(pin, string(pin[:1]))) == 0 {
		return true
	}
	for _, known := range []string{"123456", "1234567", "12345678", "654321", "123123", "123321", "112233", "520520"} {
		if string(pin) == known {
			return true
		}
	}
	return false
}

// setRetries wants the PIN too, and puts PIN and PUK back to the factory's.
func (p *pivApplet) setRetries(c command) ([]byte, status) {
	switch {
	case !p.pinVerified:
		return nil, securityStatus
	case c.p1 == 0 || c.p2 == 0 || len(c.data) != 0:
		return nil, wrongData
	}
	p.pin = secret{value: padPIN("123456"), tries: int(c.p1), left: int(c.p1)}
	p.puk = secret{value: padPIN("12345678"), tries: int(c.p2), left: int(c.p2)}
	return nil, ok
}

func (p *pivApplet) reset() status {
	if p.pin.left > 0 || p.puk.left > 0 {
		return conditions
	}
	p.wipe()
	return ok
}
