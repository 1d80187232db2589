package main

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
)

// What somebody does who has the keys. All of it is well formed and well
// signed, and it goes into the rehearsal's own repository, with keys that the
// rehearsal made: that is why it shows what clients cannot see.

// farAhead is how many versions the attacker of a rehearsal is ahead.
const farAhead = 1_000_000

// stolen signs with what was stolen.
type stolen func(payload []byte) (tufmeta.Signature, error)

// stolenKey is a copy of a key that lay in a file.
func (r *rehearsal) stolenKey(name string) stolen {
	return func(payload []byte) (tufmeta.Signature, error) {
		private, err := r.key(name)
		if err != nil {
			return tufmeta.Signature{}, err
		}
		return signAnything(private, payload)
	}
}

// stolenToken is a holder's device, with its PIN.
func (r *rehearsal) stolenToken(name string) stolen {
	return func(payload []byte) (_ tufmeta.Signature, err error) {
		s := r.tokens[name]
		device, err := openToken(s.uri, filepath.Join(r.dir, holderOf(name), "stolen"), pkcs11.Options{})
		if err != nil {
			return tufmeta.Signature{}, err
		}
		defer func() { err = errors.Join(err, device.Close()) }()
		keys, err := device.Keys()
		if err != nil {
			return tufmeta.Signature{}, err
		}
		for _, key := range keys {
			if text, err := publicPEM(key.Public); err != nil || !bytes.Equal(text, s.pem) {
				continue
			}
			signer, err := device.Signer(key, thief(s.pin))
			if err != nil {
				return tufmeta.Signature{}, err
			}
			return signAnything(signer, payload)
		}
		return tufmeta.Signature{}, fmt.Errorf("rehearsing: the device of token %q does not have its key", name)
	}
}

// thief knows the PIN, and touches.
type thief []byte

func (t thief) PIN(hsm.PINRequest) ([]byte, error) { return bytes.Clone(t), nil }
func (t thief) Touch(hsm.TouchRequest) func()      { return func() {} }

// signAnything signs without a review, an approval or a plan. A key in a file
// signs without randomness (RFC 6979), so that one seed is one rehearsal.
func signAnything(signer crypto.Signer, payload []byte) (tufmeta.Signature, error) {
	key, err := tufmeta.NewKey(signer.Public())
	if err != nil {
		return tufmeta.Signature{}, err
	}
	sig, err := key.Sign(nil, payload, signer)
	return tufmeta.Signature{KeyID: key.ID, Sig: hex.EncodeToString(sig)}, err
}

// forge puts metadata into the repository, signed.
func (r *rehearsal) forge(file string, signed map[string]any, by ...stolen) error {
	payload, err := tufmeta.Encode(signed)
	if err != nil {
		return err
	}
	var signatures []tufmeta.Signature
	for _, sign := range by {
		s, err := sign(payload)
		if err != nil {
			return fmt.Errorf("forging %s: %w", file, err)
		}
		signatures = append(signatures, s)
	}
	text, err := assemble.Envelope(payload, signatures)
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(r.dir, "repository", "metadata", file), text)
}

// forgeOnline signs a snapshot or a timestamp that lists what it is given.
func (r *rehearsal) forgeOnline(by stolen, role string, version int64, file string, meta map[string]any) error {
	return r.forge(file, map[string]any{"_type": role, "spec_version": tufmeta.SpecVersion, "version": version,
		"expires": r.now.AddDate(10, 0, 0).Format(tufmeta.TimeFormat), "meta": meta}, by)
}

// fastForward signs snapshot and timestamp of a version. The snapshot lists
// this version of targets, and clients remember it.
func (r *rehearsal) fastForward(by stolen, version, targets int64) error {
	list := map[string]any{"targets.json": map[string]any{"version": targets}}
	if err := r.forgeOnline(by, "snapshot", version, folder.Version{Role: "snapshot", Version: version}.File(), list); err != nil {
		return err
	}
	return r.forgeOnline(by, "timestamp", version, "timestamp.json", map[string]any{"snapshot.json": map[string]any{"version": version}})
}

// published reads what the first ceremony has signed.
func (r *rehearsal) published(role string) (map[string]any, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, "repository", "metadata", folder.Version{Role: role, Version: 1}.File()))
	if err != nil {
		return nil, fmt.Errorf("rehearsing: %w", err)
	}
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		return nil, err
	}
	return env.Signed, nil
}

// forgeTargets lists, besides what is published, a file that nobody has
// reviewed.
func (r *rehearsal) forgeTargets(version int64, by ...stolen) error {
	signed, err := r.published("targets")
	if err != nil {
		return err
	}
	list, ok := signed["targets"].(map[string]any)
	if !ok {
		return errors.New("rehearsing: targets lists nothing")
	}
	planted := []byte("planted\n")
	list["planted.txt"] = map[string]any{"length": int64(len(planted)), "hashes": map[string]any{"sha256": tufmeta.Digest(planted)}}
	signed["version"] = version
	return r.forge(folder.Version{Role: "targets", Version: version}.File(), signed, by...)
}

// forgeRoot makes root 2 with a single key in all roles, whose private half the
// attacker has, and signs everything below it with that key.
func (r *rehearsal) forgeRoot(by ...stolen) error {
	private, err := r.key("attacker")
	if err != nil {
		return err
	}
	key, err := tufmeta.NewKey(&private.PublicKey)
	if err != nil {
		return err
	}
	signed, err := r.published("root")
	if err != nil {
		return err
	}
	roles := map[string]any{}
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		roles[role] = map[string]any{"keyids": []any{key.ID}, "threshold": int64(1)}
	}
	signed["version"], signed["roles"], signed["keys"] = int64(2), roles, map[string]any{key.ID: key.Object}
	own := r.stolenKey("attacker")
	if err := r.forge("2.root.json", signed, append(by, own)...); err != nil {
		return err
	}
	if err := r.forgeTargets(2, own); err != nil {
		return err
	}
	return r.fastForward(own, 2, 2)
}
