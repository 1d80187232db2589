package main

import (
	"encoding/hex"
	"errors"
	"fmt"

	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
)

// makeKey has the token make the key, under an ID that is on disk before: a run
// that is stopped in between leaves a key that the next one knows.
func (p *hsmProvisioning) makeKey() error {
	if err := p.noteID(); err != nil {
		return err
	}
	p.begin("The key. The token makes it, on P-256, with the random ID %s. It can sign, and is to do nothing else and never to leave the token. Some tokens take minutes.", p.note.ID)
	key, err := pkcs11.GenerateKey(p.at(p.uri.ID, p.uri.Object), p.pin, p.options)
	if err != nil {
		return p.notMade(err)
	}
	fingerprint, err := tufmeta.Fingerprint(key.Public)
	if err != nil {
		return err
	}
	p.made = madeNote{Fingerprint: fingerprint, ID: p.note.ID}
	text, err := encodeNote(p.made)
	if err != nil {
		return err
	}
	return p.keep(madeFile, text)
}

func (p *hsmProvisioning) noteID() error {
	if p.note.ID != "" {
		return nil
	}
	id, err := pkcs11.NewID(p.env.random)
	if err != nil {
		return err
	}
	note := keyNote{ID: hex.EncodeToString(id), Object: p.uri.Object, Serial: tufmeta.Printable(p.slot.Serial), Token: p.uri.Token}
	text, err := encodeNote(note)
	if err == nil {
		err = p.keep(idFile, text)
	}
	if err == nil {
		p.note, p.uri.ID = note, id
	}
	return err
}

// notMade says what is left where the token has refused.
func (p *hsmProvisioning) notMade(err error) error {
	var pin *hsm.PINError
	switch {
	case errors.As(err, &pin), errors.Is(err, hsm.ErrPINLocked):
		return err
	case errors.Is(err, hsm.ErrUnsupported):
		return hint(fmt.Errorf("%w; no key was made", err), "the token cannot make keys for TUF, which are on P-256: use another one, under another token name. Of %s no key was made", p.file(idFile))
	}
	return err
}

// onceMore ends the run in which the key was made. Nothing in keys/ is a public
// key yet.
func (p *hsmProvisioning) onceMore() error {
	fmt.Fprintln(p.env.out)
	wrapTo(p.env.out, "", "", "The key is made, and it is not believed yet. There are modules that report a key which is gone as soon as the program has ended, so a new run must find it, with the PIN that you remember. Write down the key's fingerprint, or as much of it as you will compare. SHA-256:")
	fmt.Fprintf(p.env.out, "      %s\n", p.made.Fingerprint)
	wrapTo(p.env.out, "", "", fmt.Sprintf("All went well so far, and nothing can be lost by stopping here. Run the same command once more; it then writes %s:", p.file("pem")))
	fmt.Fprintf(p.env.out, "    %s\n", p.again())
	return nil
}
