//go:build cgo && (linux || darwin)

package piv

import (
	"crypto/rand"
	"errors"
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/secret"
)

var _ hsm.Destroyer = (*token)(nil)

// Destroy implements hsm.Destroyer as Admin.Overwrite does it: another key is in
// the slot afterwards, which the device attests. It wants the management key
// besides the PIN: a prompter that is a ManagementPrompter is asked for it where
// the device neither gives it for the PIN nor has the factory's. On firmware 5.7
// and newer a key can be moved to another slot: that it is in none, Keys says in
// the next session.
func (t *token) Destroy(key hsm.Key, prompter hsm.Prompter) error {
	if err := t.alive(); err != nil {
		return err
	}
	if err := t.destroy(key, prompter); err != nil {
		return fmt.Errorf("destroying key %q of %s: %w", key.ID, t, err)
	}
	return nil
}

func (t *token) destroy(key hsm.Key, prompter hsm.Prompter) (err error) {
	slot, err := t.slotOf(key)
	if err != nil {
		return err
	}
	if slot.Slot != t.uri.Slot {
		return fmt.Errorf("the key is in slot %s, and the URI names slot %s: %w", slot.Slot, t.uri.Slot, hsm.ErrNotFound)
	}
	pin, err := t.askPIN(prompter)
	defer secret.Free(pin)
	if err != nil {
		return err
	}
	// The card is one program's at a time, and this session is piv-go's.
	if err := t.Close(); err != nil {
		return err
	}
	admin, err := OpenAdmin(t.uri.Serial, rand.Reader)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	manage, err := admin.management(pin, prompter)
	defer secret.Free(manage)
	if err != nil {
		return err
	}
	_, err = admin.Overwrite(t.uri.Slot, key.Public, manage)
	return err
}
