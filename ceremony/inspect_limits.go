package main

import (
	"fmt"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/tufmeta"
)

// limits says of each file what clients would not take for its size, as far as
// the files show it that were named together.
func (i *inspection) limits() {
	delegated := i.delegations()
	for n := range i.others {
		o := &i.others[n]
		var results []check.Result
		switch o.common.Type {
		case "targets":
			role := o.role(delegated)
			results = inspect.TargetsSize(tufmeta.Printable(role), "the file", int64(len(o.data)), i.listing("snapshot", role, o.common.Version))
			results = append(results, inspect.Bins(tufmeta.Printable(role), o.delegations())...)
		case "snapshot":
			results = inspect.SnapshotSize("snapshot", "the file", int64(len(o.data)), i.listing("timestamp", "snapshot", o.common.Version))
		}
		o.found = append(o.found, check.Published.Weigh(results)...)
	}
}

// listing looks for a version of a role in the files of a kind that list it;
// of several the newest counts, which clients have.
func (i *inspection) listing(by, role string, version int64) inspect.Listing {
	seen, newest := inspect.NotSeen, int64(0)
	for _, o := range i.others {
		if o.common.Type != by || o.common.Version < newest {
			continue
		}
		list, err := tufmeta.ParseSnapshot(o.env.Signed, by)
		if err != nil {
			continue
		}
		if entry, ok := list.Meta[role+".json"]; ok && entry.Version == version {
			seen, newest = inspect.ListingOf(entry.Length), o.common.Version
		}
	}
	return seen
}

// drops compares each snapshot with the one before it, among those that were
// named. Where a root vouches for both, clients will refuse the later one:
// that is broken. Where none is named nothing says that the two are of one
// repository, and it is a finding.
func (i *inspection) drops() {
	var snapshots []*other
	for n := range i.others {
		if o := &i.others[n]; o.common.Type == "snapshot" {
			snapshots = append(snapshots, o)
		}
	}
	slices.SortStableFunc(snapshots, func(a, b *other) int { return int(a.common.Version - b.common.Version) })
	for n, later := range snapshots {
		for _, earlier := range slices.Backward(snapshots[:n]) {
			if earlier.common.Version == later.common.Version || !i.goesOn(earlier, later) {
				continue
			}
			i.dropped(earlier, later)
			break
		}
	}
}

func (i *inspection) dropped(earlier, later *other) {
	before, err := tufmeta.ParseSnapshot(earlier.env.Signed, "snapshot")
	if err != nil {
		return
	}
	now, err := tufmeta.ParseSnapshot(later.env.Signed, "snapshot")
	if err != nil {
		return
	}
	results := check.Published.Weigh(inspect.Drops(fmt.Sprintf("snapshot %d", now.Version), before, now))
	if later.tally == nil {
		later.found = append(later.found, results...)
		return
	}
	for _, r := range results {
		r.Level = check.Refusal
		i.broken = append(i.broken, r)
	}
}

// goesOn reports whether clients that have the earlier snapshot compare the
// later one with it: they drop it where no online key of its root is left, and
// versions may begin anew there.
func (i *inspection) goesOn(earlier, later *other) bool {
	if earlier.tally == nil || later.tally == nil {
		return true
	}
	if !earlier.tally.Reached() || !later.tally.Reached() {
		return false // THRESHOLD-NEW has said so
	}
	old, now := i.online(earlier.under), i.online(later.under)
	return slices.ContainsFunc(old, func(f string) bool { return slices.Contains(now, f) })
}

// online are the public keys of snapshot and timestamp in a root.
func (i *inspection) online(version int64) []string {
	for _, l := range i.chain.Links {
		if l.Root.Version == version {
			return append(inspect.Fingerprints(l.Root, "snapshot"), inspect.Fingerprints(l.Root, "timestamp")...)
		}
	}
	return nil
}
