package review_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

func delegated(t *testing.T, p *plan.Plan, trusted folder.Files) *ceremonytest.Ceremony {
	t.Helper()
	c := ceremonytest.Start(t, p, trusted)
	if p.TargetsRole("claimed") != nil && p.TargetsRole("claimed").Manifest != "" {
		c.Files["lists/claimed.jsonl"] = ceremonytest.List
	}
	c.Draft()
	return c
}

// said gives the results of a review as "level CHECK, subject", without those of
// devices that nobody knows.
func said(t *testing.T, c *ceremonytest.Ceremony) []string {
	t.Helper()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range report.Results {
		out = append(out, string(r.Level)+" "+r.Check+", "+r.Subject+": "+r.Detail)
	}
	return out
}

func wantLine(t *testing.T, have []string, want string) {
	t.Helper()
	if !slices.ContainsFunc(have, func(s string) bool { return strings.Contains(s, want) }) {
		t.Errorf("nobody says %q:\n%s", want, strings.Join(have, "\n"))
	}
}

// Delegated roles are judged by their own names as root and targets are.
func TestDelegatedFindings(t *testing.T) {
	have := said(t, delegated(t, ceremonytest.DelegatedPlan(), ceremonytest.Trusted(t)))
	for _, want := range []string{
		"finding THRESHOLD-ONE, old: one signature is enough",
		"finding THRESHOLD-MARGIN, claimed: 3 keys for a threshold of 2",
		"finding DELEGATED-UNSIGNED, targets: targets delegates to bins: nothing",
	} {
		wantLine(t, have, want)
	}
	for _, s := range have {
		if strings.HasPrefix(s, string(check.Refusal)) || strings.Contains(s, "bins:") && !strings.Contains(s, "UNSIGNED") || strings.Contains(s, "TARGETS-FIRST") {
			t.Errorf("it says %s", s)
		}
	}
	for _, row := range []struct {
		name, want string
		change     func(p *plan.Plan)
	}{
		{"one holder twice", "refusal HOLDER-DUPLICATE, claimed holder-4: tokens holder-3 and holder-4 both belong to holder-3", func(p *plan.Plan) {
			four := p.Roster.Holders[3].Tokens[0]
			four.Holder = "holder-3"
			p.Roster.Holders[2].Tokens = append(p.Roster.Holders[2].Tokens, four)
			p.Roster.Holders = slices.Delete(p.Roster.Holders, 3, 4)
		}},
		{"one device twice", "refusal DEVICE-DUPLICATE, claimed holder-4: tokens holder-3 and holder-4 are both in the device with serial 1003", func(p *plan.Plan) {
			p.Roster.Holders[3].Tokens[0].Serial = "1003"
		}},
		{"a lost device", "refusal DEVICE-LOST, claimed holder-5: token holder-5 is lost", func(p *plan.Plan) {
			p.Roster.Holders[4].Tokens[0].Lost = true
		}},
		{"too few who can", "refusal THRESHOLD-NEW, 1.claimed: under targets 2, 2 must sign, and the plan has 1 who can", func(p *plan.Plan) {
			p.Roster.Holders[3].Tokens[0].Lost, p.Roster.Holders[4].Tokens[0].Lost = true, true
		}},
		{"an early expiry", "refusal EXPIRES-PAST, claimed", func(p *plan.Plan) { p.Delegated[0].Expires = p.Opens }},
		{"a late expiry", "finding EXPIRES-FAR, old", func(p *plan.Plan) { p.Delegated[1].Expires = p.Closes.AddDate(2, 0, 0) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := ceremonytest.DelegatedPlan()
			row.change(p)
			wantLine(t, said(t, delegated(t, p, ceremonytest.Trusted(t))), row.want)
		})
	}
}

