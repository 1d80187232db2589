package publish

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// listings are the timestamp of a state and the snapshot that it lists, nil
// where one is not there, or no root vouches for it.
type listings struct {
	timestamp, snapshot *tufmeta.Snapshot
	file                string // of the snapshot
	under               root   // which vouches for it
}

func (s state) listings(chain []root) listings {
	timestamp, under := s.vouched("timestamp.json", "timestamp", chain)
	if timestamp == nil {
		return listings{}
	}
	l := listings{timestamp: timestamp, file: fileOf("snapshot", timestamp.Meta["snapshot.json"].Version, under)}
	l.snapshot, l.under = s.vouched(l.file, "snapshot", chain)
	return l
}

// vouched reads a file under the newest root that vouches for it: a signer may
// not have come to the newest of all yet.
func (s state) vouched(name, role string, chain []root) (*tufmeta.Snapshot, root) {
	if _, there := s[name]; there {
		for _, r := range slices.Backward(chain) {
			if got, err := s.read(name, role, r); err == nil {
				return got, r
			}
		}
	}
	return nil, root{}
}

// dropped says what clients will miss that they had: what snapshot no longer
// lists, and what it lists and is not there, as far as targets hands on to it.
// A file to which nothing hands on may go, and stays listed.
func (b *builder) dropped(subject string, l listings, absent map[string]bool) []check.Result {
	var results []check.Result
	earlier, under := b.earlier(l)
	switch {
	case earlier == nil:
	case (&onlineWork{newest: b.newest}).retired(under):
		for name := range earlier.Meta {
			if _, still := l.snapshot.Meta[name]; !still {
				absent[strings.TrimSuffix(name, ".json")] = true
			}
		}
	default:
		results = inspect.Drops(subject, earlier, l.snapshot)
	}
	if gone := b.needed(l.snapshot, absent); len(gone) > 0 {
		results = append(results, check.New("SNAPSHOT-DROP", subject, "clients look for %s, and metadata/ does not have it", inspect.Few(gone)))
	}
	return results
}

// earlier is the snapshot that was listed until now, or where that one stays the
// last one before it; and the root that vouches for it.
func (b *builder) earlier(l listings) (*tufmeta.Snapshot, root) {
	files := b.repo.files
	if now := files.listings(b.chain); now.snapshot != nil && !bytes.Equal(files[now.file], b.next[l.file]) {
		return now.snapshot, now.under
	}
	versions := map[int64]string{}
	for name := range files {
		if v, err := folder.ParseVersion(name); err == nil && v.Role == "snapshot" && v.Version < l.snapshot.Version {
			versions[v.Version] = name
		}
	}
	for _, v := range slices.Backward(slices.Sorted(maps.Keys(versions))) {
		if got, under := files.vouched(versions[v], "snapshot", b.chain); got != nil && got.Version == v {
			return got, under
		}
	}
	return nil, root{}
}

// needed goes down from targets through what snapshot lists, and names the
// files of absent roles to which a role on the way hands on.
func (b *builder) needed(snapshot *tufmeta.Snapshot, absent map[string]bool) []string {
	if len(absent) == 0 {
		return nil
	}
	var gone []string
	seen, next := map[string]bool{"targets": true}, []string{"targets"}
	known := slices.Sorted(maps.Keys(absent))
	for name := range snapshot.Meta {
		known = append(known, strings.TrimSuffix(name, ".json"))
	}
	for len(next) > 0 {
		role := next[0]
		next = next[1:]
		if absent[role] {
			gone = append(gone, missingName(role, snapshot, b.newest))
			continue
		}
		hands := b.handsOnTo(role, snapshot)
		for _, name := range known {
			if !seen[name] && hands.Find(name) != nil {
				seen[name] = true
				next = append(next, name)
			}
		}
	}
	slices.Sort(gone)
	return gone
}

func missingName(role string, snapshot *tufmeta.Snapshot, r root) string {
	if entry, listed := snapshot.Meta[role+".json"]; listed {
		return tufmeta.Printable(fileOf(role, entry.Version, r))
	}
	return tufmeta.Printable(role) + ".json"
}

// handsOnTo is what the listed version of a role delegates.
func (b *builder) handsOnTo(role string, snapshot *tufmeta.Snapshot) *tufmeta.Delegations {
	env, err := stream.ReadEnvelope(b.next[fileOf(role, snapshot.Meta[role+".json"].Version, b.newest)])
	if err != nil {
		return nil
	}
	targets, err := env.Parse()
	if err != nil {
		return nil
	}
	return targets.Delegations
}
