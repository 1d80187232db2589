package review_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

type object = map[string]any

var theirs = []ceremonytest.OtherRoot{{Version: 3, Targets: []string{"theirs-1", "theirs-2"}}, {Version: 4}}

// What is delegated to another repository is shown as such, and its own people's
// margins are not ours to judge.
func TestExternalShown(t *testing.T) {
	c := ceremonytest.External(t, theirs...)
	c.Draft()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if err := check.Refuse(report.Results); err != nil {
		t.Fatal(err)
	}
	key := ceremonytest.OtherKey(t, "theirs-1")
	have := lines(report.Documents[0].Changes)
	for _, want := range []string{"+ delegation theirs||place 1, 2 of 3 keys of external theirs's root 4; theirs/*; terminating\n", "+ theirs key||external theirs's root 4\n"} {
		if !strings.Contains(have, want) {
			t.Errorf("no line\n%s\nin\n%s", want, have)
		}
	}
	if !strings.Contains(string(c.Files["payload/2.targets.json"]), key.ID) {
		t.Error("a key has another key ID than the one that the other project signs under")
	}
	x := report.Externals[0]
	if x.Newest.Version != 4 || x.Root != 3 || x.Threshold() != 2 || !slices.Contains(x.Keys(), key.Fingerprint()) || x.File.Digest != tufmeta.Digest(c.Files["external/theirs/4.root.json"]) {
		t.Errorf("reports %+v", x)
	}
	for _, s := range said(t, c) {
		if strings.Contains(s, "EXTERNAL") || strings.Contains(s, ", theirs:") {
			t.Errorf("it says %s", s)
		}
	}
	c.Sign("holder-1", "holder-2")
}

// A chain that does not lead from the root that people believe to the newest is
// refused, whatever it says.
func TestExternalChain(t *testing.T) {
	at := func(version int64) ceremonytest.OtherRoot { return ceremonytest.OtherRoot{Version: version} }
	for _, row := range []struct {
		name, want string
		roots      []ceremonytest.OtherRoot
		change     func(files folder.Files)
	}{
		{"a gap", "root 3 does not follow root 1: root 2 is missing (VERSION-SEQUENCE)", []ceremonytest.OtherRoot{at(1), at(3)}, nil},
		{"a forged root", "root 2 has 0 valid signatures of root 1, and 2 are needed (THRESHOLD-OLD)",
			[]ceremonytest.OtherRoot{at(1), {Version: 2, Root: []string{"thief-1", "thief-2"}, Targets: []string{"thief-1", "thief-2"}}}, nil},
		{"one signature too few", "root 2 has 1 valid signatures of root 1", []ceremonytest.OtherRoot{at(1), {Version: 2, By: []string{"their-root-1"}}}, nil},
		{"a root that has not signed itself", "root 2 has 1 valid signatures of its own keys, and 2 are needed (THRESHOLD-NEW)",
			[]ceremonytest.OtherRoot{at(1), {Version: 2, Root: []string{"their-root-1", "new-1", "new-2"}, By: []string{"their-root-1", "their-root-2"}}}, nil},
		{"another first root", "the SHA-256 of root 1, the first, is ", []ceremonytest.OtherRoot{at(1), at(2)}, func(files folder.Files) {
			files["external/theirs/1.root.json"] = append(files["external/theirs/1.root.json"], ' ')
		}},
		{"an older first root", "the plan believes root 2, and the first in external/theirs is root 1", []ceremonytest.OtherRoot{at(2), at(3)}, func(files folder.Files) {
			files["external/theirs/1.root.json"] = at(1).File(t)
		}},
		{"the first one left out", "the plan believes root 1, and the first in external/theirs is root 2", []ceremonytest.OtherRoot{at(1), at(2)}, func(files folder.Files) {
			delete(files, "external/theirs/1.root.json")
		}},
		{"a file under another number", "external/theirs/3.root.json says that it is root 2", []ceremonytest.OtherRoot{at(1), at(2), at(3)}, func(files folder.Files) {
			files["external/theirs/2.root.json"], files["external/theirs/3.root.json"] = at(3).File(t), at(2).File(t)
		}},
		{"the newest one left out", "the plan has root 2 as the newest, and the last in external/theirs is root 1", []ceremonytest.OtherRoot{at(1), at(2)}, func(files folder.Files) {
			delete(files, "external/theirs/2.root.json")
		}},
		{"a newer one than the plan has", "the plan has root 1 as the newest, and the last in external/theirs is root 2", []ceremonytest.OtherRoot{at(1)}, func(files folder.Files) {
			files["external/theirs/2.root.json"] = at(2).File(t)
		}},
		{"another newest root", "the SHA-256 of root 2, the newest, is ", []ceremonytest.OtherRoot{at(1), at(2)}, func(files folder.Files) {
			files["external/theirs/2.root.json"] = ceremonytest.OtherRoot{Version: 2, Targets: []string{"theirs-1", "theirs-2"}}.File(t)
		}},
		{"one of a rehearsal", "root 1 is of a rehearsal, and this ceremony is not", []ceremonytest.OtherRoot{{Version: 1, Change: func(s object) { s[tufmeta.RehearsalField] = true }}}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := ceremonytest.External(t, row.roots...)
			if row.change != nil {
				row.change(c.Files)
			}
			c.Draft()
			wantLine(t, said(t, c), "refusal EXTERNAL-CHAIN, theirs: ")
			wantLine(t, said(t, c), row.want)
		})
	}
	c := ceremonytest.External(t, at(1))
	c.Draft()
	c.Files["external/theirs/1.root.json"] = []byte("{")
	have := said(t, c)
	wantLine(t, have, `refusal EXTERNAL-CHAIN, theirs: reading "external/theirs/1.root.json": `)
}

