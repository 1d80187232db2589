package draft_test

import (
	"bytes"
	"maps"
	"reflect"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/draft"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// A payload is the canonical bytes and nothing else, and the same each time.
func TestPayloadsAreCanonical(t *testing.T) {
	c := ceremonytest.Genesis(t)
	c.Payloads()
	if names := strings.Join(c.Files.Names(folder.Payload), " "); names != "payload/1.root.json payload/1.targets.json" {
		t.Fatalf("drafted %s", names)
	}
	again := ceremonytest.Genesis(t)
	again.Payloads()
	for _, name := range c.Files.Names(folder.Payload) {
		v, err := tufmeta.ParseCanonical(c.Files[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if canonical, err := tufmeta.Encode(v); err != nil || !bytes.Equal(canonical, c.Files[name]) {
			t.Errorf("%s is not canonical (%v)", name, err)
		}
		if !bytes.Equal(again.Files[name], c.Files[name]) {
			t.Errorf("%s comes out different the second time", name)
		}
	}
}

// The whole of a first root, so that any change of what is written is seen.
func TestGenesisRoot(t *testing.T) {
	c := ceremonytest.Genesis(t)
	c.Payloads()
	root := decode(t, tufmeta.JSON(c.Files["payload/1.root.json"]))
	roles := root["roles"].(object)
	if len(root) != 7 || root["_type"] != "root" || root["spec_version"] != "1.0.34" || root["consistent_snapshot"] != true || root["expires"] != "2028-01-10T09:00:00Z" {
		t.Errorf("drafted %v", root)
	}
	if len(root["keys"].(object)) != 6 || len(roles) != 4 || len(roles["root"].(object)["keyids"].([]any)) != 5 {
		t.Errorf("drafted %d keys, %d roles, %v", len(root["keys"].(object)), len(roles), roles["root"])
	}
	online := ceremonytest.Object(t, "online")
	if !reflect.DeepEqual(roles["timestamp"], object{"keyids": []any{online.ID}, "threshold": roles["timestamp"].(object)["threshold"]}) {
		t.Errorf("timestamp is %v", roles["timestamp"])
	}
	if !reflect.DeepEqual(root["keys"].(object)[online.ID], online.Object) {
		t.Errorf("the online key is %v", root["keys"].(object)[online.ID])
	}
}

// A role and its keys that the plan does not name are as fields that nobody
// knows: they stay.
func TestUnknownRoleStays(t *testing.T) {
	c := ceremonytest.Rotation(t)
	stranger := ceremonytest.Object(t, "stranger")
	mirrors := object{"keyids": []any{stranger.ID}, "threshold": int64(1), "x-other": "value"}
	c.Files["trusted/1.root.json"] = edited(t, c.Files["trusted/1.root.json"], func(s object) {
		s["roles"].(object)["mirrors"] = mirrors
		s["keys"].(object)[stranger.ID] = stranger.Object
		s["roles"].(object)["snapshot"].(object)["x-other"] = "value"
	})
	c.Payloads()
	signed, err := tufmeta.ParseSigned(c.Files["payload/2.root.json"])
	if err != nil {
		t.Fatal(err)
	}
	roles := signed["roles"].(object)
	if !reflect.DeepEqual(roles["mirrors"], mirrors) || roles["snapshot"].(object)["x-other"] != "value" {
		t.Errorf("roles: %v", roles)
	}
	if !reflect.DeepEqual(signed["keys"].(object)[stranger.ID], stranger.Object) {
		t.Error("the key of the role is gone")
	}
	if signed["keys"].(object)[ceremonytest.Object(t, "holder-5").ID] != nil {
		t.Error("the key of the holder who leaves is still listed")
	}
}

func TestTargetsChange(t *testing.T) {
	c := ceremonytest.Rotation(t)
	c.Files["trusted/1.targets.json"] = edited(t, c.Files["trusted/1.targets.json"], func(s object) {
		s["x-other"] = "value"
		s["targets"].(object)["kept.txt"] = object{"length": int64(1), "hashes": object{"sha512": "00"}, "custom": object{"x": int64(1)}}
	})
	p := ceremonytest.RotationPlan()
	p.Targets.Add = []plan.File{{Path: "new.txt", Length: 3, SHA256: tufmeta.Digest([]byte("new"))}}
	p.Targets.Remove = []string{"hello.txt"}
	c.Files[folder.Plan] = p.Text()
	c.Payloads()
	signed, err := tufmeta.ParseSigned(c.Files["payload/2.targets.json"])
	if err != nil {
		t.Fatal(err)
	}
	want := object{
		"new.txt":  object{"length": int64(3), "hashes": object{"sha256": tufmeta.Digest([]byte("new"))}},
		"kept.txt": object{"length": int64(1), "hashes": object{"sha512": "00"}, "custom": object{"x": int64(1)}},
	}
	if !reflect.DeepEqual(signed["targets"], want) || signed["x-other"] != "value" || signed["version"] != int64(2) {
		t.Errorf("drafted %v", signed)
	}
}

func TestRehearsalIsMarked(t *testing.T) {
	p := ceremonytest.GenesisPlan()
	p.Rehearsal = true
	c := ceremonytest.Start(t, p, nil)
	c.Payloads()
	for _, name := range c.Files.Names(folder.Payload) {
		signed, err := tufmeta.ParseSigned(c.Files[name])
		if err != nil || !tufmeta.IsRehearsal(signed) {
			t.Errorf("%s is not marked as a rehearsal's (%v)", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	trusted := ceremonytest.Trusted(t)
	for _, row := range []struct {
		name   string
		plan   *plan.Plan
		change func(p *plan.Plan, files folder.Files)
		want   string
	}{
		{"a genesis on top of a root", ceremonytest.GenesisPlan(), func(_ *plan.Plan, files folder.Files) { maps.Copy(files, trusted) },
			"drafting root 1: a genesis starts from nothing, and trusted/ has a root"},
		{"a rotation of nothing", ceremonytest.RotationPlan(), func(*plan.Plan, folder.Files) {}, "drafting root 2: trusted/ has no root to go on from"},
		{"targets without the ones before", ceremonytest.RotationPlan(), func(_ *plan.Plan, files folder.Files) {
			files["trusted/1.root.json"] = trusted["trusted/1.root.json"]
		}, "put the published 1.targets.json there"},
		{"removing what is not there", ceremonytest.RotationPlan(), func(p *plan.Plan, files folder.Files) {
			maps.Copy(files, trusted)
			p.Targets.Remove = []string{"other.txt"}
		}, `the plan removes "other.txt"`},
		{"a root under another version's name", ceremonytest.RotationPlan(), func(_ *plan.Plan, files folder.Files) {
			files["trusted/2.root.json"] = trusted["trusted/1.root.json"]
		}, "reading trusted root 2: the file says version 1"},
		{"a trusted root that is no JSON", ceremonytest.RotationPlan(), func(_ *plan.Plan, files folder.Files) {
			files["trusted/1.root.json"] = []byte("{")
		}, "reading trusted 1.root: reading JSON at byte 1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := ceremonytest.Start(t, row.plan, nil)
			row.change(row.plan, c.Files)
			if err := row.plan.Roster.LoadKeys(c.Files); err != nil {
				t.Fatal(err)
			}
			payloads, err := draft.Payloads(row.plan, c.Files)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
			if len(payloads) > 0 {
				t.Errorf("drafted all the same: %v", payloads.Names(folder.Payload))
			}
		})
	}
}

// edited changes published metadata. Its signatures no longer belong to it.
func edited(t *testing.T, data []byte, change func(signed object)) []byte {
	t.Helper()
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		t.Fatal(err)
	}
	change(env.Signed)
	canonical, err := tufmeta.Encode(env.Signed)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(`{"signatures":[],"signed":` + string(tufmeta.JSON(canonical)) + `}`)
}
