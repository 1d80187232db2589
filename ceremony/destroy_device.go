package main

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/attest"
	"tufceremony/hsm/piv"
)

// readBegun takes in what an earlier run left, where it was stopped.
func (d *destruction) readBegun() error {
	name := evidence.BegunFile(d.token.Name)
	data, ok := d.report.Files()[name]
	if !ok {
		return nil
	}
	b, err := evidence.ParseBegun(data)
	if err == nil && (b.Event != d.report.Event.String() || b.Fingerprint != d.token.Key.Fingerprint() || b.Token != d.token.Name) {
		err = errors.New("it is of another event or key")
	}
	if err == nil && d.uri != "" { // open says what is missing
		err = d.acceptable(b.ID, b.Serial)
	}
	if err != nil {
		return hint(fmt.Errorf("destroying: reading %s: %w", name, err), "find out where the file comes from; without it a key that is not there is not taken for destroyed")
	}
	d.begun = &b
	return nil
}

// openBefore opens the device, with the key in it. It gives none where an earlier
// run has destroyed the key, and was stopped before it wrote that down.
func (d *destruction) openBefore() (hsm.Token, error) {
	device, err := d.open()
	if d.begun != nil && d.noFile(err) {
		return nil, d.tokensHere(evidence.BegunFile(d.token.Name))
	}
	if err != nil {
		return nil, err
	}
	gone, err := d.look(device)
	if err != nil || gone {
		return nil, errors.Join(err, device.Close())
	}
	return device, nil
}

// look compares the device with the plan, as signing does.
func (d *destruction) look(device hsm.Token) (gone bool, err error) {
	if d.info, err = device.Info(); err != nil {
		return false, d.deviceHint(err)
	}
	if d.begun != nil {
		held, err := d.left(device, d.begun.ID, d.begun.Serial)
		if err != nil || !held {
			return !held, err
		}
	}
	key, err := d.match(device)
	if err != nil {
		return false, err
	}
	d.id = key.ID
	if err := d.acceptable(d.id, d.info.Serial); err != nil {
		return false, hint(fmt.Errorf("destroying: %w", err), "nothing was destroyed: what were written down would be refused; use the device, the slot and the driver that the plan names")
	}
	return false, nil
}

// acceptable holds what would be written down against the plan and the token's own
// attestation.
func (d *destruction) acceptable(id, serial string) error {
	driver, _, _ := strings.Cut(d.uri, ":")
	what := evidence.Destruction{Event: d.report.Event.String(), Token: d.token.Name, Fingerprint: d.token.Key.Fingerprint(), Driver: driver, ID: id, Serial: serial}
	return evidence.Acceptable(d.report.Plan, d.report.Files(), d.report.Event, d.token, what)
}

// left looks for what is said to be gone in the device with this serial. Whether
// a module still has it only somebody who is logged in can say, so the PIN is asked
// for, where the key is not listed anyway.
func (d *destruction) left(device hsm.Token, id, serial string) (bool, error) {
	held, err := d.holds(device, id, nil)
	switch {
	case err != nil || held:
		return held, err
	case d.info.Serial != serial:
		return false, hint(fmt.Errorf("destroying: this is another device: it says serial %q, and the one whose key was being destroyed %q", tufmeta.Printable(d.info.Serial), tufmeta.Printable(serial)), "insert that one; nothing was done to this one")
	}
	return d.holds(device, id, &pinPrompter{env: d.env, name: d.token.Name})
}

// holds reports whether the key is on the device, in any slot, under any ID and
// label. Without a prompter it looks at what is shown to everybody.
func (d *destruction) holds(device hsm.Token, id string, prompter hsm.Prompter) (bool, error) {
	keys, err := device.Keys()
	if err != nil {
		return false, d.deviceHint(err)
	}
	if slices.ContainsFunc(keys, func(k hsm.Key) bool { return samePublic(k.Public, d.token.Key.Public) }) {
		return true, nil
	}
	seeker, ok := device.(hsm.Seeker)
	if !ok {
		return false, nil
	}
	held, err := seeker.Holds(hsm.Key{ID: id, Public: d.token.Key.Public}, prompter)
	if err != nil {
		return false, d.deviceHint(err)
	}
	return held, nil
}