// Who signs a root with a key for which anybody can sign has signed nothing.
func TestExternalSmallOrder(t *testing.T) {
	public := append([]byte{1}, make([]byte, 31)...)
	weak := object{"keytype": "ed25519", "scheme": "ed25519", "keyval": object{"public": hex.EncodeToString(public)}}
	id, err := tufmeta.KeyID(weak)
	if err != nil {
		t.Fatal(err)
	}
	root := ceremonytest.OtherRoot{Version: 1, Change: func(s object) {
		s["keys"].(object)[id] = weak
		s["roles"].(object)["root"] = object{"keyids": []any{id}, "threshold": int64(1)}
	}}
	env, err := tufmeta.ParseEnvelope(root.File(t))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := tufmeta.Encode(env.Signed)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := assemble.Envelope(payload, []tufmeta.Signature{{KeyID: id, Sig: hex.EncodeToString(append(public, make([]byte, 32)...))}})
	if err != nil {
		t.Fatal(err)
	}
	p := ceremonytest.ExternalPlan(t, root)
	p.Externals[0].SHA256, p.Externals[0].NewestSHA256 = tufmeta.Digest(forged), tufmeta.Digest(forged)
	c := ceremonytest.ExternalFrom(t, p, ceremonytest.Trusted(t), root)
	c.Files["external/theirs/1.root.json"] = forged
	c.Draft()
	wantLine(t, said(t, c), "refusal EXTERNAL-CHAIN, theirs: root 1 has 0 valid signatures of its own keys, and 1 are needed")
}

// What the folder has of other repositories is what the plan names.
func TestExternalFiles(t *testing.T) {
	for _, row := range []struct {
		want   string
		change func(files folder.Files)
	}{
		{`externals[0].name: is "theirs", and the folder has no external/theirs`, func(files folder.Files) { delete(files, "external/theirs/1.root.json") }},
		{`does not have "others", and the folder has roots in external/others`, func(files folder.Files) { files["external/others/1.root.json"] = nil }},
		{"external/theirs/1.root.json has 512001 bytes: clients take no root above 512000", func(files folder.Files) { files["external/theirs/1.root.json"] = make([]byte, 512_001) }},
		{`file "external/theirs/2.targets.json"`, func(files folder.Files) { files["external/theirs/2.targets.json"] = nil }},
		{`file "external/1.root.json"`, func(files folder.Files) { files["external/1.root.json"] = nil }},
	} {
		c := ceremonytest.External(t, ceremonytest.OtherRoot{Version: 1})
		c.Draft()
		row.change(c.Files)
		if _, err := review.Review(c.Files); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v, want %q", err, row.want)
		}
	}
}

