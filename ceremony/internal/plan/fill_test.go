package plan_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

var expires = time.Date(2028, 1, 10, 9, 0, 0, 0, time.UTC)

// A first proposal leaves to people what people must decide.
func TestFillGenesis(t *testing.T) {
	p := &plan.Plan{Kind: plan.Genesis, Repository: "example.org", Opens: expires, Closes: expires.Add(time.Hour), Targets: &plan.TargetsPlan{Version: 1, Expires: expires}}
	plan.FillGenesis(p, expires)
	_, err := plan.Parse(p.Text())
	if err == nil || !strings.Contains(err.Error(), "roles.root.threshold: is 0") {
		t.Errorf("an undecided threshold: %v", err)
	}
	for _, name := range []string{"root", "targets"} {
		r := p.Root.Roles[name]
		r.Threshold = 2
		p.Root.Roles[name] = r
	}
	roundTrip(t, p)
	if len(p.Roster.Holders) != 5 || len(p.Root.Roles["root"].Tokens) != 5 || len(p.Root.Roles["targets"].Tokens) != 3 || p.Root.Version != 1 {
		t.Errorf("proposes %+v", p.Root)
	}
}

// Without an earlier plan, keys have numbers for names, and the public keys
// come from the root.
func TestFillFromRoot(t *testing.T) {
	p := &plan.Plan{Kind: plan.Rotation, Repository: "example.org", Opens: expires, Closes: expires.Add(time.Hour)}
	files := folder.Files{}
	if err := plan.FillFrom(p, trustedRoot(t), nil, expires, files); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, p)
	var names []string
	for _, token := range p.Roster.Tokens() {
		names = append(names, token.Name)
	}
	if have := strings.Join(names, " "); have != "holder-1 holder-2 holder-3 holder-4 holder-5 online" {
		t.Errorf("names %s", have)
	}
	if p.Root.Version != 2 || p.Root.Roles["root"].Threshold != 3 || strings.Join(p.Root.Roles["targets"].Tokens, " ") != "holder-1 holder-2 holder-3" {
		t.Errorf("proposes %+v", p.Root)
	}
	if err := p.Roster.LoadKeys(files); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		token, _ := p.Roster.Token(name)
		if token.Key.Fingerprint() != ceremonytest.Object(t, name).Fingerprint() {
			t.Errorf("%s has another key", name)
		}
	}
}

// An earlier plan says who has which key and on which device; a number never
// comes to mean somebody else.
func TestFillFromEarlierPlan(t *testing.T) {
	c := ceremonytest.Genesis(t)
	earlier := ceremonytest.GenesisPlan()
	earlier.Roster.Holders[0] = roster.Holder{Name: "first", Tokens: []*roster.Token{{Name: "key-a", Holder: "first", URI: "piv:serial=1", Model: "YubiKey 5", Serial: "1", KeyFile: "keys/holder-1.pem"}}}
	stranger := *earlier.Roster.Holders[1].Tokens[0] // has the name, and another key
	stranger.KeyFile = "keys/stranger.pem"
	earlier.Roster.Holders[1].Tokens[0] = &stranger
	c.Files["keys/stranger.pem"] = ceremonytest.PEM(t, "stranger")
	if err := earlier.Roster.LoadKeys(c.Files); err != nil {
		t.Fatal(err)
	}
	p := &plan.Plan{Kind: plan.Rotation}
	if err := plan.FillFrom(p, trustedRoot(t), earlier, expires, folder.Files{}); err != nil {
		t.Fatal(err)
	}
	first, ok := p.Roster.Token("key-a")
	if !ok || first.Holder != "first" || first.Serial != "1" || first.Model != "YubiKey 5" || first.URI != "piv:serial=1" {
		t.Errorf("the first key: %+v", first)
	}
	if _, ok := p.Roster.Token("holder-2"); ok {
		t.Error("holder-2 of the earlier plan had another key, and the name is used again")
	}
	if have := strings.Join(p.Root.Roles["root"].Tokens, " "); have != "key-a holder-6 holder-3 holder-4 holder-5" {
		t.Errorf("root is signed by %s", have)
	}
}

