package review_test

import (
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/roster"
)

// answers is the Rotation as the answer to a compromise: with another online
// key, and holder-5 out.
func answers(c plan.Compromise) *plan.Plan {
	p := ceremonytest.RotationPlan()
	p.Kind, p.Compromise = plan.Revocation, &c
	if p.Compromise.Why == "" {
		p.Compromise.Why = "as a test typed it"
	}
	p.Roster.Online = append(p.Roster.Online, &roster.Token{Name: "online-new", KeyFile: "keys/online-new.pem"})
	return p
}

func online(p *plan.Plan, snapshot, timestamp string) {
	p.Root.Roles["snapshot"] = plan.Role{Threshold: 1, Tokens: []string{snapshot}}
	p.Root.Roles["timestamp"] = plan.Role{Threshold: 1, Tokens: []string{timestamp}}
}

// What a plan says of its case excuses nothing: keys are counted in the roots.
func TestRevoked(t *testing.T) {
	kept := func(role string) string {
		return "ONLINE-KEPT, " + role + ": its key is that of the online key online, "
	}
	for _, row := range []struct {
		name   string
		answer plan.Compromise
		change func(p *plan.Plan)
		want   []string // of the three checks, and no others
	}{
		{"below the threshold", plan.Compromise{Case: "A", Tokens: []string{"holder-5"}}, nil, nil},
		{"still a key", plan.Compromise{Case: "A", Tokens: []string{"holder-3"}}, nil,
			[]string{"REVOKED-KEPT, root holder-3: the key of holder-3, serial 1003, key ", "REVOKED-KEPT, targets holder-3: "}},
		{"still a weak key", plan.Compromise{Case: "A", Weak: []string{"holder-4"}}, nil,
			[]string{"REVOKED-KEPT, root holder-4: the key of holder-4, serial 1004, key "}},
		{"the old device of a holder who stays", plan.Compromise{Case: "A", Tokens: []string{"holder-2"}}, nil, nil},
		{"both online keys", plan.Compromise{Case: "C", Tokens: []string{"online"}}, func(p *plan.Plan) { online(p, "online-new", "online-new") }, nil},
		{"timestamp alone", plan.Compromise{Case: "C", Tokens: []string{"online"}}, func(p *plan.Plan) { online(p, "online", "online-new") },
			[]string{"REVOKED-KEPT, snapshot online: ", kept("snapshot")}},
		{"snapshot alone, called case A", plan.Compromise{Case: "A", Tokens: []string{"online"}}, func(p *plan.Plan) { online(p, "online-new", "online") },
			[]string{"REVOKED-KEPT, timestamp online: ", kept("timestamp")}},
		{"case C that names another token", plan.Compromise{Case: "C", Tokens: []string{"holder-5"}}, nil, []string{kept("snapshot"), kept("timestamp")}},
		{"a threshold of root", plan.Compromise{Case: "A", Tokens: []string{"holder-5", "holder-2", "holder-4"}}, nil,
			[]string{"REVOKED-KEPT, root holder-4: ", "OUT-OF-BAND, root: 3 keys of root 1 are in other hands, and 3 are enough"}},
		{"too few left", plan.Compromise{Case: "A", Tokens: []string{"holder-5", "holder-2"}}, func(p *plan.Plan) { p.Roster.Holders[3].Tokens[0].Lost = true },
			[]string{"OUT-OF-BAND, root: 2 keys of root 1 can still sign, and 3 must (case F)"}},
		{"weak keys sign once more", plan.Compromise{Case: "A", Weak: []string{"holder-5", "holder-2"}}, nil, nil},
		{"a plan of case D", plan.Compromise{Case: "D", Tokens: []string{"holder-5"}}, nil, []string{"OUT-OF-BAND, root: the plan says that it is case D, and makes root 2"}},
		{"a plan of case F", plan.Compromise{Case: "F", Tokens: []string{"holder-5"}}, nil, []string{"OUT-OF-BAND, root: the plan says that it is case F"}},
		{"an ordinary rotation by name", plan.Compromise{Case: "A", Tokens: []string{"holder-3"}}, func(p *plan.Plan) { p.Kind = plan.Rotation },
			[]string{"REVOKED-KEPT, root holder-3: ", "REVOKED-KEPT, targets holder-3: "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := answers(row.answer)
			if row.change != nil {
				row.change(p)
			}
			c := ceremonytest.Start(t, p, ceremonytest.Trusted(t))
			c.Draft()
			wantRevoked(t, c, row.want)
		})
	}
}

func wantRevoked(t *testing.T, c *ceremonytest.Ceremony, want []string) {
	t.Helper()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, r := range report.Results {
		if slices.Contains([]string{"REVOKED-KEPT", "ONLINE-KEPT", "OUT-OF-BAND"}, r.Check) {
			have = append(have, r.Check+", "+r.Subject+": "+r.Detail)
			if r.Level != check.Refusal {
				t.Errorf("%s is a %s", r.Check, r.Level)
			}
		}
	}
	if !slices.EqualFunc(have, want, strings.HasPrefix) {
		t.Errorf("found %q, want %q", have, want)
	}
}

