//go:build cgo && !unix

package pkcs11

import (
	"unsafe"

	p11 "github.com/miekg/pkcs11"
)

// library gives PINs to the binding as strings, which leaves copies of them on
// Go's heap and on C's.
type library struct{ *p11.Ctx }

func load(s source) (cryptoki, error) {
	context := p11.New(s.path)
	if context == nil {
		return nil, errRefused
	}
	return &library{context}, nil
}

func (l *library) Login(session p11.SessionHandle, user uint, pin []byte) error {
	return l.Ctx.Login(session, user, string(pin))
}

func (l *library) InitPIN(session p11.SessionHandle, pin []byte) error {
	return l.Ctx.InitPIN(session, string(pin))
}

func (l *library) InitToken(slot uint, pin []byte, label string) error {
	return l.Ctx.InitToken(slot, string(pin), label)
}

func (l *library) SignOnce(session p11.SessionHandle, m *p11.Mechanism, key p11.ObjectHandle, data []byte) ([]byte, error) {
	if err := l.SignInit(session, []*p11.Mechanism{m}, key); err != nil {
		return nil, err
	}
	return l.Sign(session, data)
}

func (s source) argument() unsafe.Pointer {
	if s.reserved == "" {
		return nil
	}
	text := append([]byte(s.reserved), 0)
	return unsafe.Pointer(&text[0])
}
