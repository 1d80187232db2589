package quorum_test

import (
	"fmt"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
)

// A root is judged under the root before it and under itself, targets under
// the newest root.
func TestDemands(t *testing.T) {
	genesis := ceremonytest.Genesis(t)
	genesis.Payloads()
	rotation := ceremonytest.Rotation(t)
	rotation.Payloads()
	p := ceremonytest.RotationPlan()
	p.Kind, p.Root = plan.Targets, nil
	targets := ceremonytest.Start(t, p, ceremonytest.Trusted(t))
	targets.Payloads()
	for _, row := range []struct {
		name  string
		files folder.Files
		want  string
	}{
		{"genesis", genesis.Files, "1.root under root 1 (3 of 5, new) 1.targets under root 1 (2 of 3, new)"},
		{"rotation", rotation.Files, "2.root under root 1 (3 of 5, old) 2.root under root 2 (3 of 5, new) 2.targets under root 2 (2 of 3, new)"},
		{"targets", targets.Files, "2.targets under root 1 (2 of 3, new)"},
	} {
		demands, err := quorum.Demands(row.files)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, d := range demands {
			which := map[bool]string{true: "old", false: "new"}[d.Old]
			have = append(have, fmt.Sprintf("%s (%d of %d, %s)", d, d.Role.Threshold, len(d.Role.KeyIDs), which))
		}
		if strings.Join(have, " ") != row.want {
			t.Errorf("%s: %s, want %s", row.name, strings.Join(have, " "), row.want)
		}
	}
}

// Members are people by public key: who has no key in the plan, or has lost
// it, cannot sign.
func TestMembers(t *testing.T) {
	c := ceremonytest.Rotation(t)
	c.Payloads()
	demands, err := quorum.Demands(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	p := ceremonytest.RotationPlan()
	p.Roster.Holders[3].Tokens[0].Lost = true // holder-4
	p.Roster.Holders = p.Roster.Holders[:4]   // without holder-5 and holder-6
	if err := p.Roster.LoadKeys(c.Files); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"holder-1 holder-2 holder-3 (holder-4) ?",
		"holder-1 holder-2-new holder-3 (holder-4) ?",
	} {
		var have []string
		able := 0
		for _, m := range demands[i].Members(&p.Roster) {
			name := "?"
			if m.Token != nil {
				name = m.Token.Name
			}
			if m.CanSign() {
				able++
			} else if m.Token != nil {
				name = "(" + name + ")"
			}
			have = append(have, name)
		}
		if strings.Join(have, " ") != want || demands[i].Able(&p.Roster) != able || able != 3 {
			t.Errorf("%s: %s, %d able; want %s", demands[i], strings.Join(have, " "), able, want)
		}
	}
}

func TestDemandsRefuses(t *testing.T) {
	c := ceremonytest.Rotation(t)
	c.Payloads()
	for _, row := range []struct {
		name   string
		change func(f folder.Files)
		want   string
	}{
		{"a trusted root that is none", func(f folder.Files) { f["trusted/1.root.json"] = f["trusted/1.targets.json"] }, "reading trusted root 1"},
		{"a trusted root under another version", func(f folder.Files) { f["trusted/7.root.json"] = f["trusted/1.root.json"] }, "the file says version 1"},
		{"a payload that is not canonical", func(f folder.Files) { f["payload/2.root.json"] = []byte("{ }") }, "reading payload 2.root"},
		{"a role that no root names", func(f folder.Files) { f["payload/1.others.json"] = f["payload/2.targets.json"] }, "finding who signs 1.others: nothing that targets leads to delegates to it"},
		{"a delegated role that is none", func(f folder.Files) { f["payload/1.others.json"] = []byte("{}") }, "reading payload/1.others.json"},
		{"no root at all", func(f folder.Files) { delete(f, "trusted/1.root.json"); delete(f, "payload/2.root.json") }, "no root names the role"},
	} {
		files := folder.Files{}
		for name, data := range c.Files {
			files[name] = data
		}
		row.change(files)
		if demands, err := quorum.Demands(files); err == nil || demands != nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}