// A delegation has exactly the other root's keys, as that root lists them, and
// its threshold.
func TestExternalAsRoot(t *testing.T) {
	delegations := func(s object) object { return s["delegations"].(object) }
	role := func(s object) object { return delegations(s)["roles"].([]any)[0].(object) }
	relist := func(s object, old string, key *tufmeta.Key) {
		ids := role(s)["keyids"].([]any)
		ids[slices.Index(ids, any(old))] = key.ID
		delete(delegations(s)["keys"].(object), old)
		delegations(s)["keys"].(object)[key.ID] = key.Object
	}
	first := ceremonytest.OtherKey(t, "theirs-1")
	for _, row := range []struct {
		name, want string
		change     func(s object)
	}{
		{"a lower threshold", "delegation theirs threshold is 1, and external theirs's root 4 says 2", func(s object) { role(s)["threshold"] = int64(1) }},
		{"a key in the place of another", "delegation theirs keys are unknown holder, key ", func(s object) { relist(s, first.ID, ceremonytest.Object(t, "thief")) }},
		{"a holder's key in the place of another", "delegation theirs keys are holder-1, serial 1001, key ", func(s object) { relist(s, first.ID, ceremonytest.Object(t, "holder-1")) }},
		{"a key less", "delegation theirs keys are external theirs's root 4, key ", func(s object) {
			role(s)["keyids"] = role(s)["keyids"].([]any)[1:]
			delete(delegations(s)["keys"].(object), first.ID)
		}},
		{"a key without the field that makes its key ID", "delegation theirs lists key ", func(s object) { relist(s, first.ID, ceremonytest.Object(t, "theirs-1")) }},
		{"a key twice", "delegation theirs keys are ", func(s object) {
			again := ceremonytest.Object(t, "theirs-1")
			role(s)["keyids"] = append(role(s)["keyids"].([]any), again.ID)
			delegations(s)["keys"].(object)[again.ID] = again.Object
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := ceremonytest.External(t, theirs...)
			c.Payloads()
			c.Edit("2.targets.json", row.change)
			c.Record()
			wantLine(t, said(t, c), "refusal EXTERNAL-MISMATCH, 2.targets: "+row.want)
		})
	}
}

// A root that expires before signing closes is most likely not the newest; whose
// word it is that there is none stands in a waiver.
func TestExternalExpired(t *testing.T) {
	old := ceremonytest.OtherRoot{Version: 1, Expires: time.Date(2027, 1, 17, 8, 0, 0, 0, time.UTC)}
	c := ceremonytest.External(t, old)
	c.Draft()
	wantLine(t, said(t, c), "refusal EXTERNAL-EXPIRED, theirs: its root 1, the newest that is here, expires on 2027-01-17T08:00:00Z, and signing closes on 2027-01-17T09:00:00Z")
	p := ceremonytest.ExternalPlan(t, old)
	p.Waivers = []check.Waiver{{Check: "EXTERNAL-EXPIRED", Subject: "theirs", Reason: "they say there is none"}}
	c = ceremonytest.ExternalFrom(t, p, ceremonytest.Trusted(t), old)
	c.Draft()
	wantLine(t, said(t, c), "finding EXTERNAL-EXPIRED, theirs")
	c = ceremonytest.External(t, old, ceremonytest.OtherRoot{Version: 2}) // in mid-chain nobody minds
	c.Draft()
	for _, s := range said(t, c) {
		if strings.Contains(s, "EXTERNAL") {
			t.Errorf("it says %s", s)
		}
	}
}

// A key that is somebody's here is not shown as another project's.
func TestExternalOurs(t *testing.T) {
	for key, want := range map[string]string{"holder-5": "holder-5", "online": "online"} {
		c := ceremonytest.External(t, ceremonytest.OtherRoot{Version: 1, Targets: []string{"theirs-1", "theirs-2", key}})
		c.Draft()
		wantLine(t, said(t, c), "refusal EXTERNAL-OURS, theirs "+want+": a key of its targets is also that of "+want+" here")
	}
}

