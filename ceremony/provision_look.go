package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/hsm/attest"
	"tufceremony/hsm/piv"
)

// look opens the device, says what it is, and refuses what could not be undone.
func (p *provisioning) look() (err error) {
	if p.admin, err = piv.OpenAdmin(p.uri.Serial, p.env.random); err != nil {
		return err
	}
	if p.state, err = p.admin.State(); err != nil {
		return err
	}
	seen := describeDevice(p.state.Info, &p.plan.Roster)
	wrapTo(p.env.out, "", "  ", fmt.Sprintf("Token %s will be a key in slot %s of this device: %s.", p.name, p.uri.Slot, seen.title()))
	policy := p.plan.Policy
	asks := fmt.Sprintf("The plan asks for: PIN %s, touch %s, management key %s", policy.PIN, policy.Touch, policy.ManagementKey)
	if policy.Firmware != "" {
		asks += ", firmware " + policy.Firmware + " or newer"
	}
	wrapTo(p.env.out, "", "  ", asks+".")
	for _, refuse := range []func() error{p.rightWorld, p.newEnough, p.asNew, p.slotIsFree, p.neverUsed} {
		if err := refuse(); err != nil {
			return err
		}
	}
	p.remark()
	return nil
}

// newEnough refuses a device that draft will refuse, before it is changed.
func (p *provisioning) newEnough() error {
	policy := p.plan.Policy
	waived := slices.ContainsFunc(p.plan.Waivers, func(w check.Waiver) bool { return w.Check == "ATTEST-FIRMWARE" && w.Subject == p.name })
	if policy.Firmware == "" || policy.Attestation != plan.Required || waived {
		return nil
	}
	below, err := attest.FirmwareBelow(p.state.Info.Firmware, policy.Firmware)
	if err != nil || !below {
		return err
	}
	return hint(fmt.Errorf("provisioning: the device has firmware %s, and the plan asks for %s or newer", p.state.Info.Firmware, policy.Firmware),
		"nothing was changed; firmware cannot be updated: use a newer device, or have the plan waive ATTEST-FIRMWARE for %q, with the reason", p.name)
}

// remark says what may be a mistake and need not be one.
func (p *provisioning) remark() {
	p.unplanned()
	for _, s := range p.state.Slots {
		if s.Slot != p.uri.Slot {
			wrapTo(p.env.out, "Note: ", "  ", fmt.Sprintf("slot %s of the device holds a key already%s. One theft would take both.", s.Slot, p.ownedBy(s.Public)))
		}
	}
}

// rightWorld keeps rehearsals on virtual cards, and virtual cards in rehearsals,
// by the certificate that the factory put into the device. Where the plan wants
// attestation, that certificate must lead to a root that it trusts: a
// counterfeit is not to learn a PIN.
func (p *provisioning) rightWorld() error {
	certificate, err := factoryCertificate(p.admin)
	if err == nil {
		err = realOrRehearsed(p.plan.Rehearsal, isVirtual(certificate, p.now))
	}
	if err == nil && p.plan.Policy.Attestation == plan.Required {
		err = p.knownMaker(certificate)
	}
	if err != nil {
		return fmt.Errorf("provisioning: %w; nothing was changed", err)
	}
	return nil
}

func (p *provisioning) knownMaker(certificate []byte) error {
	trust, err := evidence.Trust(p.plan.Policy, p.plan.Rehearsal, p.files)
	if err != nil {
		return err
	}
	_, err = attest.VerifyDevice(certificate, trust, p.now)
	return attestHint(err)
}

// asNew refuses a device that somebody has prepared. This command sets the PIN
// first: a PUK or a management key of somebody's beside the factory's PIN is
// none of its doing, and whoever knows them can take the device over later.
func (p *provisioning) asNew() error {
	pin, puk, management := p.state.PIN, p.state.PUK, p.state.Management
	const most = 15 // what firmware before 5.3 shows of any greater number
	switch {
	case pin.Factory == piv.Yes && (puk.Factory == piv.No || management.Factory == piv.No):
		return hint(errors.New("provisioning: the PIN is the factory's, and the PUK or the management key is somebody's: the device is not new"), "whoever knows them can take the key over; %s", p.wipe())
	case max(pin.Tries, puk.Tries) >= most || pin.TriesLeft >= most:
		return hint(fmt.Errorf("provisioning: the device takes %d wrong PINs and %d wrong PUKs, where a new one takes 3", pin.Tries, puk.Tries), "somebody has set it up to be guessed; %s", p.wipe())
	}
	return nil
}