// What was asked of devices is asked again, and what they attested need not be
// collected again. A new device has attested nothing yet.
func TestCarryPolicy(t *testing.T) {
	c := ceremonytest.Attested(t, false)
	c.Draft()
	c.Sign("holder-1", "holder-2", "holder-3")
	earlier, from := c.Plan, c.Files
	if err := earlier.Roster.LoadKeys(from); err != nil {
		t.Fatal(err)
	}
	earlier.Roster.Holders[4].Tokens[0].EvidenceFile = "keys/other.pem" // whatever it is called
	from["keys/other.pem"] = from["keys/holder-5.attestation.pem"]
	delete(from, "keys/holder-4.attestation.pem")
	p, to := &plan.Plan{Kind: plan.Rotation, Repository: "example.org", Opens: expires, Closes: expires.Add(time.Hour)}, folder.Files{}
	if err := plan.FillFrom(p, trustedRoot(t), earlier, expires, to); err != nil {
		t.Fatal(err)
	}
	plan.CarryPolicy(p, earlier, from, to)
	roundTrip(t, p)
	if p.Policy == earlier.Policy || !reflect.DeepEqual(p.Policy, earlier.Policy) || string(to["keys/makers.pem"]) != string(from["keys/makers.pem"]) {
		t.Errorf("asks %+v", p.Policy)
	}
	for _, token := range p.Roster.Tokens() {
		want := "keys/" + token.Name + ".attestation.pem"
		if token.Name == "holder-4" || token.Holder == "" {
			want = ""
		}
		if token.EvidenceFile != want || want != "" && string(to[want]) != string(from[strings.Replace(want, "holder-5.attestation", "other", 1)]) {
			t.Errorf("%s has evidence %q", token.Name, token.EvidenceFile)
		}
	}
	plain := &plan.Plan{}
	plan.CarryPolicy(plain, nil, nil, nil)
	plan.CarryPolicy(plain, ceremonytest.GenesisPlan(), from, to)
	if plain.Policy != nil {
		t.Error("a policy came from nowhere")
	}
}

func TestFillForTargets(t *testing.T) {
	p := &plan.Plan{Kind: plan.Targets, Repository: "example.org", Opens: expires, Closes: expires.Add(time.Hour), Targets: &plan.TargetsPlan{Version: 2, Expires: expires}}
	if err := plan.FillFrom(p, trustedRoot(t), nil, expires, folder.Files{}); err != nil {
		t.Fatal(err)
	}
	if p.Root != nil {
		t.Error("a targets ceremony has a root section")
	}
	roundTrip(t, p)
}

func TestFillRefuses(t *testing.T) {
	root := trustedRoot(t)
	delete(root.Roles, "snapshot")
	if err := plan.FillFrom(&plan.Plan{Kind: plan.Rotation}, root, nil, expires, folder.Files{}); err == nil || !strings.Contains(err.Error(), `no role "snapshot"`) {
		t.Errorf("a root without snapshot: %v", err)
	}
	root = trustedRoot(t)
	id := root.Roles["root"].KeyIDs[2]
	root.Keys[id] = tufmeta.ParseKey(id, map[string]any{"keytype": "sphincs"})
	if err := plan.FillFrom(&plan.Plan{Kind: plan.Rotation}, root, nil, expires, folder.Files{}); err == nil || !strings.Contains(err.Error(), id+" of role root cannot be used") {
		t.Errorf("a root with a key that cannot be read: %v", err)
	}
}

func trustedRoot(t *testing.T) *tufmeta.Root {
	t.Helper()
	env, err := tufmeta.ParseEnvelope(ceremonytest.Root(t))
	if err != nil {
		t.Fatal(err)
	}
	root, err := tufmeta.ParseRoot(env.Signed)
	if err != nil {
		t.Fatal(err)
	}
	return root
}
