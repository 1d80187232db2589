package assemble_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
)

var root2 = folder.Version{Role: "root", Version: 2}

// signed is a rotation that some have signed.
func signed(t *testing.T, tokens ...string) *ceremonytest.Ceremony {
	t.Helper()
	c := ceremonytest.Rotation(t)
	c.Draft()
	c.Sign(tokens...)
	return c
}

func TestProgress(t *testing.T) {
	for _, row := range []struct {
		tokens            []string
		old, new, targets int
		reached           []bool
	}{
		{nil, 0, 0, 0, []bool{false, false, false}},
		{[]string{"holder-1"}, 1, 1, 1, []bool{false, false, false}},
		{[]string{"holder-1", "holder-3"}, 2, 2, 2, []bool{false, false, true}},
		{[]string{"holder-1", "holder-3", "holder-5"}, 3, 2, 2, []bool{true, false, true}},
		{[]string{"holder-1", "holder-3", "holder-6"}, 2, 3, 2, []bool{false, true, true}},
		{[]string{"holder-1", "holder-3", "holder-4"}, 3, 3, 2, []bool{true, true, true}},
		{[]string{"holder-2", "holder-2-new"}, 1, 1, 1, []bool{false, false, false}},
	} {
		c := signed(t, row.tokens...)
		collection := collect(t, c.Files)
		progress := collection.Progress(&c.Plan.Roster)
		if len(progress) != 3 || len(collection.Dropped) > 0 {
			t.Fatalf("%d demands, dropped %v", len(progress), collection.Dropped)
		}
		for i, want := range []int{row.old, row.new, row.targets} {
			if progress[i].Have != want || progress[i].Reached() != row.reached[i] {
				t.Errorf("%v signed, %s: %d, reached %t; want %d, %t", row.tokens, progress[i], progress[i].Have, progress[i].Reached(), want, row.reached[i])
			}
		}
		metadata, err := collection.Envelopes()
		if enough := !slices.Contains(row.reached, false); enough != (err == nil) || enough != (len(metadata) == 2) {
			t.Errorf("%v signed: %d files, %v", row.tokens, len(metadata), err)
		}
	}
}

// Below a threshold the error names each that is missed.
func TestEnvelopesBelowThreshold(t *testing.T) {
	_, err := collect(t, signed(t, "holder-1").Files).Envelopes()
	var e *check.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want := "THRESHOLD-OLD, 2.root: 1 of 3 signatures under root 1\nTHRESHOLD-NEW, 2.root: 1 of 3 signatures under root 2\nTHRESHOLD-NEW, 2.targets: 1 of 2 signatures under root 2"
	if err.Error() != want {
		t.Errorf("%v, want\n%s", err, want)
	}
}

// An envelope has the signed bytes in it, whatever characters they have, and
// is JSON for everybody.
func TestEnvelopes(t *testing.T) {
	c := signed(t, "holder-4", "holder-1", "holder-3")
	metadata, err := collect(t, c.Files).Envelopes()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"2.root.json", "2.targets.json"} {
		data := metadata["metadata/"+name]
		if !json.Valid(data) {
			t.Errorf("%s is not JSON", name)
		}
		env, err := tufmeta.ParseEnvelope(data)
		if err != nil || !bytes.Equal(env.Canonical, c.Files["payload/"+name]) {
			t.Errorf("%s does not have the payload's bytes (%v)", name, err)
			continue
		}
		if !slices.IsSortedFunc(env.Signatures, func(a, b tufmeta.Signature) int { return strings.Compare(a.KeyID, b.KeyID) }) {
			t.Errorf("%s: signatures are in no order", name)
		}
	}
	again, err := collect(t, signed(t, "holder-3", "holder-4", "holder-1").Files).Envelopes()
	if err != nil || !maps.EqualFunc(metadata, again, bytes.Equal) {
		t.Errorf("signed in another order, the metadata has other bytes (%v)", err)
	}
}

