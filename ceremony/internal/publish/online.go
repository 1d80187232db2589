package publish

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
)

// Online is the software key that signs snapshot and timestamp, for
// repositories that have no signer yet.
type Online struct {
	Signer crypto.Signer
	Now    time.Time
	Days   map[string]int // lifetimes of snapshot and timestamp
}

// extend adds the snapshot and timestamp that go with what files has, and
// returns the names of those that are new. Where those that are there still
// do, it makes none.
func (o *Online) extend(files state, r root, targetsVersion int64) ([]string, error) {
	for _, role := range []string{"snapshot", "timestamp"} {
		if t := r.Roles[role].Threshold; t != 1 {
			return nil, fmt.Errorf("the root wants %d signatures for %s, and --online-key gives one", t, role)
		}
	}
	var made []string
	timestamp, _ := files.current("timestamp.json", "timestamp", r, o.Now)
	var snapshot *tufmeta.Snapshot
	if timestamp != nil {
		entry := timestamp.Meta["snapshot.json"]
		snapshot, _ = files.current(fileOf("snapshot", entry.Version, r), "snapshot", r, o.Now)
	}
	if snapshot == nil || snapshot.Meta["targets.json"].Version != targetsVersion {
		name, version, fresh, err := o.snapshot(files, r, targetsVersion)
		if err != nil {
			return nil, err
		}
		if fresh {
			made = append(made, name)
		}
		return append(made, "timestamp.json"), o.timestamp(files, r, name, version)
	}
	if timestamp == nil {
		entry := snapshot.Version
		return []string{"timestamp.json"}, o.timestamp(files, r, fileOf("snapshot", entry, r), entry)
	}
	return nil, nil
}

// current reads a file that is signed under the root and has not expired.
func (s state) current(name, role string, r root, now time.Time) (*tufmeta.Snapshot, error) {
	got, err := s.read(name, role, r)
	if err != nil {
		return nil, err
	}
	expires, err := got.ExpiresAt()
	if err != nil || !expires.After(now) {
		return nil, errors.New("it has expired")
	}
	return got, nil
}

// signedOf gives the signed part of a published file, or an empty one: it is
// the base of the next version, whoever signed it.
func (s state) signedOf(name string) map[string]any {
	env, err := tufmeta.ParseEnvelope(s[name])
	if err != nil {
		return map[string]any{}
	}
	return env.Signed
}

// snapshot writes the next snapshot, unless a killed run has: then it takes
// that one. It drops no file that the last one lists.
func (o *Online) snapshot(files state, r root, targetsVersion int64) (name string, version int64, fresh bool, err error) {
	old := map[string]any{}
	if listed, ok := files.signedOf("timestamp.json")["meta"].(map[string]any); ok {
		entry, _ := listed["snapshot.json"].(map[string]any)
		version, _ := entry["version"].(int64)
		old = files.signedOf(fileOf("snapshot", version, r))
	}
	meta := map[string]any{}
	if listed, ok := old["meta"].(map[string]any); ok {
		maps.Copy(meta, listed)
	}
	meta["targets.json"] = describe(files[fileOf("targets", targetsVersion, r)], targetsVersion)
	version, _ = old["version"].(int64)
	for version++; r.ConsistentSnapshot; version++ {
		name = fileOf("snapshot", version, r)
		if _, taken := files[name]; !taken {
			break
		}
		left, err := files.current(name, "snapshot", r, o.Now)
		if err == nil && left.Meta["targets.json"].Version == targetsVersion {
			return name, version, false, nil
		}
	}
	name = fileOf("snapshot", version, r)
	return name, version, true, o.write(files, r, "snapshot", name, version, old, meta)
}

func (o *Online) timestamp(files state, r root, snapshot string, version int64) error {
	old := files.signedOf("timestamp.json")
	before, _ := old["version"].(int64)
	meta := map[string]any{"snapshot.json": describe(files[snapshot], version)}
	return o.write(files, r, "timestamp", "timestamp.json", before+1, old, meta)
}

func describe(data []byte, version int64) map[string]any {
	return map[string]any{"version": version, "length": int64(len(data)), "hashes": map[string]any{"sha256": tufmeta.Digest(data)}}
}

func (o *Online) write(files state, r root, role, name string, version int64, old, meta map[string]any) error {
	signed := maps.Clone(old)
	signed["_type"], signed["version"], signed["meta"] = role, version, meta
	if _, ok := signed["spec_version"]; !ok {
		signed["spec_version"] = r.Spec
	}
	signed["expires"] = o.Now.AddDate(0, 0, o.Days[role]).UTC().Format(tufmeta.TimeFormat)
	payload, err := tufmeta.Encode(signed)
	if err != nil {
		return err
	}
	keyID, key, err := o.key(r, role)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(payload)
	sig, err := o.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return fmt.Errorf("signing %s: %w", folder.Version{Role: role, Version: version}, err)
	}
	if err := key.Verify(payload, sig); err != nil {
		return fmt.Errorf("checking the signature of %s: %w", role, err)
	}
	files[name], err = assemble.Envelope(payload, []tufmeta.Signature{{KeyID: keyID, Sig: hex.EncodeToString(sig)}})
	return err
}

// key finds the online key in the root, by public key.
func (o *Online) key(r root, role string) (string, *tufmeta.Key, error) {
	fingerprint, err := tufmeta.Fingerprint(o.Signer.Public())
	if err != nil {
		return "", nil, err
	}
	for _, id := range r.Roles[role].KeyIDs {
		if key := r.Keys[id]; key != nil && key.Fingerprint() == fingerprint {
			return id, key, nil
		}
	}
	return "", nil, fmt.Errorf("the online key is not one that root %d has for %s", r.Version, role)
}
