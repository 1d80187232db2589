//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"slices"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

// vague are return values that are all that some modules have to say of a device
// that was pulled, and that mean other things as well: at a signature, OpenSC
// answers CKR_GENERAL_ERROR and Yubico's module CKR_DEVICE_ERROR. None at hand
// has been seen to answer CKR_DEVICE_REMOVED there.
var vague = []p11.Error{
	p11.CKR_GENERAL_ERROR, p11.CKR_FUNCTION_FAILED, p11.CKR_DEVICE_ERROR,
	p11.CKR_KEY_HANDLE_INVALID, p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_OPERATION_NOT_INITIALIZED,
	p11.CKR_TOKEN_NOT_RECOGNIZED, p11.CKR_USER_NOT_LOGGED_IN,
}

// A card that was pulled is listed for a moment longer: pcscd looks after its
// readers every 400 ms.
const (
	noticed = time.Second
	glance  = 100 * time.Millisecond
)

// explain puts a module's error into words. After a vague one it looks whether
// the token is still there: its holder can put it back, and goes on from there.
func (t *token) explain(err error) error {
	if isCode(err, vague...) && t.gone() {
		return fmt.Errorf("%w, and the token is no longer in its slot: %w", translate(err), hsm.ErrRemoved)
	}
	return translate(err)
}

// removable says whether the token is a card or the like, which can be pulled.
// Yubico's module shows one that was pulled while it was read as empty.
func (t *token) removable() bool {
	slot, err := ask(t.module, t.limit, func(c cryptoki) (p11.SlotInfo, error) { return c.GetSlotInfo(t.id.slot) })
	return err != nil || slot.Flags&p11.CKF_REMOVABLE_DEVICE != 0
}

// gone says whether the module shows the token no longer; no session and no PIN
// is needed for that. No answer proves nothing, and a module that was given up
// is asked no more. It is for the list to find out that a card was pulled: asked
// for the token instead, twice, OpenSC 0.23 waits for a lock that it holds.
func (t *token) gone() bool {
	for end := time.Now().Add(min(noticed, t.limit)); time.Now().Before(end); time.Sleep(glance) {
		slots, err := ask(t.module, t.limit, func(c cryptoki) ([]uint, error) { return c.GetSlotList(true) })
		if err == nil && !slices.Contains(slots, t.id.slot) {
			return true
		}
	}
	info, err := ask(t.module, t.limit, func(c cryptoki) (p11.TokenInfo, error) { return c.GetTokenInfo(t.id.slot) })
	return err == nil && (found{t.id.slot, trimInfo(info)}).identity() != t.id || errors.Is(translate(err), hsm.ErrRemoved)
}