// Each row puts a signature file into a folder in which holder-1 has signed.
func TestDropped(t *testing.T) {
	c := signed(t, "holder-1")
	payload := c.Files["payload/2.root.json"]
	id := func(token string) string { return ceremonytest.Object(t, token).ID }
	good := sign.File{Event: c.Files.Event().String(), KeyID: id("holder-3"), Payload: tufmeta.Digest(payload), Role: "root",
		Sig: hex.EncodeToString(ceremonytest.Signature(t, "holder-3", payload)), Version: 2}
	with := func(change func(f *sign.File)) sign.File { f := good; change(&f); return f }
	for _, row := range []struct {
		name string
		file sign.File
		want string // "" where it is kept
	}{
		{"a good one", good, ""},
		{"an empty one", with(func(f *sign.File) { f.Sig = "" }), "SIG-EMPTY"},
		{"a stranger's", with(func(f *sign.File) {
			f.KeyID, f.Sig = id("stranger"), hex.EncodeToString(ceremonytest.Signature(t, "stranger", payload))
		}), "SIG-FOREIGN"},
		{"an online key's", with(func(f *sign.File) {
			f.KeyID, f.Sig = id("online"), hex.EncodeToString(ceremonytest.Signature(t, "online", payload))
		}), "SIG-FOREIGN"},
		{"a stranger's under a holder's key ID", with(func(f *sign.File) { f.Sig = hex.EncodeToString(ceremonytest.Signature(t, "stranger", payload)) }), "SIG-INVALID"},
		{"of another payload", with(func(f *sign.File) {
			f.Sig = hex.EncodeToString(ceremonytest.Signature(t, "holder-3", c.Files["payload/2.targets.json"]))
		}), "SIG-INVALID"},
		{"of another event", with(func(f *sign.File) { f.Event = strings.Repeat("0", 64) }), "EVENT-MISMATCH"},
		{"of other bytes", with(func(f *sign.File) { f.Payload = tufmeta.Digest(nil) }), "EVENT-MISMATCH"},
		{"of a version that is not here", with(func(f *sign.File) { f.Version = 3 }), "SIG-FOREIGN"},
		{"of a role that is not here", with(func(f *sign.File) { f.Role = "snapshot" }), "SIG-FOREIGN"},
		{"in upper case", with(func(f *sign.File) { f.Sig = strings.ToUpper(f.Sig) }), "SIG-INVALID"},
	} {
		files := maps.Clone(c.Files)
		files[row.file.Name()] = row.file.Encode()
		collection := collect(t, files)
		have := collection.Progress(&roster.Roster{})[0].Have
		switch {
		case row.want == "" && (len(collection.Dropped) > 0 || have != 2):
			t.Errorf("%s: dropped %v, %d count", row.name, collection.Dropped, have)
		case row.want != "" && (len(collection.Dropped) != 1 || collection.Dropped[0].Check != row.want || collection.Dropped[0].Subject != row.file.Name() || have != 1):
			t.Errorf("%s: dropped %v, %d count; want %s", row.name, collection.Dropped, have, row.want)
		}
		if r := collection.Dropped; len(r) == 1 && r[0].Level != check.Refusal {
			t.Errorf("%s is a %s", row.name, r[0].Level)
		}
	}
	for name, want := range map[string]string{"": "SIG-EMPTY", " \n": "SIG-EMPTY", "{}": "SIG-INVALID"} {
		files := maps.Clone(c.Files)
		files[good.Name()] = []byte(name)
		if d := collect(t, files).Dropped; len(d) != 1 || d[0].Check != want {
			t.Errorf("a file with %q: %v, want %s", name, d, want)
		}
	}
}

// One holder's key under two key IDs, with a good signature under each, counts
// as one holder.
func TestOneKeyTwoIDsCountsOnce(t *testing.T) {
	c := ceremonytest.Rotation(t)
	c.Payloads()
	var again string
	c.Edit("2.root.json", func(s map[string]any) {
		copied := map[string]any{"x-other": "value"}
		for name, v := range ceremonytest.Object(t, "holder-1").Object {
			copied[name] = v
		}
		key, err := tufmeta.WithID(copied)
		if err != nil {
			t.Fatal(err)
		}
		again = key.ID
		s["keys"].(map[string]any)[again] = copied
		role := s["roles"].(map[string]any)["root"].(map[string]any)
		role["keyids"] = append(role["keyids"].([]any), again)
	})
	c.Force(root2, "holder-1", ceremonytest.Object(t, "holder-1").ID)
	c.Force(root2, "holder-1", again)
	collection := collect(t, c.Files)
	if len(collection.Good[root2]) != 2 || len(collection.Dropped) > 0 {
		t.Fatalf("both signatures are good: dropped %v", collection.Dropped)
	}
	for _, p := range collection.Progress(&c.Plan.Roster)[:2] {
		if p.Have != 1 {
			t.Errorf("%s: one holder counts %d times", p, p.Have)
		}
	}
}

// The old root lists a key under the ID of another, which the new root lists
// rightly: a signature counts where its key is, and nowhere else.
func TestKeyIDOfAnotherKey(t *testing.T) {
	c := ceremonytest.Rotation(t)
	id := ceremonytest.Object(t, "holder-6").ID
	env, err := tufmeta.ParseEnvelope(c.Files["trusted/1.root.json"])
	if err != nil {
		t.Fatal(err)
	}
	env.Signed["keys"].(map[string]any)[id] = ceremonytest.Object(t, "stranger").Object
	role := env.Signed["roles"].(map[string]any)["root"].(map[string]any)
	role["keyids"] = append(role["keyids"].([]any), id)
	canonical, err := tufmeta.Encode(env.Signed)
	if err != nil {
		t.Fatal(err)
	}
	c.Files["trusted/1.root.json"] = []byte(`{"signatures":[],"signed":` + string(tufmeta.JSON(canonical)) + `}`)
	c.Payloads()
	c.Force(root2, "holder-6", id)
	collection := collect(t, c.Files)
	progress := collection.Progress(&c.Plan.Roster)
	if progress[0].Have != 0 || progress[1].Have != 1 || len(collection.Dropped) > 0 {
		t.Errorf("%d under the old root, %d under the new, dropped %v", progress[0].Have, progress[1].Have, collection.Dropped)
	}
	c.Force(root2, "stranger", id)
	progress = collect(t, c.Files).Progress(&c.Plan.Roster)
	if progress[0].Have != 1 || progress[1].Have != 0 {
		t.Errorf("the other key: %d under the old root, %d under the new", progress[0].Have, progress[1].Have)
	}
}

// Without a threshold nothing is reached.
func TestNoThreshold(t *testing.T) {
	p := collect(t, signed(t, "holder-1", "holder-3", "holder-4").Files).Progress(&roster.Roster{})[0]
	if p.Role = (&tufmeta.Role{Threshold: 0}); p.Have != 3 || p.Reached() {
		t.Errorf("%d of %d is enough", p.Have, p.Role.Threshold)
	}
}

func collect(t *testing.T, files folder.Files) *assemble.Collection {
	t.Helper()
	c, err := assemble.Collect(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
