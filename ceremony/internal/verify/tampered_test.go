package verify_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

// In each row a good bundle is altered on its way, by somebody who can write
// but has no holder's key. The manifest of a bundle would show most of it; here
// it has been made to match.
func TestTamperedBundle(t *testing.T) {
	for _, row := range []struct {
		name   string
		tamper func(t *testing.T, files folder.Files)
		want   string
	}{
		{"a byte of the payload", func(t *testing.T, files folder.Files) {
			swap(t, files, "metadata/2.root.json", `"2028-01-10T09:00:00Z"`, `"2028-01-11T09:00:00Z"`)
		}, "PLAN-MISMATCH, 2.root: expires"},
		{"payload and plan", func(t *testing.T, files folder.Files) {
			swap(t, files, "metadata/2.root.json", `"2028-01-10T09:00:00Z"`, `"2028-01-11T09:00:00Z"`)
			swap(t, files, "plan.yaml", "expires: 2028-01-10T", "expires: 2028-01-11T")
		}, "EVENT-MISMATCH"},
		{"payload and plan, without the record", func(t *testing.T, files folder.Files) {
			swap(t, files, "metadata/2.root.json", `"2028-01-10T09:00:00Z"`, `"2028-01-11T09:00:00Z"`)
			swap(t, files, "plan.yaml", "expires: 2028-01-10T", "expires: 2028-01-11T")
			delete(files, recordName)
		}, "EVENT-MISMATCH"},
		{"a comment in the plan", func(t *testing.T, files folder.Files) {
			files["plan.yaml"] = append(bytes.Clone(files["plan.yaml"]), "# harmless\n"...)
		}, "EVENT-MISMATCH, event: the record says that event"},
		{"white space in the metadata", func(t *testing.T, files folder.Files) {
			swap(t, files, "metadata/2.root.json", `"version":2}`, `"version": 2}`)
		}, "metadata/2.root.json is not what its payload and signatures make"},
		{"a signature changed", func(t *testing.T, files folder.Files) {
			name := "signatures/2.root/" + keyID(t, "holder-3") + ".json"
			f, err := sign.Parse(name, files[name])
			if err != nil {
				t.Fatal(err)
			}
			f.Sig = hex.EncodeToString(ceremonytest.Signature(t, "holder-3", []byte("something else")))
			files[name] = f.Encode()
		}, "SIG-INVALID, signatures/2.root/" + ceremonytest.Object(t, "holder-3").ID},
		{"a signature emptied", func(t *testing.T, files folder.Files) {
			name := "signatures/2.root/" + keyID(t, "holder-3") + ".json"
			f, _ := sign.Parse(name, files[name])
			f.Sig = ""
			files[name] = f.Encode()
		}, "SIG-EMPTY"},
		{"a signature taken out", func(t *testing.T, files folder.Files) {
			delete(files, "signatures/2.root/"+keyID(t, "holder-3")+".json")
		}, "THRESHOLD-OLD, 2.root: 2 of 3 signatures under root 1\nTHRESHOLD-NEW, 2.root: 2 of 3 signatures under root 2"},
		{"a stranger's signature", func(t *testing.T, files folder.Files) {
			add(t, files, "stranger", files)
		}, "SIG-FOREIGN"},
		{"a signature of another event", func(t *testing.T, files folder.Files) {
			other := maps.Clone(files)
			other["plan.yaml"] = append(bytes.Clone(files["plan.yaml"]), "# harmless\n"...)
			add(t, files, "holder-4", other)
		}, "EVENT-MISMATCH, signatures/2.root/" + ceremonytest.Object(t, "holder-4").ID},
		{"an exchanged public key", func(t *testing.T, files folder.Files) {
			files["keys/holder-4.pem"] = ceremonytest.PEM(t, "stranger")
		}, "PLAN-MISMATCH, 2.root: root keys"},
		{"one public key for two holders", func(t *testing.T, files folder.Files) {
			files["keys/holder-4.pem"] = files["keys/holder-3.pem"]
		}, `tokens "holder-3" and "holder-4" have the same public key`},
		{"a public key taken out", func(t *testing.T, files folder.Files) {
			delete(files, "keys/holder-5.pem")
		}, `"keys/holder-5.pem"`},
		{"a line of the record taken out", func(t *testing.T, files folder.Files) {
			lines := strings.SplitAfter(string(files[recordName]), "\n")
			files[recordName] = []byte(lines[0] + strings.Join(lines[2:], ""))
		}, "RECORD-BROKEN, " + recordName + ": line 2 does not continue"},
		{"a line of the record edited", func(t *testing.T, files folder.Files) {
			swap(t, files, recordName, `"token":"holder-1"`, `"token":"holder-2"`)
		}, "RECORD-BROKEN"},
		{"the record cut short", func(t *testing.T, files folder.Files) {
			files[recordName] = files[recordName][:len(files[recordName])-1]
		}, "RECORD-BROKEN"},
		{"the event given up", func(t *testing.T, files folder.Files) {
			event, err := verify.Event(files)
			if err != nil {
				t.Fatal(err)
			}
			ceremonytest.In(t, files).Append(record.Line{Act: "abort", Event: event.String(), Reason: "a holder has left"})
		}, "ABORTED, event: it was given up on 2027-01-12T09:00:00Z: a holder has left"},
		{"the same version signed in another event", func(t *testing.T, files folder.Files) {
			ceremonytest.In(t, files).Append(record.Line{Act: "sign", Event: strings.Repeat("ab", 32), Role: "root", Version: 2})
		}, "SUPERSEDES, 2.root: it was signed in event abababababababab…"},
		{"metadata taken out", func(t *testing.T, files folder.Files) {
			delete(files, "metadata/2.targets.json")
		}, "PLAN-MISMATCH, 2.targets"},
		{"all metadata taken out", func(t *testing.T, files folder.Files) {
			delete(files, "metadata/2.root.json")
			delete(files, "metadata/2.targets.json")
		}, "there is no metadata"},
		{"metadata under another name", func(t *testing.T, files folder.Files) {
			files["metadata/3.root.json"] = files["metadata/2.root.json"]
		}, "PLAN-MISMATCH, 3.root"},
		{"metadata of a role that nobody signed", func(t *testing.T, files folder.Files) {
			files["metadata/1.snapshot.json"] = []byte(`{"signatures":[],"signed":{"_type":"snapshot","expires":"2028-01-10T09:00:00Z","meta":{},"spec_version":"1.0.34","version":1}}`)
		}, "PLAN-MISMATCH, 1.snapshot"},
		{"trusted metadata that nobody signed", func(t *testing.T, files folder.Files) {
			files["trusted/1.snapshot.json"] = []byte(`{"signatures":[],"signed":{}}`)
		}, `"trusted/1.snapshot.json": this ceremony has no use for such a file`},
		{"the trusted root taken out", func(t *testing.T, files folder.Files) {
			delete(files, "trusted/1.root.json")
		}, "VERSION-SEQUENCE, 2.root: nothing of this role is trusted"},
		{"the trusted root exchanged", func(t *testing.T, files folder.Files) {
			files["trusted/1.root.json"] = otherRoot(t)
		}, "EVENT-MISMATCH"},
		{"the trusted root exchanged, without the record", func(t *testing.T, files folder.Files) {
			files["trusted/1.root.json"] = otherRoot(t)
			delete(files, recordName)
		}, "EVENT-MISMATCH, signatures/2.root/"},
		{"a file outside the folder's parts", func(t *testing.T, files folder.Files) {
			files["notes.txt"] = []byte("x")
		}, `"notes.txt"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			files := rotated(t)
			row.tamper(t, files)
			v, err := verify.Files(files, ceremonytest.Root(t), ceremonytest.Now)
			wantRefusal(t, err, row.want)
			if _, ok := v.Facts(); ok {
				t.Error("a refused bundle has facts")
			}
		})
	}
}

// A good bundle proves nothing to somebody who trusts another root.
func TestOtherTrust(t *testing.T) {
	files := rotated(t)
	second := files["metadata/2.root.json"]
	for _, row := range []struct {
		name  string
		trust []byte
		want  string
	}{
		{"another repository", otherRoot(t), "EVENT-MISMATCH, 1.root: the bundle began from another root 1"},
		{"an edited root", bytes.Replace(ceremonytest.Root(t), []byte(`"threshold":3`), []byte(`"threshold":1`), 1), "EVENT-MISMATCH, 1.root"},
		{"a newer root of the same repository", newer(t), "VERSION-SEQUENCE, bundle: it ends at root 2, and root 3 is already trusted"},
		{"targets", ceremonytest.Trusted(t)["trusted/1.targets.json"], "reading the trusted root"},
		{"nothing", nil, "reading the trusted root"},
		{"half a file", second[:len(second)/2], "reading the trusted root"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := verify.Files(files, row.trust, ceremonytest.Now)
			wantRefusal(t, err, row.want)
		})
	}
}

// A bundle that begins at root 3 has root 3 in it, and none before: who trusts
// root 1 must find root 2 elsewhere.
func TestSkippedVersion(t *testing.T) {
	before := third(t)
	if _, err := verify.Files(before, ceremonytest.Root(t), ceremonytest.Now); err != nil {
		t.Fatalf("roots 1 to 3 are in the bundle: %v", err)
	}
	p := ceremonytest.RotationPlan()
	p.Root.Version, p.Targets = 4, nil
	c := ceremonytest.Start(t, p, folder.Files{
		"trusted/3.root.json": before["metadata/3.root.json"], "trusted/2.targets.json": before["trusted/2.targets.json"]})
	c.Draft()
	c.Sign("holder-1", "holder-3", "holder-4")
	files := c.Seal()
	if _, err := verify.Files(files, before["metadata/3.root.json"], ceremonytest.Now); err != nil {
		t.Fatalf("root 3 is where the bundle begins: %v", err)
	}
	_, err := verify.Files(files, ceremonytest.Root(t), ceremonytest.Now)
	wantRefusal(t, err, "VERSION-SEQUENCE, root 3: does not follow root 1: root 2 is missing")
}

var recordName = folder.Record + "/" + record.Sitting("test") + ".jsonl"

// swap replaces text in a file, which must have it.
func swap(t *testing.T, files folder.Files, name, old, new string) {
	t.Helper()
	changed := bytes.Replace(files[name], []byte(old), []byte(new), 1)
	if bytes.Equal(changed, files[name]) {
		t.Fatalf("%s has no %q", name, old)
	}
	files[name] = changed
}

// add puts a signature by a token into files that was made in another folder.
func add(t *testing.T, files folder.Files, token string, other folder.Files) {
	t.Helper()
	c := ceremonytest.In(t, maps.Clone(other))
	env, err := tufmeta.ParseEnvelope(files["metadata/2.root.json"])
	if err != nil {
		t.Fatal(err)
	}
	targets, err := tufmeta.ParseEnvelope(files["metadata/2.targets.json"])
	if err != nil {
		t.Fatal(err)
	}
	c.Files["payload/2.root.json"], c.Files["payload/2.targets.json"] = env.Canonical, targets.Canonical
	f := sign.File{Event: c.Files.Event().String(), KeyID: keyID(t, token), Payload: tufmeta.Digest(env.Canonical),
		Role: "root", Sig: hex.EncodeToString(ceremonytest.Signature(t, token, env.Canonical)), Version: 2}
	files[f.Name()] = f.Encode()
}

// otherRoot is the first root of another repository, which has the same
// holders but one.
func otherRoot(t *testing.T) []byte {
	t.Helper()
	p := ceremonytest.GenesisPlan()
	stranger := *p.Roster.Holders[0].Tokens[0]
	stranger.Name, stranger.Holder, stranger.KeyFile, stranger.Serial = "stranger", "stranger", "keys/stranger.pem", "9999"
	p.Roster.Holders[0].Name, p.Roster.Holders[0].Tokens[0] = "stranger", &stranger
	p.Root.Roles["root"] = plan.Role{Threshold: 3, Tokens: []string{"stranger", "holder-2", "holder-3", "holder-4", "holder-5"}}
	p.Root.Roles["targets"] = plan.Role{Threshold: 2, Tokens: []string{"stranger", "holder-2", "holder-3"}}
	c := ceremonytest.Start(t, p, nil)
	c.Draft()
	c.Sign("stranger", "holder-2", "holder-3")
	return c.Seal()["metadata/1.root.json"]
}

// startThird is a folder for root 3, with the roots before it.
func startThird(t *testing.T) *ceremonytest.Ceremony {
	t.Helper()
	files := rotated(t)
	p := ceremonytest.RotationPlan()
	p.Root.Version, p.Targets = 3, nil
	return ceremonytest.Start(t, p, folder.Files{
		"trusted/1.root.json": files["trusted/1.root.json"], "trusted/2.root.json": files["metadata/2.root.json"],
		"trusted/2.targets.json": files["metadata/2.targets.json"]})
}

// third is the ceremony after the rotation.
func third(t *testing.T) folder.Files {
	t.Helper()
	c := startThird(t)
	c.Draft()
	c.Sign("holder-1", "holder-3", "holder-4")
	return c.Seal()
}

func newer(t *testing.T) []byte {
	t.Helper()
	data := third(t)["metadata/3.root.json"]
	if version(t, data) != 3 || !json.Valid(data) {
		t.Fatal("root 3 is not root 3")
	}
	return data
}
