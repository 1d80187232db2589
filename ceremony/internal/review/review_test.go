package review_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

func TestApprove(t *testing.T) {
	report := reviewed(t, ceremonytest.RotationPlan(), ceremonytest.Trusted(t))
	approval, err := report.Approve(strings.ToUpper(report.Event.Words()), ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	report.Documents[0].Payload[0] ^= 1 // what happens to the report now changes nothing
	have, ok := approval.Report()
	if !ok || have.Event != report.Event || tufmeta.Digest(have.Documents[0].Payload) != have.Documents[0].Digest {
		t.Error("the approval is of something else")
	}
}

// Whatever is wrong, there is no approval that could sign.
func TestApproveRefuses(t *testing.T) {
	report := reviewed(t, ceremonytest.RotationPlan(), ceremonytest.Trusted(t))
	other := reviewed(t, ceremonytest.GenesisPlan(), nil)
	words := report.Event.Words()
	opens, closes := report.Plan.Opens, report.Plan.Closes
	for _, row := range []struct {
		name   string
		report *review.Report
		words  string
		at     time.Time
		want   string
	}{
		{"no words", report, "", opens, review.ErrWords.Error()},
		{"three words", report, strings.Join(strings.Fields(words)[:3], " "), opens, review.ErrWords.Error()},
		{"words of another event", report, other.Event.Words(), opens, review.ErrWords.Error()},
		{"the ID in hex", report, report.Event.String(), opens, review.ErrWords.Error()},
		{"a second before the window", report, words, opens.Add(-time.Second), "CLOCK, signing window"},
		{"a second after the window", report, words, closes.Add(time.Second), "CLOCK, signing window"},
		{"no clock", report, words, time.Time{}, "CLOCK"},
		{"no review", nil, words, opens, "nothing has been reviewed"},
		{"a report that nobody made", &review.Report{}, folder.Event{}.Words(), opens, "nothing has been reviewed"},
		{"a report made by hand", &review.Report{Plan: report.Plan, Event: report.Event, Documents: report.Documents}, words, opens, "nothing has been reviewed"},
	} {
		approval, err := row.report.Approve(row.words, row.at)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
		if _, ok := approval.Report(); ok {
			t.Errorf("%s: it is approved all the same", row.name)
		}
	}
	for _, at := range []time.Time{opens, closes} {
		if _, err := report.Approve(words, at); err != nil {
			t.Errorf("at %s, which the window still has: %v", at, err)
		}
	}
	if _, ok := (review.Approval{}).Report(); ok {
		t.Error("a zero Approval approves")
	}
}

// In each row the plan has a fault that the draft follows. Subjects are those
// that a waiver names.
func TestFindings(t *testing.T) {
	trusted := ceremonytest.Trusted(t)
	for _, row := range []struct {
		name   string
		change func(p *plan.Plan)
		want   string
		level  check.Level
	}{
		{"nothing", func(*plan.Plan) {}, "", ""},
		{"too few of the old root left", func(p *plan.Plan) {
			for _, i := range []int{0, 2, 4} {
				p.Roster.Holders[i].Tokens[0].Lost = true
			}
		}, "THRESHOLD-OLD 2.root", check.Refusal},
		{"too few of the new root left", func(p *plan.Plan) {
			p.Roster.Holders[0].Tokens[0].Lost, p.Roster.Holders[2].Tokens[0].Lost = true, true
			p.Roster.Holders[5].Tokens[0].Lost = true
		}, "THRESHOLD-NEW 2.root", check.Refusal},
		{"too few of targets left", func(p *plan.Plan) {
			p.Roster.Holders[0].Tokens[0].Lost, p.Roster.Holders[2].Tokens[0].Lost = true, true
		}, "THRESHOLD-NEW 2.targets", check.Refusal},
		{"a holder of the old root whom the plan forgets", func(p *plan.Plan) {
			p.Roster.Holders = slices.Delete(p.Roster.Holders, 4, 5)
			p.Roster.Holders[0].Tokens[0].Lost, p.Roster.Holders[2].Tokens[0].Lost = true, true
			p.Root.Roles["root"] = plan.Role{Threshold: 2, Tokens: []string{"holder-2-new", "holder-4", "holder-6"}}
		}, "THRESHOLD-OLD 2.root", check.Refusal},
		{"two devices of one holder", func(p *plan.Plan) {
			p.Root.Roles["root"] = plan.Role{Threshold: 3, Tokens: []string{"holder-1", "holder-2", "holder-2-new", "holder-3", "holder-4"}}
		}, "HOLDER-DUPLICATE root holder-2-new", check.Refusal},
		{"two keys in one device", func(p *plan.Plan) { p.Roster.Holders[5].Tokens[0].Serial = "1001" }, "DEVICE-DUPLICATE root holder-6", check.Refusal},
		{"a key of root and another of targets in one device", func(p *plan.Plan) {
			p.Roster.Holders[5].Tokens[0].Serial = "1004"
			p.Root.Roles["root"] = plan.Role{Threshold: 2, Tokens: []string{"holder-1", "holder-3", "holder-4"}}
			p.Root.Roles["targets"] = plan.Role{Threshold: 2, Tokens: []string{"holder-1", "holder-3", "holder-6"}}
		}, "DEVICE-DUPLICATE targets holder-6", check.Refusal},
		{"an argument for a module", func(p *plan.Plan) { p.Roster.Holders[0].Tokens[0].URI += "?x-init-reserved=a" }, "MODULE-ARGUMENT holder-1", check.Finding},
		{"a PIN in a file", func(p *plan.Plan) { p.Roster.Holders[0].Tokens[0].URI += "?pin-source=file:/pin" }, "PIN-SOURCE holder-1", check.Finding},
		{"a threshold of 1", func(p *plan.Plan) {
			p.Root.Roles["targets"] = plan.Role{Threshold: 1, Tokens: []string{"holder-1", "holder-3", "holder-4"}}
		}, "THRESHOLD-ONE targets", check.Finding},
		{"no key to spare", func(p *plan.Plan) {
			p.Root.Roles["root"] = plan.Role{Threshold: 3, Tokens: []string{"holder-1", "holder-3", "holder-4"}}
		}, "THRESHOLD-MARGIN root", check.Finding},
		{"an offline key that is online", func(p *plan.Plan) {
			p.Root.Roles["timestamp"] = plan.Role{Threshold: 1, Tokens: []string{"holder-1"}}
		}, "ROLE-KEY-REUSE timestamp", check.Refusal},
		{"an expiry beyond 400 days", func(p *plan.Plan) { p.Root.Expires = p.Closes.AddDate(0, 0, 401) }, "EXPIRES-FAR root", check.Finding},
		{"an expiry in the window", func(p *plan.Plan) { p.Root.Expires = p.Closes }, "EXPIRES-PAST root", check.Refusal},
		{"a version too far", func(p *plan.Plan) { p.Root.Version = 3 }, "VERSION-SEQUENCE 3.root", check.Refusal},
		{"the same version again", func(p *plan.Plan) { p.Root.Version = 1 }, "VERSION-SEQUENCE 1.root", check.Refusal},
		{"targets that would stop", func(p *plan.Plan) {
			p.Targets = nil
			p.Root.Roles["targets"] = plan.Role{Threshold: 2, Tokens: []string{"holder-4", "holder-6", "holder-1"}}
		}, "TARGETS-STALE targets", check.Refusal},
		{"a waiver of nothing", func(p *plan.Plan) {
			p.Waivers = []check.Waiver{{Check: "KEY-PORTABLE", Subject: "root", Reason: "for no reason"}}
		}, "WAIVER-UNUSED KEY-PORTABLE root", check.Finding},
	} {
		p := ceremonytest.RotationPlan()
		row.change(p)
		report := reviewed(t, p, trusted)
		found := false
		for _, r := range report.Results {
			said := r.Check + " " + r.Subject
			found = found || said == row.want && r.Level == row.level
			if row.want == "" && said != "THRESHOLD-MARGIN targets" && said != "trusted THRESHOLD-MARGIN targets" && r.Level != check.Note {
				t.Errorf("%s: %s, %s", row.name, said, r.Detail)
			}
		}
		if !found && row.want != "" {
			t.Errorf("%s: no %s %s in %+v", row.name, row.level, row.want, report.Results)
		}
		_, err := report.Approve(report.Event.Words(), ceremonytest.Now)
		if refused := err != nil; refused != (row.level == check.Refusal) {
			t.Errorf("%s: approving: %v", row.name, err)
		}
	}
}

// A waiver lets one refusal through, with its reason, and no other.
func TestWaiver(t *testing.T) {
	p := ceremonytest.RotationPlan()
	for _, role := range []string{"snapshot", "timestamp"} {
		p.Root.Roles[role] = plan.Role{Threshold: 1, Tokens: []string{"holder-1"}}
	}
	p.Roster.Online = nil
	p.Waivers = []check.Waiver{{Check: "ROLE-KEY-REUSE", Subject: "timestamp", Reason: "the signer is still being built"}}
	report := reviewed(t, p, ceremonytest.Trusted(t))
	_, err := report.Approve(report.Event.Words(), ceremonytest.Now)
	var e *check.Error
	if !errors.As(err, &e) || len(e.Results) != 1 || e.Results[0].Subject != "snapshot" {
		t.Errorf("refused: %v", err)
	}
	p.Waivers = append(p.Waivers, check.Waiver{Check: "ROLE-KEY-REUSE", Subject: "snapshot", Reason: "the signer is still being built"})
	report = reviewed(t, p, ceremonytest.Trusted(t))
	if _, err := report.Approve(report.Event.Words(), ceremonytest.Now); err != nil {
		t.Error(err)
	}
	for _, r := range report.Results {
		if r.Check == "ROLE-KEY-REUSE" && (r.Waived != "the signer is still being built" || r.Level != check.Finding) {
			t.Errorf("%+v", r)
		}
	}
}

// Targets that keeps enough of its signers need not be signed anew.
func TestTargetsSurvive(t *testing.T) {
	p := ceremonytest.RotationPlan()
	p.Targets = nil // signed by 1, 2 and 3, of whom 1 and 3 stay
	report := reviewed(t, p, ceremonytest.Trusted(t))
	if _, err := report.Approve(report.Event.Words(), ceremonytest.Now); err != nil {
		t.Error(err)
	}
	trusted := ceremonytest.Trusted(t)
	delete(trusted, "trusted/1.targets.json")
	report = reviewed(t, p, trusted)
	_, err := report.Approve(report.Event.Words(), ceremonytest.Now)
	if err == nil || !strings.Contains(err.Error(), "TARGETS-STALE") {
		t.Errorf("nobody can know who signed targets: %v", err)
	}
}

// An expired root can be replaced; nothing else is signed under it.
func TestExpiredTrustedRoot(t *testing.T) {
	later := func(p *plan.Plan) *plan.Plan {
		p.Opens, p.Closes = p.Opens.AddDate(2, 0, 0), p.Closes.AddDate(2, 0, 0)
		if p.Root != nil {
			p.Root.Expires = p.Root.Expires.AddDate(2, 0, 0)
		}
		p.Targets.Expires = p.Targets.Expires.AddDate(2, 0, 0)
		return p
	}
	report := reviewed(t, later(ceremonytest.RotationPlan()), ceremonytest.Trusted(t))
	if _, err := report.Approve(report.Event.Words(), report.Plan.Opens); err != nil {
		t.Errorf("a rotation from an expired root: %v", err)
	}
	report = reviewed(t, later(targetsPlan()), ceremonytest.Trusted(t))
	_, err := report.Approve(report.Event.Words(), report.Plan.Opens)
	if err == nil || !strings.Contains(err.Error(), "EXPIRES-PAST, trusted root") {
		t.Errorf("targets under an expired root: %v", err)
	}
}

// What is trusted must be a chain of signed roots, with targets signed by the
// last of them: somebody may have put it on the stick.
func TestTrustedIsNotSigned(t *testing.T) {
	for _, row := range []struct{ name, old, new, want string }{
		{"trusted/1.root.json", `"threshold":3`, `"threshold":2`, "THRESHOLD-NEW, trusted root 1: has 0 valid signatures of its own keys"},
		{"trusted/1.targets.json", `"length":6`, `"length":7`, "THRESHOLD-NEW, trusted targets: has 0 valid signatures under root 1, and 2 are needed"},
	} {
		trusted := ceremonytest.Trusted(t)
		changed := strings.Replace(string(trusted[row.name]), row.old, row.new, 1)
		if changed == string(trusted[row.name]) {
			t.Fatalf("%s has no %s", row.name, row.old)
		}
		trusted[row.name] = []byte(changed)
		report := reviewed(t, ceremonytest.RotationPlan(), trusted)
		if _, err := report.Approve(report.Event.Words(), ceremonytest.Now); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s was changed: %v", row.name, err)
		}
	}
}