// What a plan does not say of delegations is not signed.
func TestDelegationsAsPlanned(t *testing.T) {
	delegations := func(s map[string]any) map[string]any { return s["delegations"].(map[string]any) }
	role := func(s map[string]any, i int) map[string]any {
		return delegations(s)["roles"].([]any)[i].(map[string]any)
	}
	for _, row := range []struct {
		name, payload, want string
		change              func(s map[string]any)
	}{
		{"another order", "2.targets", `list of delegations is ["bins" "claimed"], and the plan says ["claimed" "bins"]`, func(s map[string]any) { slices.Reverse(delegations(s)["roles"].([]any)) }},
		{"a role more", "2.targets", "list of delegations is", func(s map[string]any) {
			delegations(s)["roles"] = append(delegations(s)["roles"].([]any), role(s, 0))
		}},
		{"none", "2.targets", "list of delegations is []", func(s map[string]any) { delete(s, "delegations") }},
		{"a lower threshold", "2.targets", "delegation claimed threshold is 1, and the plan says 2", func(s map[string]any) { role(s, 0)["threshold"] = int64(1) }},
		{"another path", "2.targets", `delegation claimed paths is ["*"]`, func(s map[string]any) { role(s, 0)["paths"] = []any{"*"} }},
		{"prefixes besides", "2.targets", `delegation claimed path hash prefixes is ["00"]`, func(s map[string]any) { role(s, 0)["path_hash_prefixes"] = []any{"00"} }},
		{"an empty list of prefixes", "2.targets", `delegation "claimed" differs from the trusted targets in more than the plan says`, func(s map[string]any) { role(s, 0)["path_hash_prefixes"] = []any{} }},
		{"no word of terminating", "2.targets", `delegation "claimed" has no member "terminating"`, func(s map[string]any) { delete(role(s, 0), "terminating") }},
		{"a member of bins", "2.targets", `delegation "claimed" differs from the trusted targets in more than the plan says`, func(s map[string]any) { role(s, 0)["name_prefix"] = "x" }},
		{"terminating", "2.targets", "delegation claimed terminating is true, and the plan says false", func(s map[string]any) { role(s, 0)["terminating"] = true }},
		{"a key less", "2.targets", "delegation claimed keys are", func(s map[string]any) { role(s, 0)["keyids"] = role(s, 0)["keyids"].([]any)[1:] }},
		{"another's key", "2.targets", "delegation bins keys are", func(s map[string]any) { role(s, 1)["keyids"] = role(s, 0)["keyids"].([]any)[:1] }},
		{"a field of its own", "2.targets", `delegation "claimed" differs from the trusted targets in more than the plan says`, func(s map[string]any) { role(s, 0)["x-other"] = true }},
		{"a field beside the roles", "2.targets", "its delegations differ from the trusted targets", func(s map[string]any) { delegations(s)["x-other"] = true }},
		{"bins beside the roles", "1.claimed", "list of delegations is", func(s map[string]any) {
			delegations(s)["succinct_roles"] = map[string]any{"keyids": []any{}, "threshold": int64(1), "bit_length": int64(1), "name_prefix": "x"}
		}},
		{"a key that nobody uses", "1.claimed", "it lists a key that no delegation uses", func(s map[string]any) {
			key := ceremonytest.Object(t, "stranger")
			delegations(s)["keys"].(map[string]any)[key.ID] = key.Object
		}},
		{"a field in a target", "1.claimed", `target "a/one.txt" is not as the plan makes it`, func(s map[string]any) {
			s["targets"].(map[string]any)["a/one.txt"].(map[string]any)["custom"] = map[string]any{"by": "two"}
		}},
		{"a target more", "1.old", `target "x" is neither in the trusted old nor in the plan`, func(s map[string]any) {
			s["targets"].(map[string]any)["x"] = map[string]any{"length": int64(1), "hashes": map[string]any{"sha256": tufmeta.Digest(nil)}}
		}},
		{"delegations that are not planned", "1.old", `field "delegations" has no place in a first version`, func(s map[string]any) {
			s["delegations"] = map[string]any{"keys": map[string]any{}, "roles": []any{}}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := delegated(t, ceremonytest.DelegatedPlan(), ceremonytest.Trusted(t))
			c.Edit(row.payload+".json", row.change)
			wantLine(t, said(t, c), "refusal PLAN-MISMATCH, "+row.payload+": "+row.want)
		})
	}
}

