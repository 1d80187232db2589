package review_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

// What people see: old beside new, keys by holder and device, and with the
// whole fingerprint.
func TestRootChanges(t *testing.T) {
	p := ceremonytest.RotationPlan()
	p.Root.Roles["root"] = plan.Role{Threshold: 2, Tokens: p.Root.Roles["root"].Tokens}
	changes := reviewed(t, p, ceremonytest.Trusted(t)).Documents[0].Changes
	have := lines(changes)
	for _, want := range []string{"~ version|1|2\n", "= expires|2028-01-10T09:00:00Z (in 365 days)|2028-01-10T09:00:00Z (in 365 days)\n", "~ root threshold|3 of 5|2 of 5\n", "= targets threshold|2 of 3|2 of 3\n"} {
		if !strings.Contains(have, want) {
			t.Errorf("no line\n%s\nin\n%s", want, have)
		}
	}
	keys := 0
	for _, want := range []struct{ mark, token, shown string }{
		{"=", "holder-1", "holder-1, serial 1001"}, {"+", "holder-2-new", "holder-2 (holder-2-new), serial 2002"}, {"=", "holder-3", "holder-3, serial 1003"},
		{"=", "holder-4", "holder-4, serial 1004"}, {"+", "holder-6", "holder-6, serial 1006"}, {"-", "holder-2", "holder-2, serial 1002"}, {"-", "holder-5", "holder-5, serial 1005"},
	} {
		fingerprint := ceremonytest.Object(t, want.token).Fingerprint()
		for _, c := range changes {
			if c.What != "root key" || c.Key != fingerprint {
				continue
			}
			keys++
			if c.Mark != want.mark || strings.HasPrefix(c.Old, want.shown) != (want.mark != "+") || strings.HasPrefix(c.New, want.shown) != (want.mark != "-") {
				t.Errorf("%s is shown as %+v", want.token, c)
			}
		}
	}
	if keys != 7 || strings.Count(have, "root key|") != 7 {
		t.Errorf("%d of 7 keys are told once:\n%s", keys, have)
	}
}

func TestTargetsChanges(t *testing.T) {
	p := targetsPlan()
	p.Targets.Remove = []string{"hello.txt"}
	have := lines(reviewed(t, p, ceremonytest.Trusted(t)).Documents[0].Changes)
	for _, want := range []string{
		"~ version|1|2\n",
		"+ target new.txt||3 bytes, sha256 " + tufmeta.Digest([]byte("new")) + "\n",
		"- target hello.txt|6 bytes, sha256 " + tufmeta.Digest([]byte("hello\n")) + "|\n",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("no line\n%s\nin\n%s", want, have)
		}
	}
	p.Targets.Remove = nil
	p.Targets.Add = append(p.Targets.Add, plan.File{Path: "hello.txt", Length: 7, SHA256: tufmeta.Digest([]byte("hello!\n"))})
	have = lines(reviewed(t, p, ceremonytest.Trusted(t)).Documents[0].Changes)
	if want := "~ target hello.txt|6 bytes, sha256 "; !strings.Contains(have, want) {
		t.Errorf("no line\n%s\nin\n%s", want, have)
	}
	p.Targets.Add = p.Targets.Add[:1]
	have = lines(reviewed(t, p, ceremonytest.Trusted(t)).Documents[0].Changes)
	if want := "= targets unchanged|1|1\n"; !strings.Contains(have, want) {
		t.Errorf("no line\n%s\nin\n%s", want, have)
	}
}

// A delegation that is carried over or changed is shown with its keys, its
// threshold and its paths.
func TestDelegationChanges(t *testing.T) {
	c := ceremonytest.Start(t, targetsPlan(), ceremonytest.Trusted(t))
	c.Draft()
	c.Edit("2.targets.json", func(s map[string]any) {
		key := ceremonytest.Object(t, "stranger")
		s["delegations"] = map[string]any{"keys": map[string]any{key.ID: key.Object}, "roles": []any{map[string]any{
			"name": "others", "keyids": []any{key.ID}, "threshold": int64(1), "terminating": true, "paths": []any{"a\u202e/*"}}}}
	})
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	changes := report.Documents[0].Changes
	want := "+ delegation others||place 1, 1 of 1 keys; a\\u202e/*; terminating\n+ others key||unknown holder\n"
	if have := lines(changes); !strings.HasSuffix(have, want) || changes[len(changes)-1].Key != ceremonytest.Object(t, "stranger").Fingerprint() {
		t.Errorf("no line\n%s\nin\n%s", want, have)
	}
}

// The digest that is shown is that of the file, so that sha256sum tells the
// same, and the words are those of the digest.
func TestDigests(t *testing.T) {
	report := reviewed(t, ceremonytest.RotationPlan(), ceremonytest.Trusted(t))
	if len(report.Documents) != 2 {
		t.Fatalf("%d documents", len(report.Documents))
	}
	for _, d := range report.Documents {
		payload := report.Files()[folder.Payload+"/"+d.Version.File()]
		sum := sha256.Sum256(payload)
		if d.Digest != tufmeta.Digest(payload) || d.Words != tufmeta.Words(sum[:]) || string(d.Payload) != string(payload) {
			t.Errorf("%s: digest %s, %s", d.Version, d.Digest, d.Words)
		}
	}
	if report.Event != report.Files().Event() {
		t.Error("the event is another")
	}
}

func lines(changes []review.Change) string {
	var b strings.Builder
	for _, c := range changes {
		b.WriteString(c.Mark + " " + c.What + "|" + c.Old + "|" + c.New + "\n")
	}
	return b.String()
}