// wipe is how a device becomes new.
func (p *provisioning) wipe() string {
	return fmt.Sprintf("`ceremony token reset %s` wipes the device, with all keys in it", piv.URI{Serial: p.uri.Serial})
}

// neverUsed asks where the device cannot tell: before firmware 5.3 a key that
// was imported without a certificate is not seen, and would be overwritten.
func (p *provisioning) neverUsed() error {
	if p.state.PIN.Factory != piv.Unknown || p.slotKey() != nil {
		return nil
	}
	wrapTo(p.env.out, "", "", fmt.Sprintf("This firmware does not show keys that were imported without a certificate. If slot %s holds one, it is overwritten.", p.uri.Slot))
	typed, err := p.env.ask.Line("Type \"empty\" if nobody has imported a key into this device: ")
	if err == nil && strings.TrimSpace(typed) != "empty" {
		err = errors.New("provisioning: something else was typed")
	}
	return hint(err, "nothing was changed; begin with a new device, or wipe this one: %s", p.wipe())
}

// slotIsFree refuses a slot in use, unless the key in it is this token's.
func (p *provisioning) slotIsFree() error {
	key := p.slotKey()
	public, written := p.written()
	switch {
	case key == nil && p.state.Occupied(p.uri.Slot):
		return hint(fmt.Errorf("provisioning: slot %s holds a certificate, and no key that can be read", p.uri.Slot), "it is not this command's to remove: choose another slot, or another device")
	case key == nil && written:
		return hint(fmt.Errorf("provisioning: %s is there already, and slot %s is empty", p.file("pem"), p.uri.Slot),
			"the plan's key of this token is in another device or slot; a new key gets a new token name")
	case key == nil && p.files[p.file("attestation.pem")] != nil:
		return hint(fmt.Errorf("provisioning: %s is there already, and slot %s is empty", p.file("attestation.pem"), p.uri.Slot),
			"it is evidence of another key; a new key gets a new token name")
	case key == nil:
		return nil
	case !p.couldBeOurs(key):
		return hint(fmt.Errorf("provisioning: slot %s holds a key that this command does not make: %s, PIN %s, touch %s", p.uri.Slot, key.Origin, key.PINPolicy, key.TouchPolicy),
			"nothing was changed; choose another slot, or another device")
	case written && samePublic(public, key.Public):
		if _, err := p.evidence(); err != nil {
			return err
		}
		fmt.Fprintf(p.env.out, "Slot %s holds the key of %s: going on from there.\n", p.uri.Slot, p.file("pem"))
		return nil
	case written, p.hasCertificate():
		return hint(fmt.Errorf("provisioning: slot %s holds another key already%s", p.uri.Slot, p.ownedBy(key.Public)),
			"nothing was changed; if that is the token you mean, name it with --token; else choose another slot, or another device")
	}
	return p.adopt()
}

// adopt takes over a key that an earlier run has made and not written down.
// Whether it was this command cannot be seen: the holder must say so.
func (p *provisioning) adopt() error {
	fmt.Fprintln(p.env.out)
	wrapTo(p.env.out, "", "", fmt.Sprintf("Slot %s holds a key without a certificate, as this command leaves it when it is stopped. If you began with a device that was new, it is yours.", p.uri.Slot))
	typed, err := p.env.ask.Line("Type the serial number of the device to go on with that key: ")
	if err == nil && strings.TrimSpace(typed) != p.uri.SerialText() {
		err = errors.New("provisioning: another number was typed")
	}
	return hint(err, "nothing was changed; run the command again and type the number on the back of the device, or choose another slot if the key is not yours")
}

// couldBeOurs: generated in the device, with the plan's policies. Before firmware
// 5.3 a device tells by attesting the key, which it does of none that it
// imported.
func (p *provisioning) couldBeOurs(key *piv.SlotInfo) bool {
	made := key.Origin == piv.Generated || key.From == piv.FromAttestation
	return made && key.PINPolicy == pinPolicies[p.plan.Policy.PIN] && key.TouchPolicy == touchPolicies[p.plan.Policy.Touch]
}

// complete: nothing on the device is left to be done.
func (p *provisioning) complete() bool { return p.slotKey() != nil && p.hasCertificate() }

func (p *provisioning) slotKey() *piv.SlotInfo {
	i := slices.IndexFunc(p.state.Slots, func(s piv.SlotInfo) bool { return s.Slot == p.uri.Slot })
	if i < 0 {
		return nil
	}
	return &p.state.Slots[i]
}

func (p *provisioning) hasCertificate() bool {
	return slices.Contains(p.state.Certificates, p.uri.Slot)
}
