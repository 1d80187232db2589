package draft_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/draft"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
)

type object = map[string]any

// The next root of a real repository, drafted from nothing but its last one.
func TestRotateSigstore12(t *testing.T) {
	p, files := rotate(t, 12)
	old, now := decode(t, files["trusted/12.root.json"])["signed"].(object), decode(t, tufmeta.JSON(files["payload/13.root.json"]))
	if now["version"] != json.Number("13") || now["expires"] != "2026-08-19T00:00:00Z" {
		t.Errorf("drafted version %v, good until %v", now["version"], now["expires"])
	}
	for _, s := range []object{old, now} {
		delete(s, "version")
		delete(s, "expires")
	}
	if !reflect.DeepEqual(old, now) {
		t.Errorf("more than version and expiry has changed:\n%v\n%v", old, now)
	}
	if now["x-tuf-on-ci-signing-period"] == nil || now["roles"].(object)["timestamp"].(object)["x-tuf-on-ci-expiry-period"] == nil {
		t.Error("fields of the tool that made root 12 are gone")
	}
	report := approved(t, files)
	for i, under := range []int64{12, 13} {
		c, err := assemble.Collect(files)
		if err != nil {
			t.Fatal(err)
		}
		q := c.Progress(&p.Roster)[i]
		if q.Under != under || q.Have != 0 || q.Role.Threshold != 3 || len(q.Members) != 5 || q.Able(&report.Plan.Roster) != 5 || q.Reached() {
			t.Errorf("under root %d: %d of %d, %d members", q.Under, q.Have, q.Role.Threshold, len(q.Members))
		}
	}
}

// The key that root 11 lists under a key ID which is not its own gets the right
// one, as it got it in the published root 12.
func TestRotateSigstore11(t *testing.T) {
	const wrong = "7247f0dbad85b147e1863bade761243cc785dcb7aa410e7105dd3d2b61a36d2c"
	const right = "0c87432c3bf09fd99189fdc32fa5eaedf4e4a5fac7bab73fa04a2e0fc64af6f5"
	_, files := rotate(t, 11)
	old, now := decode(t, files["trusted/11.root.json"])["signed"].(object), decode(t, tufmeta.JSON(files["payload/12.root.json"]))
	if old["keys"].(object)[wrong] == nil || now["keys"].(object)[wrong] != nil {
		t.Errorf("the wrong key ID is still there")
	}
	if !reflect.DeepEqual(old["keys"].(object)[wrong], now["keys"].(object)[right]) {
		t.Errorf("under the right key ID stands %v", now["keys"].(object)[right])
	}
	for _, role := range []string{"snapshot", "timestamp"} {
		if ids := now["roles"].(object)[role].(object)["keyids"]; !reflect.DeepEqual(ids, []any{right}) {
			t.Errorf("%s lists %v", role, ids)
		}
	}
	published := decode(t, ceremonytest.Read(t, "sigstore/root/12.root.json"))["signed"].(object)
	if !reflect.DeepEqual(published["keys"], now["keys"]) || !reflect.DeepEqual(published["roles"], now["roles"]) {
		t.Error("keys and roles are not those of the published root 12")
	}
	mended := false
	for _, c := range approved(t, files).Documents[0].Changes {
		mended = mended || c.Mark == "~" && c.What == "timestamp key" && strings.Contains(c.Old, wrong) && strings.Contains(c.New, right)
	}
	if !mended {
		t.Error("the review does not show the key ID that changes")
	}
}

// Every root of the chain can be rotated, whatever tool wrote it: encodings of
// earlier tools are mended, and each holder signs under both key IDs.
func TestRotateSigstoreAll(t *testing.T) {
	for n := 1; n <= 12; n++ {
		p, files := rotate(t, n)
		if n == 1 { // root keys were online keys as well, which no draft may have
			report, err := review.Review(files)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := report.Approve(report.Event.Words(), p.Opens); err == nil || !strings.Contains(err.Error(), "ROLE-KEY-REUSE") {
				t.Errorf("from root 1: %v", err)
			}
			continue
		}
		report := approved(t, files)
		old, new := report.Demands[0].Members(&p.Roster), report.Demands[1].Members(&p.Roster)
		if len(old) != 5 || len(new) != 5 {
			t.Fatalf("from root %d: %d and %d members", n, len(old), len(new))
		}
		for i := range old { // the encodings that are mended, and root 5 to 8's key type
			if same := slices.Equal(old[i].KeyIDs, new[i].KeyIDs); old[i].Token != new[i].Token || same != (n >= 9) {
				t.Errorf("from root %d: %s signs under %v and %v", n, old[i].Token.Name, old[i].KeyIDs, new[i].KeyIDs)
			}
		}
	}
}