// next is a plan that goes on from Delegated with targets alone.
func next() *plan.Plan {
	p := ceremonytest.DelegatedPlan()
	p.Targets.Version, p.Delegated = 3, nil
	return p
}

// A delegated role whose keys change must still be good, or be signed anew.
func TestDelegatedStale(t *testing.T) {
	trusted := ceremonytest.TrustedDelegated(t)
	for _, s := range said(t, delegated(t, next(), trusted)) {
		if strings.Contains(s, "DELEGATED-") {
			t.Errorf("nothing changes, and it says %s", s)
		}
	}
	p := next()
	p.Targets.Delegations.Roles[0].Tokens = []string{"holder-1", "holder-2", "holder-3"}
	wantLine(t, said(t, delegated(t, p, trusted)), "refusal DELEGATED-STALE, claimed: claimed 1 would have 1 valid signatures, and 2 are needed")
	p.Waivers = []check.Waiver{{Check: "DELEGATED-STALE", Subject: "claimed", Reason: "claimed is signed next week"}}
	wantLine(t, said(t, delegated(t, p, trusted)), "finding DELEGATED-STALE, claimed")

	p = next()
	p.Targets.Delegations.Roles[0].Tokens = []string{"holder-3", "holder-4", "holder-1"} // two of the signers stay
	for _, s := range said(t, delegated(t, p, trusted)) {
		if strings.Contains(s, "DELEGATED-STALE") {
			t.Errorf("two signers stay, and it says %s", s)
		}
	}
	unknown := folder.Files{}
	for _, name := range []string{"1.root.json", "2.targets.json"} {
		unknown["trusted/"+name] = trusted["trusted/"+name]
	}
	wantLine(t, said(t, delegated(t, p, unknown)), "refusal DELEGATED-STALE, claimed: the keys of claimed change, and trusted/ has no file of it")

	// The file in trusted/ is signed under the old keys, and the new version
	// under the new ones.
	p.Delegated = []*plan.TargetsPlan{{Role: "claimed", Delegator: "targets", Version: 2, Expires: p.Targets.Expires, Remove: []string{"a/one.txt"}}}
	have := said(t, delegated(t, p, trusted))
	for _, s := range have {
		if strings.HasPrefix(s, string(check.Refusal)) {
			t.Errorf("it says %s", s)
		}
	}
}

// A skipped version of a delegated role is refused, and one that was published
// and is not here is asked for.
func TestDelegatedSequence(t *testing.T) {
	trusted := ceremonytest.TrustedDelegated(t)
	p := next()
	p.Targets, p.Delegated = nil, []*plan.TargetsPlan{{Role: "claimed", Delegator: "targets", Version: 3, Expires: p.Closes.AddDate(0, 1, 0)}}
	wantLine(t, said(t, delegated(t, p, trusted)), "refusal VERSION-SEQUENCE, 3.claimed: version 1 is trusted, so the next is 2")
	p.Delegated[0].Version = 1
	here := folder.Files{"trusted/1.root.json": trusted["trusted/1.root.json"], "trusted/2.targets.json": trusted["trusted/2.targets.json"]}
	wantLine(t, said(t, delegated(t, p, here)), "finding TARGETS-FIRST, claimed: nothing of claimed is trusted")
}

// What lies in trusted/ is signed as those want who delegate to it there.
func TestTrustedDelegated(t *testing.T) {
	trusted := ceremonytest.TrustedDelegated(t)
	p := next()
	trusted["trusted/1.claimed.json"] = trusted["trusted/1.old.json"]
	wantLine(t, said(t, delegated(t, p, trusted)), "refusal THRESHOLD-NEW, trusted claimed: has 1 valid signatures under targets 2, and 2 are needed")
	trusted = ceremonytest.TrustedDelegated(t)
	trusted["trusted/1.others.json"] = trusted["trusted/1.old.json"]
	wantLine(t, said(t, delegated(t, p, trusted)), "refusal THRESHOLD-NEW, trusted others: nothing in trusted/ that targets leads to delegates to it")
}

