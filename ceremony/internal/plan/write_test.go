package plan_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// What is written is read back as the same plan, whatever people call
// themselves and their devices.
func TestTextRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(20270112, 4))
	for range 500 {
		p := randomPlan(random)
		roundTrip(t, p)
	}
	for _, p := range []*plan.Plan{ceremonytest.GenesisPlan(), ceremonytest.RotationPlan(), revocationPlan()} {
		roundTrip(t, p)
	}
}

func roundTrip(t *testing.T, p *plan.Plan) {
	t.Helper()
	text := p.Text()
	have, err := plan.Parse(text)
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if !reflect.DeepEqual(have, p) {
		t.Fatalf("read back as another plan:\n%s\n%+v\n%+v", text, have, p)
	}
}

// Every field has a line that says what it means, and an open threshold is
// marked as such.
func TestTextIsForPeople(t *testing.T) {
	p := &plan.Plan{Kind: plan.Genesis}
	plan.FillGenesis(p, time.Date(2028, 1, 10, 0, 0, 0, 0, time.UTC))
	text := string(p.Text())
	for _, want := range []string{"# The plan of this ceremony.", "threshold: 0  # decide", "signing is refused before and after", "  expires: 2028-01-10T00:00:00Z"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 110 {
			t.Errorf("too long to read: %s", line)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(ceremonytest.GenesisPlan().Text())
	f.Add(ceremonytest.RotationPlan().Text())
	f.Add(revocationPlan().Text())
	random := rand.New(rand.NewPCG(20270112, 5))
	f.Add(randomPlan(random).Text())
	f.Add(asking().Text())
	f.Add([]byte("format: ceremony-plan-1\nkind: targets\n"))
	f.Add([]byte("{a: &a [*a], <<: !!x b}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := plan.Parse(data)
		if err != nil {
			if tufmeta.Unsafe(err.Error()) {
				t.Fatalf("the message is unsafe to show: %q", err.Error())
			}
			return
		}
		if d, err := plan.ParseDevices(data); err != nil || !reflect.DeepEqual(d, &plan.Devices{Rehearsal: p.Rehearsal, Policy: p.Policy, Roster: p.Roster, Waivers: p.Waivers}) {
			t.Fatalf("what it says of devices is read as %+v, %v", d, err)
		}
		again, err := plan.Parse(p.Text())
		if err != nil {
			t.Fatalf("accepted, and cannot be read when it is written: %v\n%s", err, p.Text())
		}
		if !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v\nis written as\n%s", p, p.Text())
		}
	})
}

// randomPlan makes a plan that Parse accepts.
func randomPlan(random *rand.Rand) *plan.Plan {
	opens := time.Unix(random.Int64N(1<<32), 0).UTC()
	p := &plan.Plan{Kind: []plan.Kind{plan.Genesis, plan.Rotation, plan.Targets}[random.IntN(3)], Repository: "r" + without(words(random, 1), `"`), Rehearsal: random.IntN(2) == 0,
		Opens: opens, Closes: opens.Add(time.Duration(1+random.IntN(1e6)) * time.Second)}
	var names []string
	for h := range 1 + random.IntN(4) {
		holder := roster.Holder{Name: strings.TrimSpace(fmt.Sprintf("%s %d", without(words(random, 0), `,;:"()[]`), h))}
		for range 1 + random.IntN(2) {
			t := &roster.Token{Name: tokenName(random, names), Holder: holder.Name, Model: without(words(random, 0), `,;:"[]`), Serial: serial(random), Lost: random.IntN(4) == 0}
			t.KeyFile = "keys/" + strings.Trim(t.Name, ".") + ".pem"
			t.URI = []string{"", "pkcs11:token=a%20b;object=c?module-path=/lib/x.so", "pkcs11:serial=14470876?module-path=/lib/x.so", "piv:slot=9c"}[random.IntN(4)]
			if random.IntN(3) == 0 {
				t.EvidenceFile = "keys/" + strings.Trim(t.Name, ".") + ".attestation.pem"
			}
			holder.Tokens, names = append(holder.Tokens, t), append(names, t.Name)
		}
		p.Roster.Holders = append(p.Roster.Holders, holder)
	}
	p.Policy = randomPolicy(random)
	people := slices.Clone(names)
	for range random.IntN(3) {
		t := &roster.Token{Name: tokenName(random, names), KeyFile: "keys/online.pem"}
		p.Roster.Online, names = append(p.Roster.Online, t), append(names, t.Name)
	}
	if p.Kind != plan.Targets {
		p.Root = &plan.Root{Version: 1 + random.Int64N(tufmeta.MaxInteger), Expires: opens, Roles: map[string]plan.Role{}}
		for _, role := range tufmeta.TopRoles {
			from := people
			if plan.OnlineRoles[role] {
				from = names
			}
			tokens := slices.Clone(from[:1+random.IntN(len(from))])
			p.Root.Roles[role] = plan.Role{Threshold: 1 + random.IntN(len(tokens)), Tokens: tokens}
		}
	}
	if p.Kind != plan.Rotation || random.IntN(2) == 0 {
		p.Targets = &plan.TargetsPlan{Version: 1 + random.Int64N(tufmeta.MaxInteger), Expires: opens}
		for n := range random.IntN(3) {
			p.Targets.Add = append(p.Targets.Add, plan.File{Path: fmt.Sprintf("%d%s", n, without(words(random, 0), `\?#%`)), Length: random.Int64N(tufmeta.MaxInteger), SHA256: tufmeta.Digest([]byte{byte(random.Int())})})
		}
		for n := range random.IntN(3) {
			p.Targets.Remove = append(p.Targets.Remove, fmt.Sprintf("r%d%s", n, without(words(random, 0), `\?#%`)))
		}
	}
	if p.Targets != nil {
		randomDelegations(random, p, names)
	}
	if p.Kind == plan.Genesis {
		p.Root.Version, p.Targets.Version = 1, 1
	}
	for n := range random.IntN(3) {
		p.Supersedes = append(p.Supersedes, plan.Superseded{Event: tufmeta.Digest([]byte{byte(n)}), Reason: fmt.Sprintf("it was %s given up", words(random, 1))})
	}
	if random.IntN(2) == 0 {
		p.Lifetimes = map[string]int{"snapshot": 1 + random.IntN(366), "timestamp": 1 + random.IntN(366)}
	}
	for range random.IntN(3) {
		p.Waivers = append(p.Waivers, check.Waiver{Check: "THRESHOLD-ONE", Subject: words(random, 1), Reason: words(random, 3)})
	}
	return p
}

// randomDelegations has targets delegate in each of the three ways, and signs
// some of what it delegates to.
func randomDelegations(random *rand.Rand, p *plan.Plan, names []string) {
	role := func() plan.Role {
		tokens := slices.Clone(names[:1+random.IntN(len(names))])
		return plan.Role{Threshold: 1 + random.IntN(len(tokens)), Tokens: tokens}
	}
	d := &plan.Delegations{}
	switch random.IntN(3) {
	case 0:
		return
	case 1:
		d.Roles = []plan.Delegation{{Name: "007", Role: role(), Bits: 1 + random.IntN(32)}}
	default:
		for _, name := range []string{"true", "0x1f", "a.b", "1e3"}[:random.IntN(5)] {
			x := plan.Delegation{Name: name, Role: role(), Terminating: random.IntN(2) == 0}
			if random.IntN(2) == 0 {
				x.Paths = []string{"a: b", "*", "x/?.*/~"}[:1+random.IntN(3)]
			} else {
				x.Prefixes = []string{"00", "1e", "ff"}[:1+random.IntN(3)]
			}
			d.Roles = append(d.Roles, x)
			if random.IntN(2) == 0 {
				p.Delegated = append(p.Delegated, &plan.TargetsPlan{Role: name, Delegator: "targets", Version: 1 + random.Int64N(tufmeta.MaxInteger), Expires: p.Targets.Expires, Manifest: []string{"", "lists/" + name}[random.IntN(2)]})
			}
		}
	}
	p.Targets.Delegations = d
}

// randomPolicy asks for something, since any of the tokens may want a policy.
func randomPolicy(random *rand.Rand) *plan.Policy {
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	p := &plan.Policy{Attestation: plan.Attestation(one("required", "recorded", "off")), Roots: one("", "keys/makers.crt"), Firmware: one("", "0.0.0", "5.7.0", "255.10.9"),
		PIN: one("", "always", "once"), Touch: one("", "always", "cached"), FIPS: random.IntN(2) == 0, ManagementKey: one("", plan.PINProtected, plan.Printed)}
	if n := random.IntN(len(plan.FormFactors)); n > 0 {
		p.FormFactors = plan.FormFactors[:n]
	}
	return p
}

// words are what a person or a device may be called, and what YAML could take
// for something else.
func words(random *rand.Rand, least int) string {
	list := []string{"null", "~", "true", "no", "007", "0x1f", "1e3", ".inf", "-", "- a", "a: b", "# c", "'", `"`, `\`, `\u202e`, "é", "漢字", "😀", "[", "]", "{", "}", "&a", "*a", "!t", "|", ">", "%", "@", "`", "plain", "2027-01-10T09:00:00Z", "<<", "?", "...", "---"}
	var words []string
	for range least + random.IntN(3) {
		words = append(words, list[random.IntN(len(list))])
	}
	return strings.Join(words, " ")
}

// without leaves characters out that names may not have, and the blanks that
// are then too many.
func without(text, characters string) string {
	for _, c := range characters {
		text = strings.ReplaceAll(text, string(c), "")
	}
	return strings.Join(strings.Fields(text), " ")
}

func serial(random *rand.Rand) string {
	return []string{"", "14470876", "0013200460", "DENK0102947", "0x10", "1e3", "null"}[random.IntN(7)]
}

func tokenName(random *rand.Rand, taken []string) string {
	for {
		name := []string{"holder", "007", "0x1f", "1e3", "true", "null", "no", "1.5", "1_0", "2027-01-10", "0o7", "inf"}[random.IntN(12)] + []string{"", "-2", ".3", "_4"}[random.IntN(4)]
		if !slices.Contains(taken, name) {
			return name
		}
	}
}
