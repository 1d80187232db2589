package verify_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

type object = map[string]any

// In each row, a machine drafts something else than the plan says. Review must
// refuse it; and when every holder signs all the same, with another program,
// verification must refuse the result.
func TestPayloadOtherThanPlan(t *testing.T) {
	for _, row := range []struct {
		name string
		lie  func(c *ceremonytest.Ceremony)
		want string
	}{
		{"extra key in a role", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) {
				list(s, t, "stranger")
				role(s, "root")["keyids"] = append(role(s, "root")["keyids"].([]any), keyID(t, "stranger"))
			})
		}, "PLAN-MISMATCH, 2.root: root keys"},
		{"extra key in no role", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) { list(s, t, "stranger") })
		}, "PLAN-MISMATCH, 2.root: it lists a key that no role uses"},
		{"a key exchanged", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) {
				list(s, t, "stranger")
				role(s, "timestamp")["keyids"] = []any{keyID(t, "stranger")}
			})
		}, "PLAN-MISMATCH, 2.root: timestamp keys"},
		{"lowered threshold", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) { role(s, "root")["threshold"] = int64(1) })
		}, "PLAN-MISMATCH, 2.root: root threshold is 1, and the plan says 3"},
		{"longer expiry", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) { s["expires"] = "2028-01-11T09:00:00Z" })
		}, "PLAN-MISMATCH, 2.root: expires"},
		{"fraction in the expiry", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) { s["expires"] = "2028-01-10T09:00:00.0Z" })
		}, "EXPIRES-FORMAT, root"},
		{"a skipped version", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) { s["version"] = int64(3) })
		}, "VERSION-SEQUENCE, 2.root: the payload says version 3"},
		{"a field more", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) { s["x-other"] = "value" })
		}, `PLAN-MISMATCH, 2.root: field "x-other"`},
		{"a field taken out", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) { delete(s, "consistent_snapshot") })
		}, `PLAN-MISMATCH, 2.root: field "consistent_snapshot"`},
		{"a field more in a role", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) { role(s, "snapshot")["x-other"] = int64(1) })
		}, "PLAN-MISMATCH, 2.root: "},
		{"a field more in a key object", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) {
				again := twice(s, t, "holder-6")
				delete(s["keys"].(object), keyID(t, "holder-6"))
				replaceID(role(s, "root"), keyID(t, "holder-6"), again)
			})
		}, "PLAN-MISMATCH, 2.root: "},
		{"a role more", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) {
				s["roles"].(object)["mirrors"] = object{"keyids": []any{keyID(t, "online")}, "threshold": int64(1)}
			})
		}, `PLAN-MISMATCH, 2.root: it has a role "mirrors"`},
		{"one key under two key IDs", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) {
				role(s, "root")["keyids"] = append(role(s, "root")["keyids"].([]any), twice(s, t, "holder-1"))
			})
		}, "KEY-SHARED"},
		{"a wrong key ID", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) {
				wrong := tufmeta.Digest([]byte("something else"))
				keys := s["keys"].(object)
				keys[wrong] = keys[keyID(t, "online")]
				delete(keys, keyID(t, "online"))
				role(s, "timestamp")["keyids"], role(s, "snapshot")["keyids"] = []any{wrong}, []any{wrong}
			})
		}, "KEYID-MISMATCH"},
		{"a rehearsal", func(c *ceremonytest.Ceremony) {
			c.Edit("2.root.json", func(s object) { s[tufmeta.RehearsalField] = true })
		}, "PLAN-MISMATCH, 2.root: what is trusted is real, and a rehearsal cannot go on from it"},
		{"a second version of root", func(c *ceremonytest.Ceremony) {
			c.Files["payload/3.root.json"] = bytes.Replace(c.Files["payload/2.root.json"], []byte(`"version":2`), []byte(`"version":3`), 1)
		}, "PLAN-MISMATCH, 3.root: payload/ has it"},
		{"a role that is not planned", func(c *ceremonytest.Ceremony) {
			c.Files["payload/1.snapshot.json"] = []byte(`{"_type":"snapshot","expires":"2028-01-10T09:00:00Z","meta":{},"spec_version":"1.0.34","version":1}`)
		}, "PLAN-MISMATCH, 1.snapshot: payload/ has it"},
		{"a payload left out", func(c *ceremonytest.Ceremony) {
			delete(c.Files, "payload/2.targets.json")
		}, "PLAN-MISMATCH, 2.targets: the plan makes it"},
		{"a target more", func(c *ceremonytest.Ceremony) {
			c.Edit("2.targets.json", func(s object) {
				s["targets"].(object)["other.txt"] = object{"length": int64(1), "hashes": object{"sha256": tufmeta.Digest([]byte("x"))}}
			})
		}, `PLAN-MISMATCH, 2.targets: target "other.txt"`},
		{"a target exchanged", func(c *ceremonytest.Ceremony) {
			c.Edit("2.targets.json", func(s object) {
				s["targets"].(object)["hello.txt"].(object)["hashes"].(object)["sha256"] = tufmeta.Digest([]byte("x"))
			})
		}, `PLAN-MISMATCH, 2.targets: target "hello.txt" is not as the plan makes it`},
		{"a target taken out", func(c *ceremonytest.Ceremony) {
			c.Edit("2.targets.json", func(s object) { delete(s["targets"].(object), "hello.txt") })
		}, `PLAN-MISMATCH, 2.targets: target "hello.txt"`},
		{"a delegation more", func(c *ceremonytest.Ceremony) {
			c.Edit("2.targets.json", func(s object) { s["delegations"] = delegation(t, "stranger") })
		}, `PLAN-MISMATCH, 2.targets: field "delegations"`},
		{"control characters in a name", func(c *ceremonytest.Ceremony) {
			c.Edit("2.targets.json", func(s object) {
				s["targets"].(object)["a\x1b[2J"] = object{"length": int64(1), "hashes": object{"sha256": tufmeta.Digest([]byte("x"))}}
			})
		}, "TEXT-UNSAFE, 2.targets"},
	} {
		t.Run(row.name, func(t *testing.T) { conspire(t, ceremonytest.Rotation(t), row.lie, row.want) })
	}
}