// A new first root is checked too, and goes on from nothing.
func TestRevokedOutOfBand(t *testing.T) {
	for tokens, want := range map[string][]string{
		"holder-6":          nil,
		"holder-6 holder-1": {"REVOKED-KEPT, root holder-1: ", "REVOKED-KEPT, targets holder-1: "},
	} {
		p := ceremonytest.GenesisPlan()
		p.Roster.Holders = append(p.Roster.Holders, roster.Holder{Name: "holder-6", Tokens: []*roster.Token{{Name: "holder-6", Holder: "holder-6", KeyFile: "keys/holder-6.pem"}}})
		p.Compromise = &plan.Compromise{Case: "D", Tokens: strings.Fields(tokens), Why: "role:root"}
		c := ceremonytest.Start(t, p, nil)
		c.Draft()
		wantRevoked(t, c, want)
	}
}

// Payload bytes decide, not the plan that a drafter had: whoever puts the key
// back into the payload is found.
func TestRevokedInPayload(t *testing.T) {
	c := ceremonytest.Start(t, answers(plan.Compromise{Case: "A", Tokens: []string{"holder-5"}}), ceremonytest.Trusted(t))
	c.Payloads()
	c.Edit("2.root.json", func(signed map[string]any) {
		key := ceremonytest.Object(t, "holder-5")
		signed["keys"].(map[string]any)[key.ID] = key.Object
		role := signed["roles"].(map[string]any)["targets"].(map[string]any)
		role["keyids"] = append(role["keyids"].([]any), key.ID)
	})
	c.Record()
	wantRevoked(t, c, []string{"REVOKED-KEPT, targets holder-5: the key of holder-5, serial 1005, key "})
}

// What is signed beforehand takes one key out and does nothing else, whatever its
// plan calls itself.
func TestStandbyDoesNothingElse(t *testing.T) {
	for name, row := range map[string]struct {
		change func(p *plan.Plan)
		want   string
	}{
		"one key":           {func(*plan.Plan) {}, ""},
		"a lower threshold": {func(p *plan.Plan) { role := p.Root.Roles["root"]; role.Threshold = 1; p.Root.Roles["root"] = role }, "root: its threshold was 3 of 5 and is 1 of 4"},
		"a new key": {func(p *plan.Plan) {
			role := p.Root.Roles["targets"]
			role.Tokens = append(role.Tokens, "holder-6")
			p.Root.Roles["targets"] = role
		},
			"targets: it gets the key of holder-6, serial 1006"},
		"another online key": {func(p *plan.Plan) { online(p, "online", "online-new") }, "timestamp: it gets the key of the online key online-new"},
		"another holder out": {func(p *plan.Plan) {
			role := p.Root.Roles["root"]
			role.Tokens = role.Tokens[1:]
			p.Root.Roles["root"] = role
		},
			"root: it loses the key of holder-1, serial 1001"},
		"a later expiry": {func(p *plan.Plan) { p.Root.Expires = p.Root.Expires.AddDate(1, 0, 0) }, "root: it expires on 2029-01-10T09:00:00Z"},
		"targets":        {func(p *plan.Plan) { p.Targets = ceremonytest.RotationPlan().Targets }, "plan: it makes more than the root"},
		"two tokens": {func(p *plan.Plan) {
			p.Compromise.Weak = []string{"holder-4"}
			role := p.Root.Roles["root"]
			role.Tokens = role.Tokens[:3]
			p.Root.Roles["root"] = role
		},
			"plan: it revokes 2 tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			p := answers(plan.Compromise{Case: "A", Tokens: []string{"holder-5"}, Standby: true})
			roles := ceremonytest.GenesisPlan().Root.Roles
			roles["root"] = plan.Role{Threshold: 3, Tokens: []string{"holder-1", "holder-2", "holder-3", "holder-4"}}
			p.Root.Roles, p.Targets = roles, nil
			row.change(p)
			c := ceremonytest.Start(t, p, ceremonytest.Trusted(t))
			c.Draft()
			report, err := review.Review(c.Files)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(report.Results, func(r check.Result) bool { return r.Check == "STANDBY-MORE" })
			switch {
			case row.want == "" && i >= 0:
				t.Errorf("refused: %v", report.Results[i])
			case row.want != "" && i < 0:
				t.Errorf("accepted; want %q", row.want)
			case row.want != "" && (!strings.HasPrefix(report.Results[i].Subject+": "+report.Results[i].Detail, row.want) || report.Results[i].Level != check.Refusal):
				t.Errorf("%v, want %q", report.Results[i], row.want)
			}
		})
	}
}

// A token whose key is in other hands is not counted on.
func TestCompromisedDoesNotSign(t *testing.T) {
	c := ceremonytest.Start(t, answers(plan.Compromise{Case: "A", Tokens: []string{"holder-5"}, Weak: []string{"holder-2"}}), ceremonytest.Trusted(t))
	c.Draft()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if d := report.Demands[0]; !d.Old || d.Able(&report.Plan.Roster) != 4 {
		t.Errorf("under the old root %d can sign", d.Able(&report.Plan.Roster))
	}
}