// A revocation does not leave a revoked key in a delegation.
func TestRevokedInDelegation(t *testing.T) {
	p := ceremonytest.RotationPlan()
	p.Kind, p.Targets = plan.Revocation, nil
	p.Compromise = &plan.Compromise{Case: "A", Tokens: []string{"holder-4"}, Why: "token:holder-4"}
	root := p.Root.Roles["root"]
	p.Root.Roles["root"] = plan.Role{Threshold: 3, Tokens: slices.DeleteFunc(root.Tokens, func(s string) bool { return s == "holder-4" })}
	wantLine(t, said(t, delegated(t, p, ceremonytest.TrustedDelegated(t))), "refusal REVOKED-KEPT, claimed holder-4: the key of holder-4")
}

// What was said of a target in an earlier version is kept, whatever it is; what
// is new must look like what it is.
func TestCustomKept(t *testing.T) {
	trusted := ceremonytest.TrustedDelegated(t)
	p := next()
	p.Targets, p.Delegated = nil, []*plan.TargetsPlan{{Role: "claimed", Delegator: "targets", Version: 2, Expires: p.Closes.AddDate(0, 1, 0),
		Add: []plan.File{{Path: "a/two.txt", Length: 4, SHA256: tufmeta.Digest([]byte("two\n"))}}}}
	c := delegated(t, p, trusted)
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	have := lines(report.Documents[0].Changes)
	for _, want := range []string{`~ target a/two.txt|4 bytes, sha256 ` + tufmeta.Digest([]byte("two\n")) + `, {"custom":{"by":"two"}}|4 bytes, sha256 ` + tufmeta.Digest([]byte("two\n")) + "\n", "= targets unchanged|1|1\n"} {
		if !strings.Contains(have, want) {
			t.Errorf("no line\n%s\nin\n%s", want, have)
		}
	}
	if payload := string(c.Files["payload/2.claimed.json"]); !strings.Contains(payload, `"a/one.txt":{"custom":{"by":"one"},`) || strings.Contains(payload, `"by":"two"`) {
		t.Errorf("drafted %s", payload)
	}
	trusted["trusted/1.claimed.json"] = bytes.Replace(trusted["trusted/1.claimed.json"], []byte(`"by":"one"`), []byte(`"by":"o\u202ene"`), 1)
	have = strings.Join(said(t, delegated(t, p, trusted)), "\n")
	if !strings.Contains(have, `finding TEXT-UNSAFE, 2.claimed: a/one.txt.by has the text "o\u202ene"`) || strings.Contains(have, "refusal TEXT-UNSAFE") {
		t.Errorf("of text that is kept it says\n%s", have)
	}
	c.Files["lists/claimed.jsonl"] = nil
	if _, err := review.Review(c.Files); err == nil || !strings.Contains(err.Error(), "lists/claimed.jsonl: the plan does not name it") {
		t.Errorf("a list that the plan does not name: %v", err)
	}
}

// Delegations are shown one by one with their keys, and counted where they are
// many and stay.
func TestDelegationsShown(t *testing.T) {
	p := next()
	p.Targets.Delegations.Roles = append([]plan.Delegation{{Name: "first", Role: plan.Role{Threshold: 1, Tokens: []string{"holder-1", "holder-2"}}, Paths: []string{"*"}}}, p.Targets.Delegations.Roles[0])
	c := delegated(t, p, ceremonytest.TrustedDelegated(t))
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	have := lines(report.Documents[0].Changes)
	for _, want := range []string{
		"+ delegation first||place 1, 1 of 2 keys; *\n+ first key||holder-1, serial 1001\n",
		"~ delegation claimed|place 1, 2 of 3 keys; a/*; b/?/*|place 2, 2 of 3 keys; a/*; b/?/*\n= claimed key|holder-3, serial 1003|",
		"- delegation bins|place 2, 1 of 1 keys; path hashes that begin with 0, f; terminating|\n- bins key|the online key online|\n",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("no line\n%s\nin\n%s", want, have)
		}
	}
}
