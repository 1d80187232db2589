package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/pkcs11"
)

// The two files by which a run knows what an earlier one has done. Each is
// written once. They are in keys/, where the folder's name for the token is.
const (
	idFile   = "id.json"   // before the key is made: which ID it gets, and in which token
	madeFile = "made.json" // when the module has reported it: which key that is
)

// keyNote says which key an earlier run was about to make.
type keyNote struct {
	ID     string `json:"id"` // CKA_ID, in hex
	Object string `json:"object"`
	Serial string `json:"serial"` // of the token
	Token  string `json:"token"`  // its label
}

// madeNote says which key the module has reported. What the second run finds
// must be that: somebody who knows the PIN could put another key in its place.
// Whoever can write the folder as well can change this too; the fingerprint on
// the holder's paper stays.
type madeNote struct {
	Fingerprint string `json:"fingerprint"` // SHA-256 of the public key
	ID          string `json:"id"`
}

func encodeNote(note any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	err := e.Encode(note)
	return text.Bytes(), err
}

// readNote reads strictly what encodeNote writes.
func readNote[T any](p *hsmProvisioning, suffix string, note *T) (there bool, err error) {
	data, there := p.files[p.file(suffix)]
	if !there {
		return false, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err = d.Decode(note)
	if again, encoding := encodeNote(note); err != nil || encoding != nil || !bytes.Equal(again, data) {
		return false, hint(fmt.Errorf("reading %s: it is not as this command writes it", p.file(suffix)), "find out where the file comes from; a new key gets a new token name")
	}
	return true, nil
}

// readNotes takes in what an earlier run has left, and holds the URI against it.
func (p *hsmProvisioning) readNotes() error {
	begun, err := readNote(p, idFile, &p.note)
	if err != nil {
		return err
	}
	made, err := readNote(p, madeFile, &p.made)
	if err != nil {
		return err
	}
	id, err := hex.DecodeString(p.note.ID)
	whole := err == nil && len(id) == pkcs11.IDSize && hex.EncodeToString(id) == p.note.ID
	if begun && !whole || made && (!begun || p.made.ID != p.note.ID) {
		return hint(fmt.Errorf("reading what an earlier run has left: %s and %s do not belong together, or have no ID that this command draws", p.file(idFile), p.file(madeFile)),
			"find out where the files come from; a new key gets a new token name")
	}
	if err := p.fitsNotes(begun, id); err != nil {
		return err
	}
	p.uri.ID = nil
	if begun {
		p.uri.ID = id
	}
	return nil
}

func (p *hsmProvisioning) fitsNotes(begun bool, id []byte) error {
	_, written := p.written()
	switch {
	case written && !begun:
		return hint(fmt.Errorf("provisioning: %s is there already, and this command did not make that key", p.file("pem")), "a new key gets a new token name")
	case len(p.uri.ID) > 0 && !bytes.Equal(p.uri.ID, id):
		return hint(errors.New("provisioning: the URI has an ID, and IDs are drawn"), "leave out id=…; the plan gets the one that was drawn")
	case begun && (p.note.Object != p.uri.Object || p.note.Token != p.uri.Token):
		return hint(fmt.Errorf("provisioning: by %s the key of token %q is %q in token %q, and the URI says otherwise", p.file(idFile), p.name, tufmeta.Printable(p.note.Object), tufmeta.Printable(p.note.Token)),
			"correct --uri, or choose another token name")
	}
	return nil
}

// sameToken refuses another token of the same label.
func (p *hsmProvisioning) sameToken() error {
	if p.note.ID != "" && p.note.Serial != tufmeta.Printable(p.slot.Serial) {
		return hint(fmt.Errorf("provisioning: by %s the key is in a token with serial %q, and this one says %q", p.file(idFile), tufmeta.Printable(p.note.Serial), tufmeta.Printable(p.slot.Serial)),
			"nothing was changed; insert the other token, or choose another token name")
	}
	return nil
}
