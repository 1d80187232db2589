package main

import (
	"bytes"
	"errors"
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/secret"
)

// openToken leaves a token that has a user PIN, and that PIN at hand.
func (p *hsmProvisioning) openToken() error {
	switch {
	case !p.slot.Initialised:
		return p.initialise()
	case !p.slot.HasPIN:
		return p.finishToken()
	}
	p.begin("The token. It is there, and has a PIN: type it as at every ceremony.")
	pin, err := (&pinPrompter{env: p.env, name: p.name}).PIN(hsm.PINRequest{Device: p.slot.Info, TriesLeft: p.slot.TriesLeft})
	p.pin = pin
	if err == nil && len(pin) == 0 {
		err = errors.New("asking for the PIN: nothing was typed, and no try was spent")
	}
	return err
}

// initialise makes a token out of an empty one. Both PINs are known before it is
// begun, so that nothing is waited for in between.
func (p *hsmProvisioning) initialise() error {
	p.begin("The SO PIN. The token is empty: it has never been initialised, so nothing is lost. The SO PIN sets a new PIN when that one is forgotten, and can wipe the token. Choose one of at least %d characters, write it on paper, and put that into the safe: not where the token is.", p.shortest())
	so, err := choose(p.env, "SO PIN", p.fit(nil))
	if err != nil {
		return err
	}
	defer secret.Free(so)
	if err := p.choosePIN(so); err != nil {
		return err
	}
	p.begin("The token. It is initialised, as \"%s\".", p.uri.Token)
	u := p.uri
	u.Object, u.ID = "", nil
	serial, err := pkcs11.CreateToken(u.String(), so, p.pin, p.options)
	if err != nil {
		return err
	}
	if p.uri.Serial != "" {
		p.uri.Serial = serial
	}
	p.uri.SlotID = nil // SoftHSM's number has changed
	fmt.Fprintln(p.env.out, "   Both PINs are set.")
	return p.seeAgain()
}

// finishToken sets the PIN of a token that was initialised by a run that ended
// there, or by somebody for the holder. Only who knows the SO PIN can.
func (p *hsmProvisioning) finishToken() error {
	p.begin("The SO PIN. The token is initialised and has no PIN yet: an earlier run was stopped, or somebody has prepared it for you. Type the SO PIN that it was given.")
	if p.slot.SOTriesLeft == 1 {
		if err := lastTry(p.env, "SO PIN", "nobody opens it again"); err != nil {
			return err
		}
	}
	so, err := p.env.ask.Secret("   Present SO PIN: ")
	if err == nil && len(so) == 0 {
		err = errors.New("asking for the SO PIN: nothing was typed, and no try was spent")
	}
	if err != nil {
		return err
	}
	defer secret.Free(so)
	if err := p.choosePIN(so); err != nil {
		return err
	}
	if err := pkcs11.SetPIN(p.at(nil, ""), so, p.pin, p.options); err != nil {
		return err
	}
	fmt.Fprintln(p.env.out, "   The PIN is set.")
	return p.seeAgain()
}

func (p *hsmProvisioning) choosePIN(so []byte) (err error) {
	p.begin("The PIN. You type it at every ceremony. Choose one of at least %d characters that you will remember and nobody can guess. Digits can be typed on every keyboard. Some tokens lock after a few wrong ones, and some never do: a short PIN is soon guessed there.", p.shortest())
	p.pin, err = choose(p.env, "PIN", p.fit(so))
	return err
}

// shortest is the length of the shortest PIN that is accepted.
func (p *hsmProvisioning) shortest() int { return p.slot.ShortestPIN() }

// fit refuses what is weak, and a PIN that gives the SO PIN away or the other
// way round: whoever has seen one typed would have both.
func (p *hsmProvisioning) fit(so []byte) func([]byte) error {
	slot := p.slot
	slot.Label = p.uri.Token
	return func(pin []byte) error {
		if err := slot.WeakPIN(pin); err != nil {
			return err
		}
		if so != nil && (bytes.Contains(pin, so) || bytes.Contains(so, pin)) {
			return errors.New("it is the SO PIN, or one is in the other")
		}
		return nil
	}
}

// seeAgain looks at the token as it is now.
func (p *hsmProvisioning) seeAgain() (err error) {
	if p.survey, err = pkcs11.Look(p.given, p.options); err != nil {
		return err
	}
	fits := p.survey.Filter(p.uri, true)
	if len(fits) != 1 {
		return fmt.Errorf("looking for token %q, which was set up: %d tokens fit: %w", p.uri.Token, len(fits), hsm.ErrNotFound)
	}
	p.slot = fits[0]
	return nil
}
