package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/uri"
)

// look says which module and which token it is, and refuses what this command
// cannot set up, or must not touch.
func (p *hsmProvisioning) look() (err error) {
	if p.survey, err = pkcs11.Look(p.given, p.options); err != nil {
		return err
	}
	l := p.survey.Library
	wrapTo(p.env.out, "", "  ", fmt.Sprintf("Token %s will be the key \"%s\" in the PKCS#11 token \"%s\".", p.name, tufmeta.Printable(p.uri.Object), tufmeta.Printable(p.uri.Token)))
	wrapTo(p.env.out, "Module: ", "  ", tufmeta.Printable(fmt.Sprintf("%s, %q by %q, version %s", p.uri.ModulePath, l.Description, l.Manufacturer, l.Version)))
	for _, s := range p.survey.Slots {
		wrapTo(p.env.out, "It shows: ", "  ", slotTitle(s))
	}
	if err := p.findSlot(); err != nil {
		return err
	}
	if err := p.suits(p.slot); err != nil {
		return err
	}
	p.unplanned()
	// Before a token is initialised or a key made, which cannot be done twice.
	return durable.Writable(p.dir)
}

func slotTitle(s pkcs11.Slot) string {
	if s.Initialised {
		return deviceName(s.Info) + ", firmware " + tufmeta.Printable(s.Firmware)
	}
	title := fmt.Sprintf("an empty token in slot %d", s.Number)
	for _, text := range []string{s.Model, s.Serial} {
		if text != "" {
			title += ", " + tufmeta.Printable(text)
		}
	}
	return title
}

// findSlot finds the token: the one of that label, or an empty one that may get
// it. An initialised token of another label is nobody's but its user's.
func (p *hsmProvisioning) findSlot() error {
	switch fits := p.survey.Filter(p.uri, true); {
	case len(fits) == 1:
		p.slot = fits[0]
		return p.sameToken()
	case len(fits) > 1:
		return hint(fmt.Errorf("provisioning: %d tokens fit the URI: %s", len(fits), slotTitles(fits)), "add serial=… to the URI")
	}
	if p.note.ID != "" {
		return fmt.Errorf("provisioning: by %s the key is in token %q, which is not there: %w", p.file(idFile), tufmeta.Printable(p.note.Token), hsm.ErrNotFound)
	}
	if others := p.survey.Filter(uri.URI{Token: p.uri.Token}, true); len(others) > 0 {
		return hint(fmt.Errorf("provisioning: there is a token of that label, and the rest of the URI does not fit it: %s", slotTitles(others)), "nothing was changed; correct the URI, or choose another label for the empty token")
	}
	switch empty := p.survey.Filter(p.uri, false); len(empty) {
	case 0:
		return fmt.Errorf("provisioning: the module shows neither a token %q nor an empty one that fits the URI: %w", p.uri.Token, hsm.ErrNotFound)
	case 1:
		p.slot = empty[0]
		return nil
	default:
		return hint(fmt.Errorf("provisioning: %d tokens are empty, and the URI chooses none of them: %s", len(empty), slotTitles(empty)), "nothing was changed; add serial=… to the URI, or where they have none slot-id=…")
	}
}

func slotTitles(slots []pkcs11.Slot) string {
	var titles []string
	for _, s := range slots {
		titles = append(titles, slotTitle(s))
	}
	return strings.Join(titles, "; ")
}

// suits refuses tokens that need something else than this command.
func (p *hsmProvisioning) suits(s pkcs11.Slot) error {
	switch {
	case strings.HasPrefix(s.Model, "YubiKey"), s.Manufacturer == "piv_II":
		return hint(errors.New("provisioning: this is a PIV card, whose slots cannot be set up through PKCS#11"),
			"name a YubiKey by its own URI: piv:serial=…;slot=9c; nothing was changed")
	case s.PINPad:
		return hint(fmt.Errorf("provisioning: the token wants its PINs on a PIN pad: %w", hsm.ErrUnsupported),
			"nothing was changed; make the key with the tools that came with the device, and put its public half into keys/")
	case s.Initialised && s.HasPIN && s.TriesLeft == 0:
		return hsm.ErrPINLocked
	case s.Initialised && !s.HasPIN && s.SOTriesLeft == 0:
		return pkcs11.ErrSOLocked
	}
	return nil
}

// at is the URI of the token, or of its one key with that ID.
func (p *hsmProvisioning) at(id []byte, label string) string {
	u := p.uri
	u.ID, u.Object = id, label
	return u.String()
}

// visibleKey is the key that an earlier run has made, by the ID that it noted.
// Public keys are seen without a PIN. Where there is none, label and ID must be
// free.
func (p *hsmProvisioning) visibleKey() (*hsm.Key, error) {
	if !p.slot.Initialised {
		return nil, p.notLost()
	}
	keys, err := visibleKeys(p.at(nil, ""), p.options)
	if err != nil {
		return nil, err
	}
	var mine []hsm.Key
	for _, k := range keys {
		switch {
		case p.note.ID != "" && k.ID == p.note.ID:
			mine = append(mine, k)
		case k.Label == p.uri.Object:
			return nil, fmt.Errorf("provisioning: the token holds a key labelled %q already%s: %w", p.uri.Object, p.ownedBy(k.Public), pkcs11.ErrTaken)
		}
	}
	switch {
	case len(mine) > 1:
		return nil, hint(fmt.Errorf("provisioning: %d public keys on the token have the ID that was drawn for this key, %s: somebody has put one there", len(mine), p.note.ID),
			"do not use the token; keep it as it is, and find out who had it")
	case len(mine) == 1 && mine[0].Label != p.uri.Object:
		return nil, hint(fmt.Errorf("provisioning: the key that an earlier run has made is labelled %q", tufmeta.Printable(mine[0].Label)), "give that label in --uri: object=…")
	case len(mine) == 1:
		return &mine[0], nil
	case len(keys) > 0:
		wrapTo(p.env.out, "Note: ", "  ", fmt.Sprintf("the token holds %s already. One theft would take all.", plural(len(keys), "other key")))
	}
	return nil, p.notLost()
}

// notLost refuses to make a key in the place of one that was reported.
func (p *hsmProvisioning) notLost() error {
	_, written := p.written()
	switch {
	case p.made.ID != "":
		return hint(fmt.Errorf("provisioning: an earlier run has made a key, by %s, and the token does not hold it any more", p.file(madeFile)),
			"a token that loses keys is not to be relied on; take another one, and another token name")
	case written:
		return hint(fmt.Errorf("provisioning: %s is there already, and the token does not hold that key", p.file("pem")),
			"the plan's key of this token is in another device; a new key gets a new token name")
	}
	return nil
}

// moduleFile is how the module is called, without where it lies: that is this
// machine's affair.
func (p *hsmProvisioning) moduleFile() string { return filepath.Base(p.uri.ModulePath) }
