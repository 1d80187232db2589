//go:build cgo && unix

package pkcs11

/*
#include "cryptoki.h"

static ck_rv login(struct ck_function_list *l, ck_ulong session, ck_ulong user, void *pin, ck_ulong length)
{
	return ((ck_login)l->function[CK_LOGIN])(session, user, pin, length);
}

static ck_rv init_pin(struct ck_function_list *l, ck_ulong session, void *pin, ck_ulong length)
{
	return ((ck_init_pin)l->function[CK_INIT_PIN])(session, pin, length);
}

static ck_rv init_token(struct ck_function_list *l, ck_ulong slot, void *pin, ck_ulong length, void *label)
{
	return ((ck_init_token)l->function[CK_INIT_TOKEN])(slot, pin, length, label);
}
*/
import "C"

import (
	"unsafe"

	p11 "github.com/miekg/pkcs11"
)

// library is a loaded module. It is the binding but for the calls that take a
// PIN: the binding wants a Go string and makes a C string of it, two copies
// that nobody can wipe. Here the module reads the PIN where the caller has it.
type library struct {
	*p11.Ctx
	functions *C.struct_ck_function_list
}

func load(s source) (cryptoki, error) {
	context := p11.New(s.path)
	if context == nil {
		return nil, errRefused
	}
	return &library{context, functionsOf(context)}, nil
}

// functionsOf gives the list that the binding calls through. Another call of
// C_GetFunctionList may give another: p11-kit's client gives one more module
// each time, and nobody has initialised that.
func functionsOf(context *p11.Ctx) *C.struct_ck_function_list {
	type loaded struct {
		handle    unsafe.Pointer
		functions *C.struct_ck_function_list
	}
	return (*(**loaded)(unsafe.Pointer(context))).functions
}

func (l *library) Login(session p11.SessionHandle, user uint, pin []byte) error {
	return answer(C.login(l.functions, C.ck_ulong(session), C.ck_ulong(user), unsafe.Pointer(unsafe.SliceData(pin)), C.ck_ulong(len(pin))))
}

func (l *library) InitPIN(session p11.SessionHandle, pin []byte) error {
	return answer(C.init_pin(l.functions, C.ck_ulong(session), unsafe.Pointer(unsafe.SliceData(pin)), C.ck_ulong(len(pin))))
}

// InitToken pads the label with blanks, as the standard has it.
func (l *library) InitToken(slot uint, pin []byte, label string) error {
	var padded [maxLabel]byte
	for i := copy(padded[:], label); i < len(padded); i++ {
		padded[i] = ' '
	}
	return answer(C.init_token(l.functions, C.ck_ulong(slot), unsafe.Pointer(unsafe.SliceData(pin)), C.ck_ulong(len(pin)), unsafe.Pointer(&padded[0])))
}

func answer(rv C.ck_rv) error {
	if rv == 0 {
		return nil
	}
	return p11.Error(rv)
}

// argument is the reserved argument as C has it, or NULL. The caller frees it,
// unless a module may have kept it.
func (s source) argument() unsafe.Pointer {
	if s.reserved == "" {
		return nil
	}
	return unsafe.Pointer(C.CString(s.reserved))
}
