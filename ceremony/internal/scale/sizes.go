package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// The versions of targets: the one that is published, and the one to be signed.
const (
	oldVersion = 7
	newVersion = 8
)

// far is when everything expires: it is no part of what is measured.
const far = "2045-01-01T00:00:00Z"

// size is what stands in targets: targets, or delegations to bins or projects.
type size struct {
	name     string
	targets  int
	bins     int
	projects int
}

// TUF's own numbers: PEP 458 has so many bins, and PEP 480 a role "claimed"
// that delegates to each project.
const (
	manyBins     = 16_384
	manyProjects = 500_000
)

func sizeNamed(name string) (size, error) {
	switch name {
	case "bins":
		return size{name: name, bins: manyBins}, nil
	case "claimed":
		return size{name: name, projects: manyProjects}, nil
	}
	n, err := strconv.Atoi(name)
	if err != nil || n < 100 || n > 100_000_000 {
		return size{}, fmt.Errorf("making files: there is no size %q: bins, claimed, or a number of targets from 100 on", name)
	}
	return size{name: name, targets: n}, nil
}

// what says it in words.
func (s size) what() string {
	switch {
	case s.bins > 0:
		return "16,384 bins"
	case s.projects > 0:
		return "500,000 projects"
	}
	return thousands(s.targets) + " targets"
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// object is JSON.
type object = map[string]any

// changed reports whether the next version differs at a place: in one of a
// hundred.
func changed(i int) bool { return i%100 == 50 }

// target gives a target as packages have them: about 220 bytes with its name.
func target(i int, now bool) (name string, value object) {
	seed := strconv.Itoa(i)
	if now && changed(i) {
		seed += " again"
	}
	sum := sha256.Sum256([]byte(seed))
	return fmt.Sprintf("packages/%02x/%02x/%08d/project_%d-1.%d.0-py3-none-any.whl", byte(i>>16), byte(i>>8), i, i, i%40), object{
		"custom": object{"python": ">=3.9", "uploaded": fmt.Sprintf("2026-%02d-01", 1+i%12)},
		"hashes": object{"sha256": hex.EncodeToString(sum[:])},
		"length": int64(1000 + i),
	}
}

// delegation is a delegated role and the key that the change to it brings.
type delegation struct {
	KeyID string `json:"keyid"`
	Key   object `json:"key"`
	Role  object `json:"role"`
}

// bin gives a bin, which takes a quarter of a thousandth of all names. In the
// next version some have a second key.
func bin(i int, now bool, keys [2]*tufmeta.Key) delegation {
	prefixes := make([]any, 4)
	for j := range prefixes {
		prefixes[j] = fmt.Sprintf("%04x", 4*i+j)
	}
	d := delegation{KeyID: keys[0].ID, Key: keys[0].Object}
	ids := []any{keys[0].ID}
	if now && changed(i) {
		d.KeyID, d.Key = keys[1].ID, keys[1].Object
		ids = append(ids, keys[1].ID)
	}
	d.Role = object{"keyids": ids, "name": fmt.Sprintf("bin-%04x", i), "path_hash_prefixes": prefixes, "terminating": false, "threshold": int64(1)}
	return d
}

// project gives a project with the key that is its own.
func project(i int) (delegation, error) {
	private, err := privateKey("project " + strconv.Itoa(i))
	if err != nil {
		return delegation{}, err
	}
	public, err := publicPEM(private)
	if err != nil {
		return delegation{}, err
	}
	key := object{"keytype": "ecdsa", "keyval": object{"public": string(public)}, "scheme": tufmeta.SchemeP256}
	id, err := tufmeta.KeyID(key) // tufmeta.NewKey would read again what is written here
	return delegation{id, key, object{
		"keyids": []any{id}, "name": fmt.Sprintf("project-%08d", i), "paths": []any{fmt.Sprintf("project-%08d/*", i)},
		"terminating": true, "threshold": int64(1),
	}}, err
}

// before is how many projects there are already.
func (s size) before() int { return s.projects - s.projects/100 }

// delegations gives those of a version: the next one has the last hundredth of
// the projects besides.
func (s size) delegations(now bool) ([]delegation, error) {
	all, err := s.allBins(now)
	if err != nil || s.projects == 0 {
		return all, err
	}
	if !now {
		return projects(0, s.before())
	}
	return projects(0, s.projects)
}

// changes gives those that the next version changes.
func (s size) changes() ([]delegation, error) {
	if s.projects > 0 {
		return projects(s.before(), s.projects)
	}
	all, err := s.allBins(true)
	var some []delegation
	for i, d := range all {
		if changed(i) {
			some = append(some, d)
		}
	}
	return some, err
}

func (s size) allBins(now bool) ([]delegation, error) {
	keys, err := s.binKeys()
	if err != nil {
		return nil, err
	}
	var all []delegation
	for i := range s.bins {
		all = append(all, bin(i, now, keys))
	}
	return all, nil
}

// binKeys are two, both of which are listed from the beginning.
func (s size) binKeys() (keys [2]*tufmeta.Key, err error) {
	for i := range keys {
		if keys[i], err = publicKey(fmt.Sprintf("bins %d", i)); err != nil {
			return keys, err
		}
	}
	return keys, nil
}

func projects(from, to int) ([]delegation, error) {
	var all []delegation
	for i := from; i < to; i++ {
		d, err := project(i)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// each gives what is signed of a version, in the order of canonical form.
func (s size) each(now bool, put func(in stream.Place, name string, value any) error) error {
	version := int64(oldVersion)
	if now {
		version = newVersion
	}
	if err := put(stream.Signed, "_type", "targets"); err != nil {
		return err
	}
	if s.targets == 0 {
		if err := s.eachDelegation(now, put); err != nil {
			return err
		}
	}
	if err := put(stream.Signed, "expires", far); err != nil {
		return err
	}
	if err := put(stream.Signed, "spec_version", "1.0.34"); err != nil {
		return err
	}
	if err := put(stream.Signed, "targets", nil); err != nil {
		return err
	}
	for i := range s.targets {
		name, value := target(i, now)
		if err := put(stream.Targets, name, value); err != nil {
			return err
		}
	}
	if err := put(stream.Signed, "version", version); err != nil {
		return err
	}
	return put(stream.Signed, tufmeta.RehearsalField, true)
}

func (s size) eachDelegation(now bool, put func(stream.Place, string, any) error) error {
	all, err := s.delegations(now)
	if err != nil {
		return err
	}
	keys := map[string]object{}
	for _, d := range all {
		keys[d.KeyID] = d.Key
	}
	if s.bins > 0 {
		both, err := s.binKeys()
		if err != nil {
			return err
		}
		keys[both[1].ID] = both[1].Object
	}
	ids := make([]string, 0, len(keys))
	for id := range keys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if err := put(stream.Keys, id, keys[id]); err != nil {
			return err
		}
	}
	for _, d := range all {
		if err := put(stream.Roles, "", d.Role); err != nil {
			return err
		}
	}
	return nil
}
