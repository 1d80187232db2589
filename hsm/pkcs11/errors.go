//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

// returnValue is what a return value of a module means to a person.
type returnValue struct {
	name string
	text string
	is   error // what callers branch on, or nil
}

// vendorDefined marks return values that only the module's maker explains.
const vendorDefined = 0x80000000

// returnValues are the values that a signing session can meet. The session
// values count as removal: sessions are closed by this driver, or by the module
// when the device goes away (PKCS#11 2.40, 5.6), and this driver forgets those
// that it closed.
var returnValues = map[p11.Error]returnValue{
	0x01:  {"CKR_CANCEL", "it was cancelled", nil},
	0x02:  {"CKR_HOST_MEMORY", "the module ran out of memory", nil},
	0x03:  {"CKR_SLOT_ID_INVALID", "the slot no longer exists", hsm.ErrRemoved},
	0x05:  {"CKR_GENERAL_ERROR", "the module failed and does not say why", nil},
	0x06:  {"CKR_FUNCTION_FAILED", "the module could not do it and does not say why", nil},
	0x07:  {"CKR_ARGUMENTS_BAD", "the module did not accept the arguments", nil},
	0x0A:  {"CKR_CANT_LOCK", "the module cannot be used from several threads", hsm.ErrUnsupported},
	0x10:  {"CKR_ATTRIBUTE_READ_ONLY", "the attribute cannot be set", nil},
	0x11:  {"CKR_ATTRIBUTE_SENSITIVE", "the attribute is secret", nil},
	0x12:  {"CKR_ATTRIBUTE_TYPE_INVALID", "the object has no such attribute", nil},
	0x13:  {"CKR_ATTRIBUTE_VALUE_INVALID", "the device does not take that value of an attribute", nil},
	0x1B:  {"CKR_ACTION_PROHIBITED", "the device's policy forbids it", nil},
	0x20:  {"CKR_DATA_INVALID", "the device does not sign such data", nil},
	0x21:  {"CKR_DATA_LEN_RANGE", "the device does not sign data of that length", nil},
	0x30:  {"CKR_DEVICE_ERROR", "the device or its driver failed", nil},
	0x31:  {"CKR_DEVICE_MEMORY", "the device's memory is full", nil},
	0x32:  {"CKR_DEVICE_REMOVED", "it is gone", hsm.ErrRemoved},
	0x50:  {"CKR_FUNCTION_CANCELED", "it was cancelled at the device", nil},
	0x54:  {"CKR_FUNCTION_NOT_SUPPORTED", "the module has no such function", hsm.ErrUnsupported},
	0x60:  {"CKR_KEY_HANDLE_INVALID", "the key is no longer there", nil},
	0x62:  {"CKR_KEY_SIZE_RANGE", "the device does not take keys of that size", hsm.ErrUnsupported},
	0x63:  {"CKR_KEY_TYPE_INCONSISTENT", "the key is of a type that does not sign this way", nil},
	0x68:  {"CKR_KEY_FUNCTION_NOT_PERMITTED", "the key may not be used to sign", nil},
	0x70:  {"CKR_MECHANISM_INVALID", "the device does not have this kind of signature or key", hsm.ErrUnsupported},
	0x71:  {"CKR_MECHANISM_PARAM_INVALID", "the device does not take these parameters", hsm.ErrUnsupported},
	0x82:  {"CKR_OBJECT_HANDLE_INVALID", "the object is no longer there", nil},
	0x90:  {"CKR_OPERATION_ACTIVE", "another operation was not finished", nil},
	0x91:  {"CKR_OPERATION_NOT_INITIALIZED", "the module lost track of the operation", nil},
	0xA0:  {"CKR_PIN_INCORRECT", "wrong PIN", nil},
	0xA1:  {"CKR_PIN_INVALID", "the PIN has characters that the device does not take", nil},
	0xA2:  {"CKR_PIN_LEN_RANGE", "the PIN is shorter or longer than the device takes", nil},
	0xA3:  {"CKR_PIN_EXPIRED", "the PIN has expired and must be changed first", nil},
	0xA4:  {"CKR_PIN_LOCKED", "too many wrong PINs were given", hsm.ErrPINLocked},
	0xB0:  {"CKR_SESSION_CLOSED", "the session ended", hsm.ErrRemoved},
	0xB1:  {"CKR_SESSION_COUNT", "the device takes no more sessions; another program holds them", nil},
	0xB3:  {"CKR_SESSION_HANDLE_INVALID", "the session ended", hsm.ErrRemoved},
	0xB5:  {"CKR_SESSION_READ_ONLY", "the session is read-only", nil},
	0xB6:  {"CKR_SESSION_EXISTS", "another program has a session with the device", nil},
	0xD0:  {"CKR_TEMPLATE_INCOMPLETE", "the device wants more attributes for the key", nil},
	0xD1:  {"CKR_TEMPLATE_INCONSISTENT", "the device does not take these attributes together", nil},
	0xE0:  {"CKR_TOKEN_NOT_PRESENT", "there is no token in the slot", hsm.ErrRemoved},
	0xE1:  {"CKR_TOKEN_NOT_RECOGNIZED", "the module does not know this kind of token", nil},
	0xE2:  {"CKR_TOKEN_WRITE_PROTECTED", "the token is write-protected", nil},
	0x100: {"CKR_USER_ALREADY_LOGGED_IN", "somebody is logged in already", nil},
	0x101: {"CKR_USER_NOT_LOGGED_IN", "the device wants a login for this", nil},
	0x102: {"CKR_USER_PIN_NOT_INITIALIZED", "no user PIN has been set on the token", nil},
	0x103: {"CKR_USER_TYPE_INVALID", "the module does not know this kind of login", nil},
	0x104: {"CKR_USER_ANOTHER_ALREADY_LOGGED_IN", "the security officer is logged in", nil},
	0x130: {"CKR_DOMAIN_PARAMS_INVALID", "the device does not have this curve", hsm.ErrUnsupported},
	0x140: {"CKR_CURVE_NOT_SUPPORTED", "the device does not have this curve", hsm.ErrUnsupported},
	0x150: {"CKR_BUFFER_TOO_SMALL", "the module returned more than it announced", nil},
	0x190: {"CKR_CRYPTOKI_NOT_INITIALIZED", "the module is not initialised", nil},
	0x191: {"CKR_CRYPTOKI_ALREADY_INITIALIZED", "another part of this process uses the module already", nil},
	0x200: {"CKR_FUNCTION_REJECTED", "it was refused at the device", nil},
}

