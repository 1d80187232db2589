package plan_test

import (
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// A profile is written out: who reads the plan sees everything that it decides,
// and what people decide is left to them.
func TestFillProfile(t *testing.T) {
	for profile, want := range map[plan.Profile]string{plan.PEP458: "bins", plan.PEP480: "claimed recently-claimed unclaimed"} {
		t.Run(string(profile), func(t *testing.T) {
			p := &plan.Plan{Kind: plan.Genesis, Repository: "example.org", Opens: expires, Closes: expires.AddDate(0, 0, 1), Targets: &plan.TargetsPlan{Version: 1, Expires: expires}}
			plan.FillGenesis(p, expires)
			if advice := plan.FillProfile(p, profile, expires); len(advice) < 2 {
				t.Errorf("advises %q", advice)
			}
			if _, err := plan.Parse(p.Text()); err == nil || !strings.Contains(err.Error(), "threshold: is 0") {
				t.Errorf("an undecided threshold: %v", err)
			}
			for _, role := range []string{"root"} {
				r := p.Root.Roles[role]
				r.Threshold = 3
				p.Root.Roles[role] = r
			}
			var names []string
			for i := range p.Targets.Delegations.Roles {
				d := &p.Targets.Delegations.Roles[i]
				d.Threshold = max(d.Threshold, 1)
				names = append(names, d.Name)
				if d.Terminating {
					t.Errorf("%s ends the search for every path", d.Name)
				}
			}
			if have := strings.Join(names, " "); have != want {
				t.Errorf("clients ask %s, want %s", have, want)
			}
			roundTrip(t, p)
			last := p.Delegated[len(p.Delegated)-1]
			if b := last.Delegations.Roles[0]; last.Role != names[len(names)-1] || b.Bits != 14 || b.Tokens[0] != "online" {
				t.Errorf("%s delegates %+v", last.Role, b)
			}
			if p.Lifetimes["snapshot"] != 1 || p.Lifetimes["timestamp"] != 1 {
				t.Errorf("lifetimes %v", p.Lifetimes)
			}
			for _, name := range p.Root.Roles["targets"].Tokens {
				if token, _ := p.Roster.Token(name); !token.OneTime || slices.Contains(p.Root.Roles["root"].Tokens, name) {
					t.Errorf("targets is signed by %+v", token)
				}
			}
		})
	}
}

// Where a role is signed again its one-time keys have successors, with the same
// holders and with names that nobody had; where it is not, they stay listed.
func TestRenewOneTime(t *testing.T) {
	earlier := ceremonytest.GenesisPlan()
	for _, name := range []string{"holder-1", "holder-2"} { // who sign targets
		token, _ := earlier.Roster.Token(name)
		token.OneTime = true
	}
	c := ceremonytest.Genesis(t)
	if err := earlier.Roster.LoadKeys(c.Files); err != nil {
		t.Fatal(err)
	}
	for _, signed := range []bool{true, false} {
		p := &plan.Plan{Kind: plan.Rotation, Repository: "example.org", Opens: expires, Closes: expires.AddDate(0, 0, 1)}
		if err := plan.FillFrom(p, trustedRoot(t), earlier, expires, folder.Files{}); err != nil {
			t.Fatal(err)
		}
		if signed {
			p.Targets = &plan.TargetsPlan{Version: 2, Expires: expires}
		}
		names, err := plan.RenewOneTime(p, map[string]*tufmeta.Targets{}, earlier, folder.Files{})
		if err != nil {
			t.Fatal(err)
		}
		want, listed := "", "holder-1 holder-2 holder-3"
		if signed {
			want, listed = "holder-6 holder-7", "holder-6 holder-7 holder-3"
		}
		if have := strings.Join(names, " "); have != want {
			t.Errorf("new are %q, want %q", have, want)
		}
		if have := strings.Join(p.Root.Roles["targets"].Tokens, " "); have != listed {
			t.Errorf("targets is signed by %q, want %q", have, listed)
		}
		old, _ := p.Roster.Token("holder-1")
		if !old.OneTime || !old.Lost {
			t.Errorf("the old key is %+v", old)
		}
		if fresh, ok := p.Roster.Token("holder-6"); ok != signed || ok && (fresh.Holder != "holder-1" || !fresh.OneTime || fresh.Lost) {
			t.Errorf("the new key is %+v", fresh)
		}
	}
}
