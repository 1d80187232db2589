package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
)

// attributesFile is where what the module says is kept, beside the key.
const attributesFile = "attributes.json"

// readBack is the second run: what another process has made is found, signs, and
// is written down.
func (p *hsmProvisioning) readBack(key hsm.Key) error {
	p.begin("The key. An earlier run has made it, and this one, a new process, finds it in the token. SHA-256:")
	fingerprint, err := tufmeta.Fingerprint(key.Public)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.env.out, "      %s\n", fingerprint)
	if err := p.sameKey(fingerprint); err != nil {
		return err
	}
	examined, err := p.tryKey(key)
	if err != nil {
		return err
	}
	claims := p.claims(key, fingerprint, examined)
	p.show(claims)
	text, err := claims.Encode()
	if err != nil {
		return fmt.Errorf("writing %s: %w", p.file(attributesFile), err)
	}
	public, err := publicPEM(key.Public)
	if err != nil {
		return err
	}
	if err := p.keep(attributesFile, text); err != nil {
		return hint(err, "the module, or the token, says something else than what was written down before: find out why, put that file aside, and run the command again")
	}
	if err := p.keep("pem", public); err != nil {
		return err
	}
	return p.believed(key.Public)
}

// sameKey compares with what the first run was told. Where that was stopped
// before it could write that down, only the holder knows that the token was in
// nobody else's hands.
func (p *hsmProvisioning) sameKey(fingerprint string) error {
	public, written := p.written()
	switch {
	case p.made.ID != "" && p.made.Fingerprint != fingerprint:
		return hint(fmt.Errorf("provisioning: the key with this ID is another than the one that was made, %s: somebody has put it there", roster.Short(p.made.Fingerprint)),
			"do not use the token; keep it as it is, and find out who had it and knows the PIN")
	case written:
		if was, err := tufmeta.Fingerprint(public); err != nil || was != fingerprint {
			return hint(fmt.Errorf("provisioning: %s is another key than the one in the token", p.file("pem")), "find out where the file comes from; a new key gets a new token name")
		}
	}
	if p.made.ID != "" {
		wrapTo(p.env.out, "   ", "   ", "It is the one that was reported then. Compare it with what you have written down.")
		return nil
	}
	wrapTo(p.env.out, "   ", "   ", "The run that made it was stopped before it could write the fingerprint down. If nobody else has had the token and its PIN since, it is yours.")
	typed, err := p.env.ask.Line("   Type the label of the token to go on with that key: ")
	if err == nil && strings.TrimSpace(typed) != p.uri.Token {
		err = errors.New("provisioning: another label was typed")
	}
	return hint(err, "nothing was written; run the command again and type the label, or make another key under another token name")
}

