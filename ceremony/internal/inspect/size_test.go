package inspect_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/tufmeta"
)

// said is what results say, one a line.
func said(results []check.Result) string {
	lines := make([]string, len(results))
	for i, r := range results {
		lines[i] = r.Check + ", " + r.Subject + ": " + r.Detail
	}
	return strings.Join(lines, "\n")
}

// A file of just so many bytes is taken, and one byte more is told. A listed
// length lifts the limit of what is listed.
func TestSizes(t *testing.T) {
	for _, row := range []struct {
		name string
		have []check.Result
		want string
	}{
		{"root", inspect.RootSize("root", "2.root", 512_000), ""},
		{"root", inspect.RootSize("root", "2.root", 512_001), "SIZE-ROOT, root: 2.root has 512001 bytes, and clients take 512000"},
		{"rotations", inspect.Rotations("root.json", 2, 258), ""},
		{"rotations", inspect.Rotations("root.json", 2, 259), "SIZE-ROOT, root.json: root 259 is 257 after root 2: clients that begin there go no further than root 258"},
		{"targets", inspect.TargetsSize("bins", "2.bins", 5_000_000, inspect.WithoutLength), ""},
		{"targets", inspect.TargetsSize("bins", "2.bins", 5_000_001, inspect.WithoutLength), "SIZE-TARGETS, bins: 2.bins has 5000001 bytes, and snapshot lists no length for it: clients take 5000000 then"},
		{"targets", inspect.TargetsSize("bins", "2.bins", 5_000_001, inspect.NotSeen), "SIZE-TARGETS, bins: 2.bins has 5000001 bytes: clients take 5000000, unless snapshot lists its length"},
		{"targets", inspect.TargetsSize("bins", "2.bins", 5_000_001, inspect.WithLength), ""},
		{"snapshot", inspect.SnapshotSize("snapshot 3", "the file", 2_000_000, inspect.NotSeen), ""},
		{"snapshot", inspect.SnapshotSize("snapshot 3", "the file", 2_000_001, inspect.WithoutLength), "SIZE-SNAPSHOT, snapshot 3: the file has 2000001 bytes, and timestamp lists no length for it: clients take 2000000 then"},
		{"snapshot", inspect.SnapshotSize("snapshot 3", "the file", 2_000_001, inspect.ListingOf(2_000_001)), ""},
		{"snapshot", inspect.SnapshotSize("snapshot 3", "the file", 2_000_001, inspect.ListingOf(0)), "SIZE-SNAPSHOT, snapshot 3: the file has 2000001 bytes, and timestamp lists no length for it: clients take 2000000 then"},
	} {
		if have := said(row.have); have != row.want {
			t.Errorf("%s: %q, want %q", row.name, have, row.want)
		}
	}
}

// Clients count the file, with all that is no signature and signed by nobody.
func TestChainSize(t *testing.T) {
	root := ceremonytest.Root(t)
	for size, want := range map[int]int{inspect.RootLimit: 0, inspect.RootLimit + 1: 1} {
		padded := append(bytes.Clone(root), bytes.Repeat([]byte("\n"), size-len(root))...)
		roots, err := inspect.Chain([]inspect.File{{Name: "1.root.json", Data: padded}}, time.Unix(0, 0))
		if err != nil || !roots.Valid() {
			t.Fatal(err, roots)
		}
		text := said(roots.Links[0].Results)
		if strings.Count(text, "SIZE-ROOT, root: the file has 512001 bytes") != want || strings.Count(text, "SIZE-ROOT") != want {
			t.Errorf("of %d bytes: %s", size, text)
		}
	}
}

// Explicit prefixes are told, once a role that hands on by them; patterns and
// succinct bins are not.
func TestBins(t *testing.T) {
	prefixes := func(n int) *tufmeta.Delegations {
		var roles []tufmeta.Delegated
		for i := range n {
			roles = append(roles, tufmeta.Delegated{Name: fmt.Sprintf("bin-%d", i), Prefixes: []string{"0"}})
		}
		return ceremonytest.Delegations(t, nil, append(roles, tufmeta.Delegated{Name: "docs", Paths: []string{"docs/*"}})...)
	}
	for _, row := range []struct {
		delegations *tufmeta.Delegations
		want        string
	}{
		{nil, ""},
		{prefixes(0), ""},
		{ceremonytest.Delegations(t, nil, tufmeta.Delegated{Name: "bin", Bits: 4}), ""},
		{prefixes(1), "BINS-PORTABLE, targets: hands names on by path_hash_prefixes, to role \"bin-0\": go-tuf finds next to nothing there"},
		{prefixes(16), "BINS-PORTABLE, targets: hands names on by path_hash_prefixes, to role \"bin-0\" and 15 more: go-tuf finds next to nothing there"},
	} {
		if have := said(inspect.Bins("targets", row.delegations)); have != row.want {
			t.Errorf("%q, want %q", have, row.want)
		}
	}
}

// What is no longer listed, or with a lower version, is named.
func TestDrops(t *testing.T) {
	list := func(version int64, meta map[string]int64) *tufmeta.Snapshot {
		s := &tufmeta.Snapshot{Common: tufmeta.Common{Version: version}, Meta: map[string]tufmeta.MetaFile{}}
		for name, v := range meta {
			s.Meta[name] = tufmeta.MetaFile{Version: v}
		}
		return s
	}
	many := map[string]int64{}
	for i := range 9 {
		many[fmt.Sprintf("bin-%d.json", i)] = 1
	}
	for _, row := range []struct {
		earlier, later map[string]int64
		want           string
	}{
		{map[string]int64{"targets.json": 2, "bins.json": 1}, map[string]int64{"targets.json": 2, "bins.json": 2, "more.json": 1}, ""},
		{map[string]int64{"targets.json": 2, "bins.json": 1}, map[string]int64{"targets.json": 3}, "SNAPSHOT-DROP, snapshot 8: it no longer lists bins.json, which snapshot 7 lists"},
		{map[string]int64{"targets.json": 2, "bins.json": 4}, map[string]int64{"targets.json": 2, "bins.json": 3}, "SNAPSHOT-DROP, snapshot 8: it lists a lower version than snapshot 7: bins.json (3, and 4 before)"},
		{many, map[string]int64{}, "SNAPSHOT-DROP, snapshot 8: it no longer lists bin-0.json, bin-1.json, bin-2.json, bin-3.json, bin-4.json and 4 more, which snapshot 7 lists"},
		{map[string]int64{"a\u202e.json": 1}, map[string]int64{}, "SNAPSHOT-DROP, snapshot 8: it no longer lists a\\u202e.json, which snapshot 7 lists"},
	} {
		if have := said(inspect.Drops("snapshot 8", list(7, row.earlier), list(8, row.later))); have != row.want {
			t.Errorf("%q, want %q", have, row.want)
		}
	}
}
