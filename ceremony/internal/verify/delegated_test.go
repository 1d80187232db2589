package verify_test

import (
	"bytes"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

func sealedDelegated(t *testing.T) folder.Files {
	t.Helper()
	c := ceremonytest.Delegated(t)
	c.Draft()
	c.Sign(ceremonytest.DelegatedSigners...)
	return c.Seal()
}

// Each role is counted under the one that delegates to it, and the bundle has
// the lists that the plan names.
func TestDelegated(t *testing.T) {
	sealed := sealedDelegated(t)
	v, err := verify.Files(sealed, ceremonytest.Root(t), ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	facts, _ := v.Facts()
	wantCounts(t, facts, "2.targets", verify.Count{Under: 1, Threshold: 2, Signers: signers(t, "holder-1", "holder-2", "holder-3")})
	wantCounts(t, facts, "1.claimed", verify.Count{Under: 2, Threshold: 2, Signers: signers(t, "holder-3", "holder-4")})
	wantCounts(t, facts, "1.old", verify.Count{Under: 1, Threshold: 1, Signers: signers(t, "holder-1", "holder-2", "holder-3")})
	var data bytes.Buffer
	err = bundle.Write(&data, v)
	if err != nil {
		t.Fatal(err)
	}
	files, err := bundle.Decode(data.Bytes())
	if err != nil || !bytes.Equal(files["lists/claimed.jsonl"], ceremonytest.List) {
		t.Errorf("the bundle has the list %q, %v", files["lists/claimed.jsonl"], err)
	}
}

// A delegated role alone is proved by way of what is trusted: root, targets, and
// each role between.
func TestDelegatedAlone(t *testing.T) {
	sealed := sealedAlone(t)
	v, err := verify.Files(sealed, ceremonytest.Root(t), ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	facts, _ := v.Facts()
	if len(facts.Roles) != 1 {
		t.Fatalf("proved %v", facts.Roles)
	}
	wantCounts(t, facts, "2.old", verify.Count{Under: 1, Threshold: 1, Signers: signers(t, "holder-2")})
}

func sealedAlone(t *testing.T) folder.Files {
	t.Helper()
	p := ceremonytest.DelegatedPlan()
	p.Targets, p.Delegated = nil, []*plan.TargetsPlan{{Role: "old", Delegator: "claimed", Version: 2, Expires: p.Closes.AddDate(0, 1, 0)}}
	c := ceremonytest.Start(t, p, ceremonytest.TrustedDelegated(t))
	c.Draft()
	c.Sign("holder-2")
	return c.Seal()
}

// In each row a good bundle is altered, by somebody who has no holder's key.
func TestTamperedDelegated(t *testing.T) {
	id := func(token string) string { return ceremonytest.Object(t, token).ID }
	for _, row := range []struct {
		name   string
		sealed func(t *testing.T) folder.Files
		tamper func(t *testing.T, files folder.Files)
		want   string
	}{
		{"a list", sealedDelegated, func(t *testing.T, files folder.Files) {
			swap(t, files, "lists/claimed.jsonl", `"length":4`, `"length":5`)
		}, `PLAN-MISMATCH, 1.claimed: target "a/one.txt"`},
		{"a list in another form", sealedDelegated, func(t *testing.T, files folder.Files) {
			swap(t, files, "lists/claimed.jsonl", `"length":4`, `"length": 4`)
		}, "EVENT-MISMATCH"},
		{"a list taken out", sealedDelegated, func(_ *testing.T, files folder.Files) {
			delete(files, "lists/claimed.jsonl")
		}, "the folder has no such file"},
		{"a signature taken out", sealedDelegated, func(_ *testing.T, files folder.Files) {
			delete(files, "signatures/1.claimed/"+id("holder-4")+".json")
		}, "THRESHOLD-NEW, 1.claimed: 1 of 2 signatures under targets 2"},
		{"one role under the name of another", sealedDelegated, func(_ *testing.T, files folder.Files) {
			files["metadata/1.bins.json"] = files["metadata/1.old.json"]
			delete(files, "metadata/1.old.json")
		}, "PLAN-MISMATCH"},
		{"a stranger's delegator", sealedAlone, func(t *testing.T, files folder.Files) {
			files["trusted/1.claimed.json"] = delegating(t, files["trusted/1.claimed.json"], "stranger")
		}, "THRESHOLD-NEW, trusted claimed: has 0 valid signatures under targets 2"},
		{"the delegator taken out", sealedAlone, func(_ *testing.T, files folder.Files) {
			delete(files, "trusted/1.claimed.json")
		}, "nothing in trusted/ that targets leads to delegates to it"},
		{"targets taken out", sealedAlone, func(_ *testing.T, files folder.Files) {
			delete(files, "trusted/2.targets.json")
		}, "nothing in trusted/ that targets leads to delegates to it"},
	} {
		t.Run(row.name, func(t *testing.T) {
			files := row.sealed(t)
			row.tamper(t, files)
			v, err := verify.Files(files, ceremonytest.Root(t), ceremonytest.Now)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
			if _, ok := v.Facts(); ok {
				t.Error("there is a proof all the same")
			}
		})
	}
}

// delegating has metadata delegate old to a stranger's key, without anybody's
// signature.
func delegating(t *testing.T, data []byte, token string) []byte {
	t.Helper()
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		t.Fatal(err)
	}
	key := ceremonytest.Object(t, token)
	d := env.Signed["delegations"].(map[string]any)
	d["keys"] = map[string]any{key.ID: key.Object}
	d["roles"].([]any)[0].(map[string]any)["keyids"] = []any{key.ID}
	canonical, err := tufmeta.Encode(env.Signed)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(`{"signatures":[],"signed":` + string(tufmeta.JSON(canonical)) + `}`)
}

// Root, targets and what is below them in one ceremony: a genesis, and a rotation
// in which targets stays as it is published.
func TestDelegatedBesideRoot(t *testing.T) {
	p := ceremonytest.DelegatedPlan()
	genesis := ceremonytest.GenesisPlan()
	p.Kind, p.Root, p.Targets.Version = plan.Genesis, genesis.Root, 1
	c := ceremonytest.Start(t, p, nil)
	c.Files["lists/claimed.jsonl"] = ceremonytest.List
	c.Draft()
	c.Sign(ceremonytest.DelegatedSigners...)
	sealed := c.Seal()
	v, err := verify.Files(sealed, sealed["metadata/1.root.json"], ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	facts, _ := v.Facts()
	var roles []string
	for _, r := range facts.Roles {
		roles = append(roles, r.Version.String())
	}
	if strings.Join(roles, " ") != "1.root 1.targets 1.claimed 1.old" {
		t.Errorf("proved %v", roles)
	}

	p = ceremonytest.DelegatedPlan()
	p.Kind, p.Root, p.Targets = plan.Rotation, genesis.Root, nil
	p.Root.Version = 2
	p.Delegated = []*plan.TargetsPlan{{Role: "claimed", Delegator: "targets", Version: 2, Expires: p.Closes.AddDate(0, 1, 0), Delegations: &plan.Delegations{}}}
	c = ceremonytest.Start(t, p, ceremonytest.TrustedDelegated(t))
	c.Draft()
	c.Sign(ceremonytest.DelegatedSigners...)
	if v, err = verify.Files(c.Seal(), ceremonytest.Root(t), ceremonytest.Now); err != nil {
		t.Fatal(err)
	}
	facts, _ = v.Facts()
	wantCounts(t, facts, "2.claimed", verify.Count{Under: 2, Threshold: 2, Signers: signers(t, "holder-3", "holder-4")})
	if payload := string(facts.Files["metadata/2.claimed.json"]); strings.Contains(payload, "delegations") || !strings.Contains(payload, "a/one.txt") {
		t.Errorf("claimed 2 is %s", payload)
	}
}
