package ceremonytest

import (
	"testing"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// Delegated goes on from the Genesis with a targets ceremony: targets delegates
// to claimed, 2 of 3, and to bins, which a machine signs; claimed delegates to
// old. Both that people sign are signed in it.
func Delegated(t testing.TB) *Ceremony {
	t.Helper()
	c := Start(t, DelegatedPlan(), Trusted(t))
	c.Files["lists/claimed.jsonl"] = List
	return c
}

// List is what claimed lists.
var List = []byte(`{"path":"a/one.txt","length":4,"hashes":{"sha256":"` + tufmeta.Digest([]byte("one\n")) + `"},"custom":{"by":"one"}}
{"path":"a/two.txt","length":4,"hashes":{"sha256":"` + tufmeta.Digest([]byte("two\n")) + `"},"custom":{"by":"two"}}
`)

// DelegatedSigners sign all of Delegated.
var DelegatedSigners = []string{"holder-1", "holder-2", "holder-3", "holder-4"}

// DelegatedPlan is the plan of Delegated.
func DelegatedPlan() *plan.Plan {
	p := GenesisPlan()
	p.Kind, p.Root = plan.Targets, nil
	expires := p.Targets.Expires
	p.Targets = &plan.TargetsPlan{Version: 2, Expires: expires, Delegations: &plan.Delegations{Roles: []plan.Delegation{
		{Name: "claimed", Role: plan.Role{Threshold: 2, Tokens: []string{"holder-3", "holder-4", "holder-5"}}, Paths: []string{"a/*", "b/?/*"}},
		{Name: "bins", Role: plan.Role{Threshold: 1, Tokens: []string{"online"}}, Prefixes: []string{"0", "f"}, Terminating: true},
	}}}
	p.Delegated = []*plan.TargetsPlan{
		{Role: "claimed", Delegator: "targets", Version: 1, Expires: expires, Manifest: "lists/claimed.jsonl", Delegations: &plan.Delegations{Roles: []plan.Delegation{
			{Name: "old", Role: plan.Role{Threshold: 1, Tokens: []string{"holder-1", "holder-2", "holder-3"}}, Paths: []string{"a/old-*"}},
		}}},
		{Role: "old", Delegator: "claimed", Version: 1, Expires: expires},
	}
	return p
}

// TrustedDelegated is what a client of the repository has after Delegated.
func TrustedDelegated(t testing.TB) folder.Files {
	t.Helper()
	c := Delegated(t)
	c.Draft()
	c.Sign(DelegatedSigners...)
	sealed, trusted := c.Seal(), folder.Files{}
	trusted["trusted/1.root.json"] = sealed["trusted/1.root.json"]
	for _, name := range []string{"2.targets.json", "1.claimed.json", "1.old.json"} {
		trusted["trusted/"+name] = sealed["metadata/"+name]
	}
	return trusted
}
