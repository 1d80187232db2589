package quorum_test

import (
	"fmt"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
)

func demands(t *testing.T, c *ceremonytest.Ceremony) string {
	t.Helper()
	c.Payloads()
	all, err := quorum.Demands(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, d := range all {
		have = append(have, fmt.Sprintf("%s (%d of %d)", d, d.Role.Threshold, len(d.Role.KeyIDs)))
	}
	return strings.Join(have, ", ")
}

// A delegated role is judged as its delegator says that is drafted here, and
// where none is, as the one that is trusted.
func TestDelegatedDemands(t *testing.T) {
	const want = "2.targets under root 1 (2 of 3), 1.claimed under targets 2 (2 of 3), 1.old under claimed 1 (1 of 3)"
	if have := demands(t, ceremonytest.Delegated(t)); have != want {
		t.Errorf("%s, want %s", have, want)
	}
	p := ceremonytest.DelegatedPlan()
	p.Targets, p.Delegated = nil, []*plan.TargetsPlan{p.Delegated[1]}
	p.Delegated[0].Version = 2
	if have, want := demands(t, ceremonytest.Start(t, p, ceremonytest.TrustedDelegated(t))), "2.old under claimed 1 (1 of 3)"; have != want {
		t.Errorf("%s, want %s", have, want)
	}
}

// A role to which two others delegate must satisfy both.
func TestTwoDelegators(t *testing.T) {
	p := ceremonytest.DelegatedPlan()
	p.Targets.Delegations.Roles = append(p.Targets.Delegations.Roles, plan.Delegation{Name: "old", Role: plan.Role{Threshold: 2, Tokens: []string{"holder-4", "holder-5"}}, Paths: []string{"c"}})
	c := ceremonytest.Start(t, p, ceremonytest.Trusted(t))
	c.Files["lists/claimed.jsonl"] = ceremonytest.List
	if have, want := demands(t, c), "1.old under targets 2 (2 of 2), 1.old under claimed 1 (1 of 3)"; !strings.HasSuffix(have, want) {
		t.Errorf("%s, want %s", have, want)
	}
}

// A machine's key signs nothing in a ceremony.
func TestOnlineKeysCannotSign(t *testing.T) {
	p := ceremonytest.DelegatedPlan()
	p.Delegated[0].Delegations.Roles[0].Tokens = []string{"online", "holder-1"}
	c := ceremonytest.Start(t, p, ceremonytest.Trusted(t))
	c.Files["lists/claimed.jsonl"] = ceremonytest.List
	c.Payloads()
	all, err := quorum.Demands(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Roster.LoadKeys(c.Files); err != nil {
		t.Fatal(err)
	}
	if have := all[2].Able(&p.Roster); have != 1 {
		t.Errorf("%s: %d are able", all[2], have)
	}
}
