package plan_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// revocationPlan is the Rotation as the answer to a compromise.
func revocationPlan() *plan.Plan {
	p := ceremonytest.RotationPlan()
	p.Kind = plan.Revocation
	p.Compromise = &plan.Compromise{Case: "A", Tokens: []string{"holder-5"}, Weak: []string{"holder-2"}, Why: `holder:holder-5 firmware:<5.7 "quoted"`}
	p.Roster.Holders[4].Tokens[0].Compromised = true
	p.Roster.Holders[1].Tokens[0].Weak = true
	return p
}

// proposed is what init makes of the repository of the tests.
func proposed(t *testing.T, online bool, c plan.Compromise) (*plan.Plan, folder.Files) {
	t.Helper()
	p := &plan.Plan{Kind: plan.Revocation, Repository: "example.org", Opens: expires, Closes: expires.Add(time.Hour)}
	files, earlier := folder.Files{}, ceremonytest.Genesis(t)
	if err := earlier.Plan.Roster.LoadKeys(earlier.Files); err != nil {
		t.Fatal(err)
	}
	if err := plan.FillFrom(p, trustedRoot(t), earlier.Plan, expires, files); err != nil {
		t.Fatal(err)
	}
	c.Why = "as a test typed it"
	p.Revoke(&c, online)
	return p, files
}

// The keys are in no role afterwards; thresholds are for people to lower.
func TestRevoke(t *testing.T) {
	p, _ := proposed(t, false, plan.Compromise{Case: "A", Tokens: []string{"holder-4"}, Weak: []string{"holder-1"}})
	if r := p.Root.Roles["root"]; r.Threshold != 3 || strings.Join(r.Tokens, " ") != "holder-2 holder-3 holder-5" {
		t.Errorf("root is %+v", r)
	}
	if r := p.Root.Roles["targets"]; r.Threshold != 2 || strings.Join(r.Tokens, " ") != "holder-2 holder-3" {
		t.Errorf("targets is %+v", r)
	}
	if r := p.Root.Roles["timestamp"]; strings.Join(r.Tokens, " ") != "online" {
		t.Errorf("timestamp is %+v", r)
	}
	read, err := plan.Parse(p.Text())
	if err != nil {
		t.Fatal(err)
	}
	for name, can := range map[string]bool{"holder-4": false, "holder-1": true, "holder-2": true} {
		if token, _ := read.Roster.Token(name); token.CanSign() != can {
			t.Errorf("%s can sign: %t", name, token.CanSign())
		}
	}
}

// New online keys have names of their own, however often they change.
func TestRevokeOnline(t *testing.T) {
	p, files := proposed(t, true, plan.Compromise{Case: "C", Tokens: []string{"online"}})
	for _, role := range []string{"snapshot", "timestamp"} {
		if r := p.Root.Roles[role]; r.Threshold != 1 || strings.Join(r.Tokens, " ") != "online-new" {
			t.Errorf("%s is %+v", role, r)
		}
	}
	if err := p.Roster.LoadKeys(files); err == nil || !strings.Contains(err.Error(), `no file "keys/online-new.pem"`) {
		t.Errorf("the new key is not wanted: %v", err)
	}
	p.Revoke(&plan.Compromise{Case: "C", Tokens: []string{"online-new"}, Why: "again"}, true)
	if r := p.Root.Roles["snapshot"]; strings.Join(r.Tokens, " ") != "online-new-new" {
		t.Errorf("the next one is %+v", r)
	}
}

// Too few left is said with who is out and how many are missing, for each role.
func TestTooFewLeft(t *testing.T) {
	p, _ := proposed(t, false, plan.Compromise{Case: "A", Tokens: []string{"holder-1", "holder-2"}, Weak: []string{"holder-4"}})
	_, err := plan.Parse(p.Text())
	var e *plan.Error
	want := "new tokens are missing, 1 for root, 1 for targets: root has 2 of the 3 keys that must sign, targets has 1 of the 2 keys that must sign. Taken out: holder-1, serial 1001 (in other hands); holder-2, serial 1002 (in other hands); holder-4, serial 1004 (weak)"
	if !errors.As(err, &e) || e.Field != "roles.root.keys" || e.Problem != want || e.Line == 0 {
		t.Errorf("%v", err)
	}
	// In an ordinary rotation it is the threshold that is wrong.
	p.Kind, p.Compromise = plan.Rotation, nil
	if _, err := plan.Parse(p.Text()); err == nil || !strings.Contains(err.Error(), "roles.root.threshold: is 3, and the role has 2 keys") {
		t.Errorf("in a rotation: %v", err)
	}
}

// A new first root leads on from nothing, and takes over what was listed.
func TestAnew(t *testing.T) {
	p, _ := proposed(t, true, plan.Compromise{Case: "D", Tokens: []string{"holder-1", "holder-2", "holder-3", "online"}})
	good := strings.Repeat("0a", 32)
	p.Anew(&tufmeta.Targets{Files: map[string]tufmeta.TargetFile{
		"b": {Length: 2, Hashes: map[string]string{"sha256": good}}, "a": {Length: 1, Hashes: map[string]string{"sha256": good}},
		"no sha256": {Length: 3, Hashes: map[string]string{"sha512": good}},
	}})
	if p.Kind != plan.Genesis || p.Root.Version != 1 || p.Targets.Version != 1 || len(p.Targets.Add) != 2 || p.Targets.Add[0].Path != "a" {
		t.Errorf("%+v, %+v", p, p.Targets)
	}
	if r := p.Root.Roles["root"]; r.Threshold != 0 || strings.Join(r.Tokens, " ") != "holder-4 holder-5" {
		t.Errorf("root is %+v", r)
	}
	if text := string(p.Text()); !strings.Contains(text, "# No next root restores trust.") {
		t.Errorf("the plan does not say what it is:\n%s", text)
	}
}

func TestCompromiseRefused(t *testing.T) {
	for _, row := range []struct{ old, new, want string }{
		{"  case: A", "  case: E", `compromise.case: is "E"`},
		{"  case: A", "  case: a", `compromise.case: is "a"`},
		{`  tokens: [holder-5]`, "  tokens: [holder-5, holder-5]", `compromise.tokens[1]: is "holder-5", which stands twice`},
		{`  tokens: [holder-5]`, "  tokens: [holder-2]", `compromise.weak[0]: is "holder-2", which stands twice`},
		{`  tokens: [holder-5]`, "  tokens: [nobody]", `compromise.tokens[0]: is "nobody", and no holder has`},
		{`  why: "holder:holder-5 firmware:<5.7 \"quoted\""`, `  why: ""`, "compromise.why: is empty"},
		{"kind: revocation", "kind: targets", "compromise: has no place in a targets ceremony"},
	} {
		text := string(revocationPlan().Text())
		if strings.Count(text, row.old) != 1 {
			t.Fatalf("no %q in\n%s", row.old, text)
		}
		if _, err := plan.Parse([]byte(strings.Replace(text, row.old, row.new, 1))); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.new, err, row.want)
		}
	}
	p := ceremonytest.RotationPlan()
	p.Kind = plan.Revocation
	if _, err := plan.Parse(p.Text()); err == nil || !strings.Contains(err.Error(), "compromise: is missing") {
		t.Errorf("a revocation of nothing: %v", err)
	}
}
