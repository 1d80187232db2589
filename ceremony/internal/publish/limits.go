package publish

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/tufmeta"
)

// limits compares what will be there with what clients take. What this
// publication writes is refused; what another signer has written is told, and
// stops nothing: it may be what is being mended.
func (b *builder) limits() error {
	l := b.next.listings(b.chain)
	results := slices.Concat(b.rotations(), b.brought(l.snapshot), b.listed(l))
	context := check.Published
	if len(b.steps.online) > 0 {
		context = check.Draft
	}
	for i, r := range results {
		if r.Level == "" {
			results[i].Level = context.Level(r)
		}
	}
	results = check.WaiveAgain(results, b.facts.Report.Plan.Waivers)
	b.p.Findings = append(b.p.Findings, results...)
	return check.Refuse(results)
}

// rotations counts from root.json, with which clients ship. With no more than
// the roots that are published already there is nothing to stop.
func (b *builder) rotations() []check.Result {
	results := inspect.Rotations(rootFile, b.chain[0].Version, b.newest.Version)
	return raise(results, len(b.steps.roots) > 0)
}

// brought judges the roles that the bundle brings.
func (b *builder) brought(snapshot *tufmeta.Snapshot) []check.Result {
	var results []check.Result
	for _, v := range b.facts.Roles {
		if v.Role == "root" {
			continue
		}
		listed := listing(v.Version, snapshot)
		size := int64(len(b.next[fileOf(v.Role, v.Version.Version, b.newest)]))
		found := inspect.TargetsSize(v.Role, v.File(), size, listed)
		results = append(results, raise(found, listed == inspect.WithoutLength)...)
	}
	return results
}

// raise makes refusals of findings that the table weighs for a case less sure.
func raise(results []check.Result, sure bool) []check.Result {
	for i := range results {
		if sure {
			results[i].Level = check.Refusal
		}
	}
	return results
}

// listing says how snapshot lists a version, or will: a signer that lists the
// last version of the role without its length, or of any role if it has not
// listed this one, does the same with the next.
func listing(v folder.Version, snapshot *tufmeta.Snapshot) inspect.Listing {
	if snapshot == nil {
		return inspect.NotSeen
	}
	if entry, ok := snapshot.Meta[v.Role+".json"]; ok {
		return inspect.ListingOf(entry.Length)
	}
	for _, entry := range snapshot.Meta {
		if entry.Length > 0 {
			return inspect.WithLength
		}
	}
	return inspect.WithoutLength
}

// listed judges what timestamp and snapshot list when all is done: the size of
// the snapshot, and of roles that the bundle does not bring, and what has gone.
func (b *builder) listed(l listings) []check.Result {
	if l.snapshot == nil {
		return nil
	}
	subject := fmt.Sprintf("snapshot %d", l.snapshot.Version)
	timestamp := l.timestamp.Meta["snapshot.json"]
	results := inspect.SnapshotSize(subject, "the file", int64(len(b.next[l.file])), inspect.ListingOf(timestamp.Length))
	absent := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(l.snapshot.Meta)) {
		role, entry := strings.TrimSuffix(name, ".json"), l.snapshot.Meta[name]
		file := fileOf(role, entry.Version, b.newest)
		switch data, there := b.next[file]; {
		case !there:
			absent[role] = true
		case !b.brings(role):
			results = append(results, inspect.TargetsSize(tufmeta.Printable(role), tufmeta.Printable(file), int64(len(data)), inspect.ListingOf(entry.Length))...)
		}
	}
	return append(results, b.dropped(subject, l, absent)...)
}

func (b *builder) brings(role string) bool {
	for _, v := range b.facts.Roles {
		if v.Role == role {
			return true
		}
	}
	return false
}
