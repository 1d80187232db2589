package publish

import (
	"fmt"
	"time"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// readAsPublished is the time at which published metadata is read where its
// expiry does not matter: whether an order of steps is safe does not depend on
// what will have expired by itself.
var readAsPublished = time.Unix(0, 0).UTC()

// accepts plays a client that starts from first: the roots in turn, timestamp,
// snapshot, targets, each under the newest root and as the one before lists it;
// then, of the roles that are named, those to which targets leads.
func accepts(first []byte, files state, below []string) error {
	all, err := roots(first, files)
	if err != nil {
		return err
	}
	root := all[len(all)-1]
	timestamp, err := files.read("timestamp.json", "timestamp", root)
	if err != nil {
		return err
	}
	snapshot, err := files.listed(timestamp, "snapshot", root)
	if err != nil {
		return err
	}
	if _, err = files.listed(snapshot, "targets", root); err != nil || len(below) == 0 {
		return err
	}
	return files.acceptsBelow(snapshot, below, root)
}

// fileOf is the name under which clients ask for a version of a role.
func fileOf(role string, version int64, r root) string {
	if r.ConsistentSnapshot {
		return folder.Version{Role: role, Version: version}.File()
	}
	return role + ".json"
}

// listed reads the file of a role that a timestamp or snapshot lists.
func (s state) listed(by *tufmeta.Snapshot, role string, r root) (*tufmeta.Snapshot, error) {
	name, entry, err := s.listing(by, role, r)
	if err != nil {
		return nil, err
	}
	got, err := s.read(name, role, r)
	if err == nil && got.Version != entry.Version {
		return nil, fmt.Errorf("%s is version %d, and %d is listed", name, got.Version, entry.Version)
	}
	return got, err
}

// listing finds the file of a role, and compares its bytes with what is listed.
func (s state) listing(by *tufmeta.Snapshot, role string, r root) (string, tufmeta.MetaFile, error) {
	entry, ok := by.Meta[role+".json"]
	if !ok {
		return "", entry, fmt.Errorf("%s %d does not list %s.json", by.Type, by.Version, role)
	}
	name := fileOf(role, entry.Version, r)
	data := s[name]
	if entry.Length > 0 && int64(len(data)) != entry.Length {
		return "", entry, fmt.Errorf("%s has %d bytes, and %d are listed", name, len(data), entry.Length)
	}
	if sum, ok := entry.Hashes["sha256"]; ok && sum != tufmeta.Digest(data) {
		return "", entry, fmt.Errorf("%s does not have the listed hash", name)
	}
	return name, entry, nil
}

// read checks a file's signatures under a root and takes in its list. Targets
// have none that is looked at here.
func (s state) read(name, role string, r root) (*tufmeta.Snapshot, error) {
	data, ok := s[name]
	if !ok {
		return nil, fmt.Errorf("%s is missing", name)
	}
	env, err := stream.ReadEnvelope(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	tally := tufmeta.Count(env.Canonical, env.Signatures, r.Keys, r.Roles[role])
	if !tally.Reached() {
		return nil, fmt.Errorf("%s has %d valid signatures under root %d, and %d are needed", name, tally.Valid(), r.Version, tally.Threshold)
	}
	if role == "targets" {
		t, err := env.Parse()
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		return &tufmeta.Snapshot{Common: t.Common}, nil
	}
	return tufmeta.ParseSnapshot(env.Signed, role)
}