// translate turns a module's return value into words, with the name in
// parentheses for whoever searches for it.
func translate(err error) error {
	var code p11.Error
	if !errors.As(err, &code) {
		return err
	}
	value, known := returnValues[code]
	switch {
	case !known && code >= vendorDefined:
		return fmt.Errorf("the module failed for a reason that only its maker knows (vendor-defined CKR 0x%X)", uint(code))
	case !known:
		return fmt.Errorf("the module failed for an unusual reason (CKR 0x%X)", uint(code))
	case value.is != nil:
		return fmt.Errorf("%s (%s): %w", value.text, value.name, value.is)
	default:
		return fmt.Errorf("%s (%s)", value.text, value.name)
	}
}

// printable shows text of a library's as one line, in a message.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// isCode says whether err is one of the return values.
func isCode(err error, codes ...p11.Error) bool {
	var code p11.Error
	if !errors.As(err, &code) {
		return false
	}
	for _, c := range codes {
		if c == code {
			return true
		}
	}
	return false
}

// pinCodes are what a device answers that has looked at the PIN.
var pinCodes = []p11.Error{p11.CKR_PIN_INCORRECT, p11.CKR_PIN_INVALID, p11.CKR_PIN_LEN_RANGE}

// translateLogin is translate for a login that was refused. flags are the
// token's, read after the refusal: they say what the try cost.
func translateLogin(err error, flags uint) error {
	if !isCode(err, pinCodes...) {
		return translate(err)
	}
	if flags&p11.CKF_USER_PIN_LOCKED != 0 {
		return fmt.Errorf("wrong PIN, and that was the last try: %w", hsm.ErrPINLocked)
	}
	wrong := &hsm.PINError{TriesLeft: triesLeft(flags)}
	if isCode(err, p11.CKR_PIN_INCORRECT) {
		return wrong
	}
	return fmt.Errorf("%w: %w", translate(err), wrong)
}

// triesLeft is what the flags tell about the user PIN. COUNT_LOW only says
// that a wrong one was given before.
func triesLeft(flags uint) int {
	switch {
	case flags&p11.CKF_USER_PIN_LOCKED != 0:
		return 0
	case flags&p11.CKF_USER_PIN_FINAL_TRY != 0:
		return 1
	default:
		return hsm.Unknown
	}
}