// A key of earlier tools is written anew in one form only: the same public key
// in another text is another key ID, which nobody planned.
func TestRotateSigstoreOtherText(t *testing.T) {
	_, files := rotate(t, 4)
	c := ceremonytest.In(t, files)
	c.Edit("5.root.json", func(s object) {
		keys := s["keys"].(object)
		old := s["roles"].(object)["timestamp"].(object)["keyids"].([]any)[0].(string)
		value := keys[old].(object)["keyval"].(object)
		value["public"] = value["public"].(string) + "\n"
		key, err := tufmeta.WithID(keys[old].(object))
		if err != nil {
			t.Fatal(err)
		}
		delete(keys, old)
		keys[key.ID] = key.Object
		s["roles"].(object)["timestamp"].(object)["keyids"] = []any{key.ID}
	})
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := report.Approve(report.Event.Words(), report.Plan.Opens); err == nil || !strings.Contains(err.Error(), "PLAN-MISMATCH, 5.root: the object of key") {
		t.Errorf("approved: %v", err)
	}
}

func TestRotateSigstoreStranger(t *testing.T) {
	_, files := rotate(t, 12)
	c := ceremonytest.In(t, files)
	stranger := ceremonytest.Object(t, "stranger")
	payload := files["payload/13.root.json"]
	f := sign.File{Event: files.Event().String(), KeyID: stranger.ID, Payload: tufmeta.Digest(payload), Role: "root",
		Sig: fmt.Sprintf("%x", ceremonytest.Signature(t, "stranger", payload)), Version: 13}
	c.Files[f.Name()] = f.Encode()
	collection, err := assemble.Collect(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if len(collection.Dropped) != 1 || collection.Dropped[0].Check != "SIG-FOREIGN" || collection.Dropped[0].Subject != f.Name() {
		t.Errorf("dropped: %v", collection.Dropped)
	}
}

// rotate drafts the root after a published one, with the same people.
func rotate(t *testing.T, n int) (*plan.Plan, folder.Files) {
	t.Helper()
	name := fmt.Sprintf("%d.root.json", n)
	data := ceremonytest.Read(t, "sigstore/root/"+name)
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		t.Fatal(err)
	}
	root, err := tufmeta.ParseRoot(env.Signed)
	if err != nil {
		t.Fatal(err)
	}
	opens := time.Date(2025, 8, 12, 0, 0, 0, 0, time.UTC)
	p := &plan.Plan{Kind: plan.Rotation, Repository: "a published one", Opens: opens, Closes: opens.AddDate(0, 0, 7)}
	files := folder.Files{"trusted/" + name: data}
	if err := plan.FillFrom(p, root, nil, time.Date(2026, 8, 19, 0, 0, 0, 0, time.UTC), files); err != nil {
		t.Fatal(err)
	}
	files[folder.Plan] = p.Text()
	if p, err = plan.Parse(files[folder.Plan]); err != nil {
		t.Fatal(err)
	}
	if err := p.Roster.LoadKeys(files); err != nil {
		t.Fatal(err)
	}
	payloads, err := draft.Payloads(p, files)
	if err != nil {
		t.Fatalf("drafting from root %d: %v", n, err)
	}
	maps.Copy(files, payloads)
	return p, files
}

func approved(t *testing.T, files folder.Files) *review.Report {
	t.Helper()
	report, err := review.Review(files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := report.Approve(report.Event.Words(), report.Plan.Opens); err != nil {
		t.Fatalf("%s: %v", report.Documents[0].Version, err)
	}
	return report
}

// decode reads JSON with the standard library: what is compared here does not
// pass through the reader under test.
func decode(t *testing.T, data []byte) object {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v object
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
