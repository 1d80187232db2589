package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/soft"
)

// before is for a key of which the folder says that it was destroyed. A run that
// was killed before it could put that on record has it done now. What nothing
// proves is not believed: the device is asked, before any line says so.
func (d *destruction) before(done *evidence.Destruction) error {
	seen := "The attestation beside it proves it; the device was not asked."
	if d.end != evidence.Proved {
		var err error
		if seen, err = d.gone(done); err != nil {
			return err
		}
	}
	chains, _ := record.Read(d.report.Files())
	if !record.Destroyed(chains, d.report.Event.String(), d.token.Name) {
		if err := d.record(done.Device); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.env.out, "Destroyed before, nothing to do: the key of %s, on %s.\n", d.token.Name, tufmeta.Printable(done.At))
	wrapTo(d.env.out, "", "", seen)
	return nil
}

// gone asks the device for a key that is said to be destroyed, and says what it
// has seen. It refuses a file that says so of a key that is still there.
func (d *destruction) gone(done *evidence.Destruction) (seen string, err error) {
	device, err := d.open()
	if d.noFile(err) {
		return "Its file is not in tokens/, and nothing proves that there was no copy.", d.tokensHere(evidence.DestructionFile(d.token.Name))
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	if d.info, err = device.Info(); err != nil {
		return "", d.deviceHint(err)
	}
	held, err := d.left(device, done.ID, done.Serial)
	switch {
	case err != nil:
		return "", err
	case held:
		name := evidence.DestructionFile(d.token.Name)
		return "", hint(fmt.Errorf("destroying: ONE-TIME-EVIDENCE, %s: %s says that the key was destroyed, and the device still has it", d.token.Name, name),
			"nothing was destroyed. Keep the file, and find out where it comes from; then take it out of the folder and run the command again")
	case d.end == evidence.Alive:
		return "The attestation was missing, and was taken from the device.", d.attestAgain(device, done)
	}
	return "The device was asked, and does not show it.", nil
}

// attestAgain takes the attestation that the plan asks for, and that somebody has
// lost, from a device whose key is overwritten: another key than the file names
// proves nothing any more.
func (d *destruction) attestAgain(device hsm.Token, done *evidence.Destruction) error {
	keys, err := device.Keys()
	if err != nil {
		return d.deviceHint(err)
	}
	i := slices.IndexFunc(keys, func(k hsm.Key) bool {
		fingerprint, err := tufmeta.Fingerprint(k.Public)
		return err == nil && k.ID == done.ID && fingerprint == done.Replaced && done.SignedBy(k.Public) == nil
	})
	if i < 0 {
		return hint(fmt.Errorf("destroying: ONE-TIME-ALIVE, %s: %s is missing, and the key that %s names is no longer in slot %s to be attested",
			d.token.Name, evidence.AttestationFile(d.token.Name), evidence.DestructionFile(d.token.Name), tufmeta.Printable(done.ID)),
			"nothing was changed. Look for the file on the other copies of the folder: without it, or a waiver for ONE-TIME-ALIVE in a new plan, nothing is sealed")
	}
	attestation, err := d.attestationOf(device, keys[i])
	if err != nil {
		return d.deviceHint(err)
	}
	_, err = durable.Ensure(d.path(evidence.AttestationFile(d.token.Name)), attestation)
	return err
}

// noProofYet refuses to destroy a key while the place of its proof is taken: what
// the device attests afterwards could not be kept.
func (d *destruction) noProofYet() error {
	name := evidence.AttestationFile(d.token.Name)
	if _, ok := d.report.Files()[name]; !ok {
		return nil
	}
	return hint(fmt.Errorf("destroying: ONE-TIME-EVIDENCE, %s: %s is there already, and the device still has the key", d.token.Name, name),
		"nothing was destroyed, and no PIN was asked for. Keep the file, and find out where it comes from; then take it out of the folder and run the command again")
}

// noFile reports whether opening a software token has found no file, which was
// the device.
func (d *destruction) noFile(err error) bool {
	return errors.Is(err, hsm.ErrNotFound) && strings.HasPrefix(d.uri, "soft:")
}

// sweep removes the file where an earlier run was stopped when it had overwritten
// it.
func (d *destruction) sweep() error {
	dir, err := tokensFolder(d.dir)
	if err != nil {
		return err
	}
	return soft.Sweep(dir, d.uri)
}

// tokensHere wants the folder to be there in which a software token's file is
// missed. Where there is none, nothing was looked at.
func (d *destruction) tokensHere(says string) error {
	dir, err := tokensFolder(d.dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	return hint(fmt.Errorf("destroying: %s speaks of the key of token %q, and beside this ceremony folder is no folder tokens/ in which its file could be missed", says, d.token.Name),
		"nothing was looked at, and nothing was written down. Software tokens stay on the machine where they were made: run the command there, if at all")
}
