package publish

import (
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// Online is the software key that signs snapshot and timestamp, for
// repositories that have no signer yet.
type Online struct {
	Signer crypto.Signer
	Now    time.Time
	Days   map[string]int // lifetimes of snapshot and timestamp
}

// onlineWork is one signing of snapshot and timestamp.
type onlineWork struct {
	*Online
	files  state
	chain  []root
	newest root
}

// extend adds the snapshot and timestamp that list the given versions by role,
// and returns the names of those that are new. Where those that are there still
// do, it makes none.
func (w *onlineWork) extend(versions map[string]int64) ([]string, error) {
	for _, role := range []string{"snapshot", "timestamp"} {
		if t := w.newest.Roles[role].Threshold; t != 1 {
			return nil, fmt.Errorf("the root wants %d signatures for %s, and --online-key gives one", t, role)
		}
	}
	timestamp := w.current("timestamp.json", "timestamp")
	if timestamp != nil {
		listed := w.current(fileOf("snapshot", timestamp.Meta["snapshot.json"].Version, w.newest), "snapshot")
		if listed != nil && lists(listed, versions) {
			return nil, nil
		}
	}
	var made []string
	name, version, fresh, err := w.snapshot(versions)
	if err != nil {
		return nil, err
	}
	if fresh {
		made = append(made, name)
	}
	return append(made, "timestamp.json"), w.timestamp(name, version)
}

// lists reports whether a snapshot has these versions.
func lists(s *tufmeta.Snapshot, versions map[string]int64) bool {
	for role, version := range versions {
		if s.Meta[role+".json"].Version != version {
			return false
		}
	}
	return true
}

// current reads a file that is signed under the newest root and has not
// expired, or gives nil.
func (w *onlineWork) current(name, role string) *tufmeta.Snapshot {
	got, err := w.files.read(name, role, w.newest)
	if err != nil {
		return nil
	}
	if expires, err := got.ExpiresAt(); err != nil || !expires.After(w.Now) {
		return nil
	}
	return got
}

// base gives the signed part of a published file, for the next version to go
// on from; nothing where there is none. It must be signed under a root of the
// repository, whether the newest or an earlier one: the version of a file that
// somebody else has put there could be the last that clients will ever take.
//
// Retired says that the root which vouches for it has none of the online keys of
// the newest one: then versions do not go on from it.
func (w *onlineWork) base(name, role string) (signed map[string]any, retired bool, err error) {
	if _, ok := w.files[name]; !ok {
		return map[string]any{}, false, nil
	}
	for _, r := range slices.Backward(w.chain) {
		if _, err := w.files.read(name, role, r); err != nil {
			continue
		}
		env, err := stream.ReadEnvelope(w.files[name])
		if err != nil {
			return nil, false, err
		}
		return env.Signed, w.retired(r), nil
	}
	return nil, false, fmt.Errorf("metadata/%s is not signed under any root of the repository: put the last good one back, and find out who wrote it", name)
}

// retired reports whether no online key of a root is an online key of the newest
// one, compared as public keys. Clients then drop both the timestamp and the
// snapshot that they have been shown, so versions may begin anew; and they must,
// since whoever had the old keys may have gone to the last version there is.
// With one key kept clients keep what that key has signed: versions go on.
func (w *onlineWork) retired(old root) bool {
	had := onlineKeys(old)
	return !slices.ContainsFunc(onlineKeys(w.newest), func(f string) bool { return slices.Contains(had, f) })
}

// has reports whether the file that a snapshot lists for a delegated role is
// there, as it is listed, and is itself of that version: without consistent
// snapshots one name stands for every version. What a retired key has listed
// beyond that is not gone on with.
func (w *onlineWork) has(role string, entry any) bool {
	listed, _ := entry.(map[string]any)
	version, _ := listed["version"].(int64)
	data := w.files[fileOf(strings.TrimSuffix(role, ".json"), version, w.newest)]
	hashes, _ := listed["hashes"].(map[string]any)
	if sum, hashed := hashes["sha256"]; hashed && sum != tufmeta.Digest(data) {
		return false
	}
	env, err := stream.ReadEnvelope(data)
	if err != nil {
		return false
	}
	t, err := env.Parse()
	return err == nil && t.Version == version
}

func onlineKeys(r root) []string {
	return slices.Concat(inspect.Fingerprints(r.Root, "snapshot"), inspect.Fingerprints(r.Root, "timestamp"))
}

// snapshot writes the next snapshot, unless a killed run has: then it takes
// that one. It drops no file that the last one lists.
func (w *onlineWork) snapshot(versions map[string]int64) (name string, version int64, fresh bool, err error) {
	timestamp, retired, err := w.base("timestamp.json", "timestamp")
	if err != nil {
		return "", 0, false, err
	}
	old := map[string]any{}
	if listed, ok := timestamp["meta"].(map[string]any); ok {
		entry, _ := listed["snapshot.json"].(map[string]any)
		version, _ := entry["version"].(int64)
		if old, _, err = w.base(fileOf("snapshot", version, w.newest), "snapshot"); err != nil {
			return "", 0, false, err
		}
	}
	meta := map[string]any{}
	if listed, ok := old["meta"].(map[string]any); ok {
		maps.Copy(meta, listed)
	}
	if retired {
		old = map[string]any{}
		maps.DeleteFunc(meta, func(role string, entry any) bool { return !w.has(role, entry) })
	}
	for role, version := range versions {
		meta[role+".json"] = describe(w.files[fileOf(role, version, w.newest)], version)
	}
	version, _ = old["version"].(int64)
	for version++; w.newest.ConsistentSnapshot; version++ {
		name = fileOf("snapshot", version, w.newest)
		if _, taken := w.files[name]; !taken {
			break
		}
		if left := w.current(name, "snapshot"); left != nil && lists(left, versions) {
			return name, version, false, nil
		}
	}
	name = fileOf("snapshot", version, w.newest)
	return name, version, true, w.write("snapshot", name, version, old, meta)
}

func (w *onlineWork) timestamp(snapshot string, version int64) error {
	old, retired, err := w.base("timestamp.json", "timestamp")
	if err != nil {
		return err
	}
	if retired {
		old = map[string]any{}
	}
	before, _ := old["version"].(int64)
	meta := map[string]any{"snapshot.json": describe(w.files[snapshot], version)}
	return w.write("timestamp", "timestamp.json", before+1, old, meta)
}

func describe(data []byte, version int64) map[string]any {
	return map[string]any{"version": version, "length": int64(len(data)), "hashes": map[string]any{"sha256": tufmeta.Digest(data)}}
}

func (w *onlineWork) write(role, name string, version int64, old, meta map[string]any) error {
	signed := maps.Clone(old)
	signed["_type"], signed["version"], signed["meta"] = role, version, meta
	if _, ok := signed["spec_version"]; !ok {
		signed["spec_version"] = w.newest.Spec
	}
	signed["expires"] = w.Now.AddDate(0, 0, w.Days[role]).UTC().Format(tufmeta.TimeFormat)
	payload, err := tufmeta.Encode(signed)
	if err != nil {
		return err
	}
	keyID, key, err := w.key(role)
	if err != nil {
		return err
	}
	sig, err := key.Sign(rand.Reader, payload, w.Signer)
	if err != nil {
		return fmt.Errorf("signing %s: %w", folder.Version{Role: role, Version: version}, err)
	}
	if err := key.Verify(payload, sig); err != nil {
		return fmt.Errorf("checking the signature of %s: %w", role, err)
	}
	w.files[name], err = assemble.Envelope(payload, []tufmeta.Signature{{KeyID: keyID, Sig: hex.EncodeToString(sig)}})
	return err
}

// key finds the online key in the root, by public key.
func (w *onlineWork) key(role string) (string, *tufmeta.Key, error) {
	fingerprint, err := tufmeta.Fingerprint(w.Signer.Public())
	if err != nil {
		return "", nil, err
	}
	for _, id := range w.newest.Roles[role].KeyIDs {
		if key := w.newest.Keys[id]; key != nil && key.Fingerprint() == fingerprint {
			return id, key, nil
		}
	}
	return "", nil, fmt.Errorf("the online key is not one that root %d has for %s", w.newest.Version, role)
}