func targetsPlan() *plan.Plan {
	p := ceremonytest.RotationPlan()
	p.Kind, p.Root = plan.Targets, nil
	p.Targets.Add = []plan.File{{Path: "new.txt", Length: 3, SHA256: tufmeta.Digest([]byte("new"))}}
	return p
}

// What was drafted here and what lies here now must be one thing.
func TestEventMismatch(t *testing.T) {
	c := ceremonytest.Rotation(t)
	c.Draft()
	c.Files[folder.Plan] = append(slices.Clone(c.Files[folder.Plan]), "# harmless\n"...)
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := report.Approve(report.Event.Words(), ceremonytest.Now); err == nil || !strings.Contains(err.Error(), "EVENT-MISMATCH, event: the record says that event") {
		t.Errorf("a plan edited after drafting: %v", err)
	}
	c.Append(record.Line{Act: "draft", Event: c.Files.Event().String()})
	if report, err = review.Review(c.Files); err != nil {
		t.Fatal(err)
	}
	if _, err := report.Approve(report.Event.Words(), ceremonytest.Now); err == nil || !strings.Contains(err.Error(), "EVENT-MISMATCH") {
		t.Errorf("two drafts on record: %v", err)
	}
}

func TestUnreadable(t *testing.T) {
	c := ceremonytest.Rotation(t)
	c.Draft()
	for _, row := range []struct {
		name   string
		change func(files folder.Files)
		want   string
	}{
		{"nothing drafted", func(f folder.Files) { delete(f, "payload/2.root.json"); delete(f, "payload/2.targets.json") }, "nothing has been drafted"},
		{"a payload under an odd name", func(f folder.Files) { f["payload/root.json"] = nil }, `"payload/root.json"`},
		{"no plan", func(f folder.Files) { delete(f, folder.Plan) }, "plan.yaml"},
		{"a key left out", func(f folder.Files) { delete(f, "keys/holder-1.pem") }, `"keys/holder-1.pem"`},
		{"a trusted root that is no root", func(f folder.Files) { f["trusted/1.root.json"] = f["trusted/1.targets.json"] }, "and root was wanted"},
		{"trusted targets that are no JSON", func(f folder.Files) { f["trusted/1.targets.json"] = []byte("{") }, "trusted/1.targets.json"},
	} {
		files := maps.Clone(c.Files)
		row.change(files)
		if report, err := review.Review(files); err == nil || report != nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
	files := maps.Clone(c.Files)
	files["payload/2.root.json"] = append(slices.Clone(files["payload/2.root.json"]), '\n')
	report, err := review.Review(files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := report.Approve(report.Event.Words(), ceremonytest.Now); err == nil || !strings.Contains(err.Error(), "JSON-STRICT, 2.root: reading JSON at byte") {
		t.Errorf("a payload with a line end is approved: %v", err)
	}
}

// reviewed drafts and reviews a plan.
func reviewed(t *testing.T, p *plan.Plan, trusted folder.Files) *review.Report {
	t.Helper()
	c := ceremonytest.Start(t, p, trusted)
	c.Draft()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	return report
}
