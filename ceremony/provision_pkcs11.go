package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/uri"
	"tufceremony/hsm/secret"
)

// hsmProvisioning is a PKCS#11 token on its way into a plan. A module has been
// seen to report a key that was gone afterwards, and another to show a process
// only what that process has made. So a key is believed when a second process,
// which is a second run, has read it back; what the first one leaves for it lies
// in keys/.
type hsmProvisioning struct {
	*candidate
	given   string  // the URI as it was typed or planned
	typed   bool    // after --uri
	uri     uri.URI // of token and key; without an ID until there is one
	options pkcs11.Options
	survey  pkcs11.Survey
	slot    pkcs11.Slot // the token, once it is initialised
	note    keyNote     // what an earlier run has left
	made    madeNote
	pin     []byte // while it is at hand
}

func provisionHSM(c *candidate, text string, typed bool) (err error) {
	p := &hsmProvisioning{candidate: c, given: text, typed: typed, options: moduleOptions(c.plan.ModuleTimeout)}
	defer func() { secret.Free(p.pin) }()
	for _, refuse := range []func() error{p.describes, p.readNotes, p.rightWorld, p.attestable} {
		if err := refuse(); err != nil {
			return err
		}
	}
	if err := trustedModule(text, typed); err != nil {
		return err
	}
	return p.hint(p.run())
}

func (p *hsmProvisioning) run() error {
	if err := p.look(); err != nil {
		return err
	}
	key, err := p.visibleKey()
	switch {
	case err != nil:
		return err
	case key != nil && p.finished(*key):
		return p.believed(key.Public)
	case key != nil:
		return p.readBack(*key)
	}
	for _, step := range []func() error{p.openToken, p.makeKey} {
		if err := step(); err != nil {
			return err
		}
	}
	return p.onceMore()
}

// describes wants the URI to say which token and which key, as `sign` will look
// for them: nothing is made under a name that nobody has chosen.
func (p *hsmProvisioning) describes() (err error) {
	if p.uri, err = uri.Parse(p.given); err != nil {
		return hint(err, "%s", uriHint(p.given))
	}
	u := p.uri
	switch {
	case u.ModulePath == "":
		return hint(errors.New("provisioning: the URI does not say which module reaches the token"), "add ?module-path=/… with the module's file, in quotes")
	case u.PINSource != "":
		return hint(errors.New("provisioning: the URI names a file with the PIN, and a PIN is chosen and typed by its holder"), "leave out pin-source")
	case u.Token == "":
		return hint(errors.New("provisioning: the URI does not say which token"), "add token=… with its label, or with the one that an empty token is to get; `ceremony token list --module %s` shows those that are there", u.ModulePath)
	case u.Object == "":
		u.Object = p.name
		return hint(errors.New("provisioning: the URI does not say what the key is to be called"), "add object=… with a label for it: `%s`", p.command(u.String()))
	}
	p.uri.Type = ""
	return nil
}

// rightWorld keeps rehearsals on tokens that are called so.
func (p *hsmProvisioning) rightWorld() error {
	if err := realOrRehearsed(p.plan.Rehearsal, strings.HasPrefix(p.uri.Token, rehearsalLabel)); err != nil {
		return fmt.Errorf("provisioning: %w; nothing was changed", err)
	}
	return nil
}

// attestable refuses what draft will refuse, before anything is changed: what a
// module says of a key is no attestation. Evidence may come from elsewhere, as
// yubihsm-shell exports it, where the plan names it.
func (p *hsmProvisioning) attestable() error {
	waived := slices.ContainsFunc(p.plan.Waivers, func(w check.Waiver) bool { return w.Check == "ATTEST-MISSING" && w.Subject == p.name })
	if p.plan.Policy == nil || p.plan.Policy.Attestation != plan.Required || waived {
		return nil
	}
	if t, ok := p.plan.Roster.Token(p.name); ok && t.EvidenceFile != "" {
		return nil
	}
	return hint(errors.New("provisioning: the plan requires attestation, and PKCS#11 has none: draft would refuse the key"),
		"nothing was changed; have the plan waive ATTEST-MISSING for %q, with the reason. If the device's maker exports an attestation with a tool of its own, name its file there beside the token", p.name)
}

// command is what is typed to run this again: as it was, but for another URI.
func (p *hsmProvisioning) command(at string) string {
	text := fmt.Sprintf("ceremony token provision %s --token %s", p.dir, p.name)
	if p.typed || at != p.given {
		text += fmt.Sprintf(" --uri \"%s\"", at)
	}
	return text
}

// again is that command with the URI as it was given, and serial and slot of
// now: SoftHSM gives a token others when it is initialised.
func (p *hsmProvisioning) again() string {
	u, err := uri.Parse(p.given)
	if err != nil || u.Serial == p.uri.Serial && (u.SlotID == nil) == (p.uri.SlotID == nil) {
		return p.command(p.given)
	}
	u.Serial, u.SlotID = p.uri.Serial, p.uri.SlotID
	return p.command(u.String())
}

// hint says how to go on after an interruption.
func (p *hsmProvisioning) hint(err error) error {
	again := "`" + p.again() + "`"
	if told := interrupted(err, again); told != nil {
		return told
	}
	switch {
	case errors.Is(err, pkcs11.ErrSOPIN):
		return hint(err, "nothing is tried again by itself, and a locked SO PIN is opened by nobody; think before you run %s again", again)
	case errors.Is(err, pkcs11.ErrOwnSOPIN):
		return hint(err, "initialise it with the tools that came with it, as %q and with a PIN of yours; then run %s", p.uri.Token, again)
	case errors.Is(err, pkcs11.ErrSOLocked):
		return hint(err, "nobody opens it; if the token holds no key that is needed, wipe it with the tools that came with it")
	case errors.Is(err, hsm.ErrPINLocked):
		return hint(err, "the SO PIN sets a new one, with the tools that came with the token; then run %s", again)
	case errors.Is(err, hsm.ErrNoAnswer):
		return hint(err, "unplug the device, or have its maker's service restarted, and run %s: it looks first at what is there. A device that needs longer: module-timeout in the plan", again)
	case errors.Is(err, pkcs11.ErrTaken):
		return hint(err, "choose another label, with object=… in --uri; what is on the token is not this command's to remove")
	case errors.Is(err, pkcs11.ErrIDTaken):
		return hint(err, "half of a key is there, which a run that failed has left: remove it with the tools that came with the token, or choose another token name and another label")
	case errors.Is(err, hsm.ErrNotFound):
		return hint(err, "insert the device, or correct the URI; `ceremony token list --module %s` shows what is there", p.uri.ModulePath)
	}
	return hint(err, "run %s again: it goes on from where it stopped, or says what to undo", again)
}