// The same for a genesis, where there is nothing to compare with but the plan.
func TestGenesisOtherThanPlan(t *testing.T) {
	for _, row := range []struct {
		name string
		lie  func(c *ceremonytest.Ceremony)
		want string
	}{
		{"not version 1", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", func(s object) { s["version"] = int64(2) })
		}, "VERSION-SEQUENCE, 1.root"},
		{"no consistent snapshot", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", func(s object) { s["consistent_snapshot"] = false })
		}, "PLAN-MISMATCH, 1.root: consistent_snapshot"},
		{"a field more in root", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", func(s object) { s["x-other"] = "value" })
		}, `PLAN-MISMATCH, 1.root: field "x-other"`},
		{"marked as a rehearsal", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", func(s object) { s[tufmeta.RehearsalField] = true })
		}, "PLAN-MISMATCH, 1.root: field \"" + tufmeta.RehearsalField + "\""},
		{"the rehearsal's mark with another value", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", func(s object) { s[tufmeta.RehearsalField] = object{"anything": "else"} })
		}, "has another value than true"},
		{"a specification that only some clients take", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", func(s object) { s["spec_version"] = "1." })
		}, "JSON-STRICT, root: spec_version"},
		{"an older specification", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", func(s object) { s["spec_version"] = "1.0" })
		}, "PLAN-MISMATCH, 1.root: spec_version is 1.0"},
		{"a key whose PEM only some clients read", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", oddPEM)
		}, "PLAN-MISMATCH, 1.root: the object of key"},
		{"delegations in targets", func(c *ceremonytest.Ceremony) {
			c.Edit("1.targets.json", func(s object) { s["delegations"] = delegation(t, "stranger") })
		}, `PLAN-MISMATCH, 1.targets: field "delegations"`},
		{"another version of the specification", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", func(s object) { s["spec_version"] = "2.0.0" })
		}, "JSON-STRICT, root: spec_version"},
		{"member in another case", func(c *ceremonytest.Ceremony) {
			c.Edit("1.root.json", func(s object) { s["Version"] = int64(7) })
		}, "JSON-STRICT, 1.root"},
	} {
		t.Run(row.name, func(t *testing.T) { conspire(t, ceremonytest.Genesis(t), row.lie, row.want) })
	}
}

// A rehearsal whose metadata does not say so could be taken for the real thing.
func TestRehearsalNotMarked(t *testing.T) {
	for _, file := range []string{"1.root.json", "1.targets.json"} {
		p := ceremonytest.GenesisPlan()
		p.Rehearsal = true
		conspire(t, ceremonytest.Start(t, p, nil), func(c *ceremonytest.Ceremony) {
			c.Edit(file, func(s object) { delete(s, tufmeta.RehearsalField) })
		}, "PLAN-MISMATCH, "+file[:len(file)-5]+": field \""+tufmeta.RehearsalField+"\"")
	}
}

func conspire(t *testing.T, c *ceremonytest.Ceremony, lie func(*ceremonytest.Ceremony), want string) {
	t.Helper()
	c.Payloads()
	lie(c)
	c.Record()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	approval, err := report.Approve(report.Event.Words(), ceremonytest.Now)
	wantRefusal(t, err, want)
	if _, ok := approval.Report(); ok {
		t.Error("a refused approval has a report")
	}
	_, err = verify.Files(forced(t, c), trustedBy(t, c), ceremonytest.Now)
	wantRefusal(t, err, want)
}

