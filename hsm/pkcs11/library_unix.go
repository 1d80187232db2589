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

// Beginning and signing in one call, with room for the signature: where the
// room is asked for first, as the binding does, every signature is two.
static ck_rv sign(struct ck_function_list *l, ck_ulong session, ck_ulong mechanism, void *parameter, ck_ulong parameter_length,
	ck_ulong key, void *data, ck_ulong length, void *signature, ck_ulong *size)
{
	struct ck_mechanism m = { mechanism, parameter, parameter_length };
	ck_rv rv = ((ck_sign_init)l->function[CK_SIGN_INIT])(session, &m, key);
	if (rv != 0)
		return rv;
	return ((ck_sign)l->function[CK_SIGN])(session, data, length, signature, size);
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

func (l *library) SignOnce(session p11.SessionHandle, m *p11.Mechanism, key p11.ObjectHandle, data []byte) ([]byte, error) {
	signature := make([]byte, maxSignature)
	size := C.ck_ulong(len(signature))
	if len(data) == 0 {
		data = make([]byte, 0, 1) // some modules refuse NULL
	}
	err := answer(C.sign(l.functions, C.ck_ulong(session), C.ck_ulong(m.Mechanism), unsafe.Pointer(unsafe.SliceData(m.Parameter)), C.ck_ulong(len(m.Parameter)),
		C.ck_ulong(key), unsafe.Pointer(unsafe.SliceData(data)), C.ck_ulong(len(data)), unsafe.Pointer(&signature[0]), &size))
	if err != nil {
		return nil, err
	}
	if size > maxSignature {
		return nil, p11.Error(p11.CKR_BUFFER_TOO_SMALL) // and it wrote, or says it did, past its end
	}
	return signature[:size], nil
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