// A key that cannot stand here as it stands there has another key ID: whoever
// signs for the other project must know.
func TestExternalKeyID(t *testing.T) {
	wrong := strings.Repeat("ab", 32)
	c := ceremonytest.External(t, ceremonytest.OtherRoot{Version: 1, Change: func(s object) {
		right := ceremonytest.OtherKey(t, "theirs-1")
		keys, ids := s["keys"].(object), s["roles"].(object)["targets"].(object)["keyids"].([]any)
		delete(keys, right.ID)
		keys[wrong], ids[0] = right.Object, wrong
	}})
	c.Draft()
	wantLine(t, said(t, c), "finding EXTERNAL-KEYID, theirs: its root 1 lists keys otherwise than they can be listed here, under other key IDs: "+wrong)
	if payload := string(c.Files["payload/2.targets.json"]); strings.Contains(payload, wrong) || !strings.Contains(payload, ceremonytest.OtherKey(t, "theirs-1").ID) {
		t.Error("the wrong key ID was imported")
	}
}

// The other project has rotated since: the old keys are shown beside the new,
// each with its root. Nobody here can have signed the role.
func TestExternalRenewed(t *testing.T) {
	trusted := trustedExternal(t)
	roots := append(slices.Clone(theirs), ceremonytest.OtherRoot{Version: 5, Targets: []string{"theirs-2", "theirs-3", "theirs-4"}})
	p := ceremonytest.ExternalPlan(t, roots...)
	p.Targets.Version = 3
	c := ceremonytest.ExternalFrom(t, p, trusted, roots...)
	c.Draft()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if err := check.Refuse(report.Results); err != nil {
		t.Error(err)
	}
	have := lines(report.Documents[0].Changes)
	for _, want := range []string{
		"~ delegation theirs|place 1, 2 of 3 keys of external theirs's root 4; theirs/*; terminating|place 1, 2 of 3 keys of external theirs's root 5; theirs/*; terminating\n",
		"+ theirs key||external theirs's root 5\n", "- theirs key|external theirs's root 4|\n",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("no line\n%s\nin\n%s", want, have)
		}
	}
	wantLine(t, said(t, c), "finding DELEGATED-UNSIGNED, targets: targets delegates to theirs")
}

// Where the plan leaves delegations as they are the chain may still be there,
// to say whose keys they are; it must be of use.
func TestExternalStays(t *testing.T) {
	trusted := trustedExternal(t)
	plan := func(roots ...ceremonytest.OtherRoot) *plan.Plan {
		p := ceremonytest.ExternalPlan(t, roots...)
		p.Targets.Version, p.Targets.Delegations = 3, nil
		return p
	}
	c := ceremonytest.ExternalFrom(t, plan(theirs...), trusted, theirs...)
	c.Draft()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if have := lines(report.Documents[0].Changes); !strings.Contains(have, "= theirs key|external theirs's root 4|external theirs's root 4\n") {
		t.Errorf("shows %s", have)
	}
	longer := append(slices.Clone(theirs), ceremonytest.OtherRoot{Version: 5, Threshold: 3})
	c = ceremonytest.ExternalFrom(t, plan(longer...), trusted, longer...)
	c.Draft()
	wantLine(t, said(t, c), "finding EXTERNAL-MISMATCH, theirs: targets goes on delegating to it with the keys of external theirs's root 4, and its newest is root 5")
	others := []ceremonytest.OtherRoot{{Version: 1, Targets: []string{"others-1", "others-2"}}}
	c = ceremonytest.ExternalFrom(t, plan(others...), trusted, others...)
	c.Draft()
	wantLine(t, said(t, c), "refusal EXTERNAL-MISMATCH, theirs: externals: names it, and nothing is delegated to its keys")
}

// trustedExternal is what a client has after External.
func trustedExternal(t *testing.T) folder.Files {
	t.Helper()
	c := ceremonytest.External(t, theirs...)
	c.Draft()
	c.Sign("holder-1", "holder-2")
	sealed := c.Seal()
	return folder.Files{"trusted/1.root.json": sealed["trusted/1.root.json"], "trusted/2.targets.json": sealed["metadata/2.targets.json"]}
}