// tryKey asks for the PIN, has the key sign a text, and asks the module about it.
// There are modules that sign with another key, or badly, without an error.
func (p *hsmProvisioning) tryKey(key hsm.Key) (_ pkcs11.Examination, err error) {
	p.begin("A trial signature, to see that the PIN opens the key and the key signs. What is signed is a line of words that no program takes for metadata; nothing of it is kept.")
	device, err := pkcs11.OpenWith(p.at(p.uri.ID, p.uri.Object), p.options)
	if err != nil {
		return pkcs11.Examination{}, err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	signer, err := device.Signer(key, &pinPrompter{env: p.env, name: p.name, signs: "the trial text"})
	if err == nil {
		err = p.trial(key, signer)
	}
	if err != nil {
		return pkcs11.Examination{}, err
	}
	fmt.Fprintln(p.env.out, "   The signature is good.")
	examiner, ok := device.(pkcs11.Examiner)
	if !ok {
		return pkcs11.Examination{}, fmt.Errorf("asking about the key: %w", hsm.ErrUnsupported)
	}
	return examiner.Examine(key)
}

// trialText is what a new key signs first. Metadata is canonical JSON and begins
// with a brace; this begins with a word, says what it is, and is never twice the
// same.
const trialText = "ceremony token provision: a trial signature, which approves nothing. Key %s, number %x.\n"

func (p *hsmProvisioning) trial(key hsm.Key, signer crypto.Signer) error {
	public, ok := key.Public.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("reading the key: it is of type %s, and this command makes P-256", keyType(key.Public))
	}
	number := make([]byte, 16)
	if _, err := io.ReadFull(p.env.random, number); err != nil {
		return fmt.Errorf("drawing a number for the trial signature: %w", err)
	}
	digest := sha256.Sum256(fmt.Appendf(nil, trialText, key.ID, number))
	signature, err := signer.Sign(p.env.random, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(public, digest[:], signature) {
		return hint(errors.New("provisioning: the trial signature is not by this key: the token does not sign as it says"),
			"do not use the key; take another token, or have its maker look at it")
	}
	return nil
}

// claims is what the module has said. Text of a device's is made fit to be shown.
func (p *hsmProvisioning) claims(key hsm.Key, fingerprint string, e pkcs11.Examination) evidence.Claims {
	c := evidence.Claims{
		Attributes: map[string]string{}, Fingerprint: fingerprint, ID: key.ID, Label: tufmeta.Printable(key.Label), Says: evidence.NoAttestation,
		Module: evidence.ClaimedModule{File: p.moduleFile(), Description: tufmeta.Printable(e.Library.Description),
			Manufacturer: tufmeta.Printable(e.Library.Manufacturer), Version: e.Library.Version},
		Token: evidence.ClaimedToken{Label: tufmeta.Printable(p.slot.Label), Serial: tufmeta.Printable(p.slot.Serial),
			Model: tufmeta.Printable(p.slot.Model), Manufacturer: tufmeta.Printable(p.slot.Manufacturer), Firmware: p.slot.Firmware},
	}
	for _, a := range e.Attributes {
		c.Attributes[a.Name] = a.Value
	}
	return c
}

func (p *hsmProvisioning) show(c evidence.Claims) {
	p.begin("What the module says of the key. This is not an attestation: it is the module's word, nobody has signed it, and some modules say the same of a key that came from elsewhere. \"absent\" is not \"false\": the module does not know that attribute.")
	for _, name := range c.Names() {
		fmt.Fprintf(p.env.out, "      %-24s %s\n", name, c.Attributes[name])
	}
	if c.Doubtful() {
		wrapTo(p.env.out, "   ! ", "     ", "The module does not say that this key was made in the token and could never leave it. NSS says so of every key; with any other module find out why before you use the key, or make another one.")
	}
}

// finished says whether an earlier run has written all there is.
func (p *hsmProvisioning) finished(key hsm.Key) bool {
	public, written := p.written()
	claims, err := evidence.ParseClaims(p.files[p.file(attributesFile)])
	fingerprint, _ := tufmeta.Fingerprint(key.Public)
	if !written || err != nil || !samePublic(public, key.Public) || claims.Fingerprint != fingerprint || p.made.ID != "" && p.made.Fingerprint != fingerprint {
		return false
	}
	fmt.Fprintf(p.env.out, "The token holds the key of %s: nothing is left to do.\n", p.file("pem"))
	return true
}

// believed says what goes into the plan. A serial that tells this token from no
// other is left out, since signing would hold every one of them against it.
func (p *hsmProvisioning) believed(public any) error {
	u, serial := p.uri, p.slot.Serial
	same := 0
	for _, s := range p.survey.Slots {
		if s.Initialised && s.Serial == serial {
			same++
		}
	}
	if same > 1 || strings.Trim(serial, "0 ") == "" {
		serial = ""
	}
	u.Serial, u.SlotID = serial, nil
	// A TPM of software calls itself "SW   TPM", and a plan has no such gaps.
	model := tufmeta.Printable(strings.Join(strings.Fields(p.slot.Model), " "))
	return p.finish(public, attributesFile, stock{uri: u.String(), model: model, serial: serial})
}