// destroy asks, writes down that it begins, and has the device do it.
func (d *destruction) destroy(device hsm.Token) (err error) {
	defer func() { err = errors.Join(err, device.Close()) }()
	destroyer, ok := device.(hsm.Destroyer)
	if !ok {
		return hint(fmt.Errorf("destroying the key of token %q: %w", d.token.Name, hsm.ErrUnsupported), "have its maker's tools destroy it, and waive ONE-TIME-ALIVE in a new plan, with how it was done")
	}
	if err := d.noProofYet(); err != nil {
		return err
	}
	if err := d.ask(); err != nil {
		return err
	}
	if err := durable.Writable(d.dir); err != nil {
		return hint(err, "nothing was destroyed and no PIN was asked for; mend the medium and run the command again")
	}
	fresh, err := d.begin()
	if err != nil {
		return hint(err, "nothing was destroyed; mend the medium and run the command again")
	}
	key := hsm.Key{ID: d.id, Public: d.token.Key.Public}
	err = destroyer.Destroy(d.whole(device, key), &destroyPrompter{&pinPrompter{env: d.env, name: d.token.Name}})
	var pin *hsm.PINError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pin), errors.Is(err, errStopped), errors.Is(err, hsm.ErrPINLocked), errors.Is(err, hsm.ErrUntouched):
		err = d.cannot(err)
		if fresh { // of an earlier run it stays: that one may have come further
			return errors.Join(d.deviceHint(err), durable.Remove(d.path(evidence.BegunFile(d.token.Name))))
		}
		return d.deviceHint(err)
	}
	return d.hint(err)
}

// cannot says how to go on where the module destroys no keys, as none does that a
// YubiKey is behind.
func (d *destruction) cannot(err error) error {
	if !errors.Is(err, hsm.ErrUnsupported) {
		return err
	}
	return hint(err, "nothing was destroyed, and the key still signs. A one-time key in a YubiKey is planned as `piv:serial=…;slot=…`, whose driver overwrites it. Of this one have the device's own tools make an end, and waive ONE-TIME-ALIVE in a new plan, with how it was done; docs/modules.md has the modules that were tried")
}

// begin writes down that the key is about to go, if no earlier run has.
func (d *destruction) begin() (fresh bool, err error) {
	begun := evidence.Begun{Device: d.device, Event: d.report.Event.String(), Fingerprint: d.token.Key.Fingerprint(), ID: d.id, Serial: d.info.Serial, Token: d.token.Name}
	text, err := begun.Encode()
	if err == nil {
		fresh, err = durable.Ensure(d.path(evidence.BegunFile(d.token.Name)), text)
	}
	d.begun = &begun
	return fresh, err
}

// whole is the key with its label, as the device lists it.
func (d *destruction) whole(device hsm.Token, key hsm.Key) hsm.Key {
	keys, _ := device.Keys() // it was listed a moment ago
	for _, k := range keys {
		if k.ID == key.ID && samePublic(k.Public, key.Public) {
			return k
		}
	}
	return key
}

// destroyPrompter asks for a management key as well, which is on paper.
type destroyPrompter struct{ *pinPrompter }

var _ piv.ManagementPrompter = (*destroyPrompter)(nil)

func (p *destroyPrompter) ManagementKey(hsm.Info) ([]byte, error) {
	return paperManagementKey(p.env, "The management key is on the paper with the PUK. Type it from there: ")
}

func (d *destruction) path(name string) string {
	return filepath.Join(d.dir, filepath.FromSlash(name))
}

// readBack looks for the key in a new session, and gives what is written down.
func (d *destruction) readBack() (evidence.Destruction, []byte, error) {
	done := evidence.Destruction{
		At: d.now.Format(tufmeta.TimeFormat), Device: d.begun.Device, Event: d.begun.Event, Fingerprint: d.begun.Fingerprint,
		ID: d.begun.ID, Serial: d.begun.Serial, Token: d.token.Name,
	}
	device, err := openToken(d.uri, d.dir, moduleOptions(d.report.Plan.ModuleTimeout))
	switch software := strings.HasPrefix(d.uri, "soft:"); {
	case d.noFile(err):
		return done.Done(evidence.Erased), nil, d.sweep()
	case err != nil:
		return done, nil, fmt.Errorf("destroying: opening the device again: %w", err)
	case software:
		return done, nil, errors.Join(errors.New("destroying: the token is still there"), device.Close())
	}
	attestation, err := d.seen(device, &done)
	return done, attestation, errors.Join(err, device.Close())
}