// trustedBy is the root that a client has before the ceremony.
func trustedBy(t *testing.T, c *ceremonytest.Ceremony) []byte {
	if root, ok := c.Files["trusted/1.root.json"]; ok {
		return root
	}
	return envelope(t, c, "1.root.json")
}

// forced is a bundle in which every holder has signed every payload, whatever
// it says.
func forced(t *testing.T, c *ceremonytest.Ceremony) folder.Files {
	t.Helper()
	sealed := folder.Files{}
	for name, data := range c.Files {
		sealed[name] = data
	}
	for _, name := range c.Files.Names(folder.Payload) {
		file := name[len(folder.Payload)+1:]
		sealed[folder.Metadata+"/"+file] = envelope(t, c, file)
		delete(sealed, name)
	}
	return sealed
}

// envelope has every holder sign a payload, in the form that sealing writes.
func envelope(t *testing.T, c *ceremonytest.Ceremony, file string) []byte {
	t.Helper()
	v, err := folder.ParseVersion(file)
	if err != nil {
		t.Fatal(err)
	}
	payload := c.Files[folder.Payload+"/"+file]
	signatures := []any{}
	for _, token := range []string{"holder-1", "holder-2", "holder-3", "holder-4", "holder-5"} {
		c.Force(v, token, keyID(t, token))
		signatures = append(signatures, object{"keyid": keyID(t, token), "sig": hex.EncodeToString(ceremonytest.Signature(t, token, payload))})
	}
	list, err := tufmeta.Encode(signatures)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(`{"signatures":` + string(list) + `,"signed":` + string(tufmeta.JSON(payload)) + "}\n")
}

func role(signed object, name string) object { return signed["roles"].(object)[name].(object) }

func list(signed object, t *testing.T, token string) {
	t.Helper()
	signed["keys"].(object)[keyID(t, token)] = ceremonytest.Object(t, token).Object
}

// twice lists a token's key once more, under the key ID that one more field
// makes.
func twice(signed object, t *testing.T, token string) string {
	t.Helper()
	copied := object{"x-other": int64(1)}
	for name, v := range ceremonytest.Object(t, token).Object {
		copied[name] = v
	}
	key, err := tufmeta.WithID(copied)
	if err != nil {
		t.Fatal(err)
	}
	signed["keys"].(object)[key.ID] = copied
	return key.ID
}

func replaceID(role object, old, new string) {
	for i, id := range role["keyids"].([]any) {
		if id == old {
			role["keyids"].([]any)[i] = new
		}
	}
}

func delegation(t *testing.T, token string) object {
	t.Helper()
	return object{
		"keys": object{keyID(t, token): ceremonytest.Object(t, token).Object},
		"roles": []any{object{"name": "others", "keyids": []any{keyID(t, token)}, "threshold": int64(1),
			"terminating": false, "paths": []any{"*"}}},
	}
}

// oddPEM writes one key of a root as PEM with a header, which is the same
// public key and another key object, under its own right key ID everywhere.
func oddPEM(s object) {
	keys := s["keys"].(object)
	for id, key := range keys {
		value := key.(object)["keyval"].(object)
		value["public"] = strings.Replace(value["public"].(string), "-----\n", "-----\nX-Other: value\n\n", 1)
		odd, err := tufmeta.KeyID(key.(object))
		if err != nil {
			panic(err)
		}
		delete(keys, id)
		keys[odd] = key
		for _, role := range s["roles"].(object) {
			ids := role.(object)["keyids"].([]any)
			for i := range ids {
				if ids[i] == id {
					ids[i] = odd
				}
			}
		}
		return
	}
}

// Whoever has taken a key signs with it too, and a lowered threshold of the new
// root leaves the rest to fewer people than the old one wants. Nobody counts it.
func TestSignedByTheThief(t *testing.T) {
	for _, row := range []struct {
		signers []string
		thief   bool
		want    string
	}{
		{[]string{"holder-1", "holder-3", "holder-4"}, false, ""},
		{[]string{"holder-1", "holder-3"}, true, "SIG-FOREIGN"},
		{[]string{"holder-1", "holder-3", "holder-4"}, true, "SIG-FOREIGN"},
	} {
		p := ceremonytest.RotationPlan()
		p.Kind, p.Compromise = plan.Revocation, &plan.Compromise{Case: "A", Tokens: []string{"holder-5"}, Why: "holder:holder-5"}
		role := p.Root.Roles["root"]
		role.Threshold = 2
		p.Root.Roles["root"] = role
		c := ceremonytest.Start(t, p, ceremonytest.Trusted(t))
		c.Draft()
		c.Sign(row.signers...)
		if row.thief {
			c.Force(folder.Version{Role: "root", Version: 2}, "holder-5", keyID(t, "holder-5"))
		}
		_, err := verify.Files(c.Seal(), ceremonytest.Root(t), ceremonytest.Now)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("signed by %v, and a thief: %t: %v", row.signers, row.thief, err)
		}
	}
}
