package plan_test

import (
	"reflect"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

var theirFirst = ceremonytest.OtherRoot{Version: 3}

// A plan that imports another repository's keys is read back as it was written.
func TestExternalText(t *testing.T) {
	p := ceremonytest.ExternalPlan(t, theirFirst)
	read, err := plan.Parse(p.Text())
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Text())
	}
	if !reflect.DeepEqual(read, p) {
		t.Errorf("%+v\nis written as\n%s", read, p.Text())
	}
	p.Targets.Delegations.Roles = []plan.Delegation{{Name: "bin", External: "theirs", Bits: 4}}
	if read, err = plan.Parse(p.Text()); err != nil || !reflect.DeepEqual(read, p) {
		t.Errorf("%v\n%s", err, p.Text())
	}
}

// In each row, text of a good plan is replaced once.
func TestExternalRefuses(t *testing.T) {
	theirLast := ceremonytest.OtherRoot{Version: 5}
	good := string(ceremonytest.ExternalPlan(t, theirFirst, theirLast).Text())
	const external, source = "      external: theirs", `"their web page, read over two networks"`
	digest, last := tufmeta.Digest(theirFirst.File(t)), tufmeta.Digest(theirLast.File(t))
	for _, row := range []struct{ name, old, new, field, problem string }{
		{"no source", source, `""`, "externals[0].source", `is ""`},
		{"a source in a word", source, `"web"`, "externals[0].source", `is "web"`},
		{"a source with a quote", source, `"their \"web page\" was read"`, "externals[0].source", `is "their`},
		{"no digest", `"` + digest + `"`, `""`, "externals[0].sha256", `is ""`},
		{"a digest in capitals", digest, strings.ToUpper(digest), "externals[0].sha256", "is "},
		{"root 0", "root: 3", "root: 0", "externals[0].root", "is 0"},
		{"no newest root", "    newest: {root: 5, sha256: \"" + last + "\"}", "", "externals[0].newest.root", "is 0, and the first root is 3"},
		{"a newest root before the first", "newest: {root: 5", "newest: {root: 2", "externals[0].newest.root", "is 2, and the first root is 3"},
		{"no digest of the newest", `"` + last + `"`, `""`, "externals[0].newest.sha256", `is ""`},
		{"a name in capitals", "- name: theirs\n    root", "- name: Theirs\n    root", "externals[0].name", `is "Theirs"`},
		{"a name of Windows", "- name: theirs\n    root", "- name: con\n    root", "externals[0].name", `is "con"`},
		{"a name with a slash", "- name: theirs\n    root", "- name: \"a/b\"\n    root", "externals[0].name", `is "a/b"`},
		{"one name twice", "\ntargets:\n", "  - {name: theirs, root: 1, sha256: \"" + digest + "\", source: \"the same once more\"}\n\ntargets:\n", "externals[1].name", "stands twice"},
		{"nobody of that name", external, "      external: others", "targets.delegations[0].external", `is "others"`},
		{"no name", external, `      external: ""`, "targets.delegations[0].external", `is ""`},
		{"threshold beside it", external, external + "\n      threshold: 1", "targets.delegations[0]", "threshold or keys beside it"},
		{"keys beside it", external, external + "\n      keys: [holder-1]", "targets.delegations[0]", "threshold or keys beside it"},
		{"neither", external + "  # keys and threshold of its targets role, as its newest root has them\n", "", "targets.delegations[0]", "neither keys and threshold nor external"},
		{"a role of theirs that is signed here", "\nlifetimes", "\ndelegated:\n  - {role: theirs, delegator: targets, version: 1, expires: 2028-01-10T09:00:00Z}\nlifetimes", "delegated[0].role", `is "theirs", which targets hands on to another repository`},
	} {
		t.Run(row.name, func(t *testing.T) {
			refusedAt(t, good+"\nlifetimes: {snapshot: 7, timestamp: 1}\n", row.old, row.new, row.field, row.problem)
		})
	}
}

// Delegations that are written out name the other repository, whichever of its
// roots their keys come from, and nobody of it becomes a holder here.
func TestFillExternal(t *testing.T) {
	roots := []ceremonytest.OtherRoot{theirFirst, {Version: 4, Targets: []string{"theirs-4", "theirs-5"}}}
	c := ceremonytest.External(t, theirFirst)
	c.Payloads()
	signed, err := tufmeta.ParseSigned(c.Files["payload/2.targets.json"])
	if err != nil {
		t.Fatal(err)
	}
	targets, err := tufmeta.ParseTargets(signed)
	if err != nil {
		t.Fatal(err)
	}
	p := ceremonytest.ExternalPlan(t, roots...)
	want := p.Targets.Delegations
	p.Targets.Delegations = nil
	files := folder.Files{}
	for _, root := range roots {
		files[folder.ExternalFile("theirs", root.Version)] = root.File(t)
	}
	holders := len(p.Roster.Holders)
	if err := plan.FillDelegations(p, p.Targets, targets.Delegations, nil, files); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.Targets.Delegations, want) || len(p.Roster.Holders) != holders {
		t.Errorf("fills in %+v, with %d holders", p.Targets.Delegations, len(p.Roster.Holders))
	}
	p.Externals = nil // nobody says whose they are
	if err := plan.FillDelegations(p, p.Targets, targets.Delegations, nil, folder.Files{}); err != nil || p.Targets.Delegations.Roles[0].External != "" || len(p.Roster.Holders) != holders+3 {
		t.Errorf("%v: fills in %+v", err, p.Targets.Delegations)
	}
}
