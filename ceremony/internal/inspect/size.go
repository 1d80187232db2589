package inspect

import (
	"fmt"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/tufmeta"
)

// What go-tuf, python-tuf and tuf-js take where nobody has told them otherwise,
// in bytes; a file of exactly so many is taken. docs/limits.md has the places,
// and TestClientLimits in package main compares.
//
// The last two speak only of a file whose length is not listed by the file that
// names it, snapshot by timestamp and targets by snapshot. A listed length is
// the limit itself, and may be any.
const (
	RootLimit      = 512_000
	TimestampLimit = 16_384
	SnapshotLimit  = 2_000_000
	TargetsLimit   = 5_000_000
)

// RotationLimit is how many roots clients go on from the one they begin with.
// Past it they stay with the root they have come to.
const RotationLimit = 256

// Listing is what is known of how a file is named by the one that lists it.
type Listing int

// A file that lists others may be missing here, or may give a version alone.
const (
	NotSeen Listing = iota
	WithLength
	WithoutLength
)

// ListingOf says what an entry of a snapshot or timestamp gives.
func ListingOf(length int64) Listing {
	if length > 0 {
		return WithLength
	}
	return WithoutLength
}

// RootSize judges the file of a root, signatures included.
func RootSize(subject, name string, size int64) []check.Result {
	if size <= RootLimit {
		return nil
	}
	return []check.Result{check.New("SIZE-ROOT", subject, "%s has %d bytes, and clients take %d", name, size, RootLimit)}
}

// Rotations judges how far a root is from the one that clients begin with.
func Rotations(subject string, first, last int64) []check.Result {
	if last-first <= RotationLimit {
		return nil
	}
	return []check.Result{check.New("SIZE-ROOT", subject, "root %d is %d after root %d: clients that begin there go no further than root %d", last, last-first, first, first+RotationLimit)}
}

// TargetsSize judges the file of targets or of a delegated role.
func TargetsSize(subject, name string, size int64, listed Listing) []check.Result {
	return listedSize("SIZE-TARGETS", subject, name, "snapshot", size, TargetsLimit, listed)
}

// SnapshotSize judges the file of a snapshot.
func SnapshotSize(subject, name string, size int64, listed Listing) []check.Result {
	return listedSize("SIZE-SNAPSHOT", subject, name, "timestamp", size, SnapshotLimit, listed)
}

func listedSize(id, subject, name, by string, size, limit int64, listed Listing) []check.Result {
	switch {
	case size <= limit || listed == WithLength:
		return nil
	case listed == WithoutLength:
		return []check.Result{check.New(id, subject, "%s has %d bytes, and %s lists no length for it: clients take %d then", name, size, by, limit)}
	}
	return []check.Result{check.New(id, subject, "%s has %d bytes: clients take %d, unless %s lists its length", name, size, limit, by)}
}

// Bins finds explicit hash prefixes in what targets metadata delegates.
// go-tuf compares them with the base64 of the hash, not with its hex, and so
// finds next to no target by them.
func Bins(subject string, d *tufmeta.Delegations) []check.Result {
	n, first := d.Explicit()
	if n == 0 {
		return nil
	}
	others := ""
	if n > 1 {
		others = fmt.Sprintf(" and %d more", n-1)
	}
	return []check.Result{check.New("BINS-PORTABLE", subject, "hands names on by path_hash_prefixes, to role \"%s\"%s: go-tuf finds next to nothing there", tufmeta.Printable(first), others)}
}
