package ceremonytest

import (
	"slices"
	"testing"
	"time"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// Genesis begins a repository: root 3 of 5, targets 2 of 3, one online key.
func Genesis(t testing.TB) *Ceremony {
	t.Helper()
	return Start(t, GenesisPlan(), nil)
}

// Rotation goes on from the Genesis: holder-5 leaves, holder-6 joins, and
// holder-2 comes with another device.
func Rotation(t testing.TB) *Ceremony {
	t.Helper()
	return Start(t, RotationPlan(), Trusted(t))
}

// Trusted is what a client of the repository has after the Genesis.
func Trusted(t testing.TB) folder.Files {
	t.Helper()
	c := Genesis(t)
	c.Draft()
	c.Sign("holder-1", "holder-2", "holder-3")
	sealed := c.Seal()
	return folder.Files{
		folder.Trusted + "/1.root.json":    sealed[folder.Metadata+"/1.root.json"],
		folder.Trusted + "/1.targets.json": sealed[folder.Metadata+"/1.targets.json"],
	}
}

// Root is the root of the Genesis.
func Root(t testing.TB) []byte {
	t.Helper()
	return Trusted(t)[folder.Trusted+"/1.root.json"]
}

// GenesisPlan is the plan of the Genesis.
func GenesisPlan() *plan.Plan {
	p := newPlan(plan.Genesis)
	p.Roster.Holders = []roster.Holder{
		holder("holder-1", "1001"), holder("holder-2", "1002"), holder("holder-3", "1003"), holder("holder-4", "1004"), holder("holder-5", "1005"),
	}
	p.Root = &plan.Root{Version: 1, Expires: day(2028, 1, 10), Roles: roles(
		[]string{"holder-1", "holder-2", "holder-3", "holder-4", "holder-5"},
		[]string{"holder-1", "holder-2", "holder-3"})}
	p.Targets = &plan.TargetsPlan{Version: 1, Expires: day(2028, 1, 10),
		Add: []plan.File{{Path: "hello.txt", Length: 6, SHA256: tufmeta.Digest([]byte("hello\n"))}}}
	return p
}

// P384 is the Genesis with keys on P-384: those of holder-2 and holder-3, and
// the online one, whose names then end in -p384.
func P384(t testing.TB) *Ceremony {
	t.Helper()
	return kinds(t, "-p384", "-p384", "-p384")
}

// RSA is the Genesis with RSA keys: holder-2-rsa2048, holder-3-rsa4096, and
// online-rsa3072.
func RSA(t testing.TB) *Ceremony {
	t.Helper()
	return kinds(t, "-rsa2048", "-rsa4096", "-rsa3072")
}

// kinds is the Genesis with keys of other kinds, by the ends of their names.
func kinds(t testing.TB, second, third, online string) *Ceremony {
	t.Helper()
	p := GenesisPlan()
	for token, end := range map[*roster.Token]string{p.Roster.Holders[1].Tokens[0]: second, p.Roster.Holders[2].Tokens[0]: third, p.Roster.Online[0]: online} {
		old := token.Name
		token.Name = old + end
		for _, role := range p.Root.Roles {
			if i := slices.Index(role.Tokens, old); i >= 0 {
				role.Tokens[i] = token.Name
			}
		}
	}
	p.Lifetimes = map[string]int{"snapshot": 7, "timestamp": 1}
	return Start(t, p, nil)
}

// RotationPlan is the plan of the Rotation.
func RotationPlan() *plan.Plan {
	p := newPlan(plan.Rotation)
	second := holder("holder-2", "1002")
	second.Tokens = append(second.Tokens, token("holder-2-new", "holder-2", "2002"))
	p.Roster.Holders = []roster.Holder{
		holder("holder-1", "1001"), second, holder("holder-3", "1003"), holder("holder-4", "1004"), holder("holder-5", "1005"), holder("holder-6", "1006"),
	}
	p.Root = &plan.Root{Version: 2, Expires: day(2028, 1, 10), Roles: roles(
		[]string{"holder-1", "holder-2-new", "holder-3", "holder-4", "holder-6"},
		[]string{"holder-1", "holder-2-new", "holder-3"})}
	p.Targets = &plan.TargetsPlan{Version: 2, Expires: day(2028, 1, 10)}
	return p
}

func newPlan(kind plan.Kind) *plan.Plan {
	p := &plan.Plan{Kind: kind, Repository: "example.org", Opens: day(2027, 1, 10), Closes: day(2027, 1, 17)}
	p.Roster.Online = []*roster.Token{{Name: "online", KeyFile: "keys/online.pem"}}
	return p
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 9, 0, 0, 0, time.UTC) }

func holder(name, serial string) roster.Holder {
	return roster.Holder{Name: name, Tokens: []*roster.Token{token(name, name, serial)}}
}

func token(name, holder, serial string) *roster.Token {
	return &roster.Token{Name: name, Holder: holder, URI: "pkcs11:token=" + name, Serial: serial, KeyFile: "keys/" + name + ".pem"}
}

func roles(root, targets []string) map[string]plan.Role {
	return map[string]plan.Role{
		"root": {Threshold: 3, Tokens: root}, "targets": {Threshold: 2, Tokens: targets},
		"snapshot": {Threshold: 1, Tokens: []string{"online"}}, "timestamp": {Threshold: 1, Tokens: []string{"online"}},
	}
}