// seen is what a new session with a device shows.
func (d *destruction) seen(device hsm.Token, done *evidence.Destruction) ([]byte, error) {
	info, err := device.Info()
	if err != nil {
		return nil, err
	}
	held, err := d.holds(device, done.ID, nil) // whoever was logged in has just looked
	switch {
	case err != nil:
		return nil, err
	case info.Serial != done.Serial:
		return nil, fmt.Errorf("destroying: another device answers now, with serial %q", tufmeta.Printable(info.Serial))
	case held:
		return nil, errors.New("destroying: a new session still shows the key")
	case info.Driver != "piv":
		*done = done.Done(evidence.Deleted)
		return nil, nil
	}
	*done = done.Done(evidence.Overwritten)
	keys, err := device.Keys()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k hsm.Key) bool { return k.ID == done.ID })
	if i < 0 {
		return nil, hint(fmt.Errorf("destroying: slot %s is empty, and the key that overwrites another is not in it", done.ID), "somebody has removed it: nothing can attest now that the one-time key is gone")
	}
	return d.inItsPlace(device, keys[i], done)
}

// inItsPlace has the key that overwrote the other sign that it did, and the
// device attest it.
func (d *destruction) inItsPlace(device hsm.Token, key hsm.Key, done *evidence.Destruction) ([]byte, error) {
	var err error
	if done.Replaced, err = tufmeta.Fingerprint(key.Public); err != nil {
		return nil, err
	}
	signer, err := device.Signer(key, &pinPrompter{env: d.env, name: d.token.Name})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(done.Statement())
	signature, err := signer.Sign(d.env.random, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	done.Signature = hex.EncodeToString(signature)
	if err := done.SignedBy(key.Public); err != nil {
		return nil, fmt.Errorf("destroying: %w", err)
	}
	return d.attestationOf(device, key)
}

// attestationOf is what the device says of the key in the place of the other. What
// a run that was stopped has written stays: the device would sign another one now.
func (d *destruction) attestationOf(device hsm.Token, key hsm.Key) ([]byte, error) {
	name := evidence.AttestationFile(d.token.Name)
	if old, ok := d.report.Files()[name]; ok {
		if e, err := attest.ParseEvidence(old); err == nil && samePublic(e.Leaf.PublicKey, key.Public) {
			return old, nil
		}
		return nil, hint(fmt.Errorf("destroying: %s is not about the key that is in slot %s now", name, key.ID),
			"the one-time key is gone. Keep that file elsewhere, find out where it comes from, and run the command again without it: it asks the device")
	}
	found, err := fetchEvidence(device, key)
	return found.PEM(), err
}

// write keeps what was seen: the attestation first, so that a file that says how
// it was done has all that it speaks of beside it.
func (d *destruction) write(done evidence.Destruction, attestation []byte) error {
	text, err := done.Encode()
	if err != nil {
		return d.hint(fmt.Errorf("destroying: writing down that the key is gone: %w", err))
	}
	if attestation != nil {
		if _, err := durable.Ensure(d.path(evidence.AttestationFile(d.token.Name)), attestation); err != nil {
			return d.hint(err)
		}
	}
	if _, err := durable.Ensure(d.path(evidence.DestructionFile(d.token.Name)), text); err != nil {
		return d.hint(err)
	}
	if err := d.record(done.Device); err != nil {
		return d.hint(err)
	}
	out := d.env.out
	wrapTo(out, "\nDestroyed: ", "  ", fmt.Sprintf("the key of token %s. A new session with the device does not find it.", d.token.Name))
	wrapTo(out, "", "  ", done.Says)
	fmt.Fprintln(out, "Next: take the folder back to whoever merges the copies.")
	return nil
}
