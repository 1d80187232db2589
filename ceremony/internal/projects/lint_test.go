package projects_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/tufmeta"
)

// found lists what a linter finds, one line each.
func found(l *projects.Linter) []string {
	var lines []string
	for _, x := range check.Draft.Weigh(l.Results()) {
		lines = append(lines, fmt.Sprintf("%s: %s, %s: %s", x.Level, x.Check, x.Subject, x.Detail))
	}
	slices.Sort(lines)
	return lines
}

// wants compares findings with how they must begin, all of them.
func wants(t *testing.T, l *projects.Linter, want ...string) {
	t.Helper()
	got := found(l)
	slices.Sort(want)
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && strings.HasPrefix(got[i], want[i])
	}
	if !ok {
		t.Errorf("it finds\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// lint looks at a list that all developers have signed as it stands.
func lint(list ...projects.Entry) *projects.Linter {
	all := slices.Clone(list)
	for i, e := range all {
		all[i] = signed(e)
	}
	return asSent(all...)
}

// asSent looks at a list with the proofs that it has.
func asSent(list ...projects.Entry) *projects.Linter {
	return projects.NewLinter(scope, list)
}

func TestGoodList(t *testing.T) {
	l := lint(entries(t, "requests", "zope.interface", "numpy", "flask", "attrs")...)
	wants(t, l)
	if l.Keys() != 5 || l.Count(projects.New) != 5 {
		t.Errorf("%d keys, %d new", l.Keys(), l.Count(projects.New))
	}
}

// A proof is of one key, one project and one repository, and of all that the list's
// line asks for.
func TestProof(t *testing.T) {
	const no = "refusal: PROJECT-PROOF, requests: keys[0]: the proof is not this key's signature over the statement about this project"
	for name, row := range map[string]struct {
		change func(e *projects.Entry)
		want   string
	}{
		"none":            {func(e *projects.Entry) { e.Keys[0].Proof = nil }, "refusal: PROJECT-PROOF, requests: keys[0]: there is no proof"},
		"another's":       {func(e *projects.Entry) { e.Keys[0].Proof = entry(t, "numpy").Keys[0].Proof }, no},
		"another project": {func(e *projects.Entry) { e.Project, e.Paths = "numpy", []string{"numpy/*"} }, strings.ReplaceAll(no, "requests", "numpy")},
		"another path":    {func(e *projects.Entry) { e.Paths = []string{"p/requests/*"} }, no},
		"one path more":   {func(e *projects.Entry) { e.Paths = append(e.Paths, "p/requests/*") }, no},
		"a later day":     {func(e *projects.Entry) { e.Until = "2028-12-31" }, no},
		"a key beside hers": {func(e *projects.Entry) {
			e.Keys = append(e.Keys, projects.Key{PEM: listed(t, ed("admin")).PEM, Proof: e.Keys[0].Proof})
		}, no},
		"in another spelling": {func(e *projects.Entry) { e.Project = "REQUESTS" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := entry(t, "requests")
			row.change(&e)
			want := []string{row.want}
			switch name {
			case "in another spelling":
				want = nil
			case "a key beside hers":
				want = append(want, strings.Replace(row.want, "keys[0]", "keys[1]", 1))
			}
			wants(t, asSent(e), want...)
		})
	}
	two := entry(t, "requests")
	two.Keys = append(two.Keys, listed(t, ed("second")))
	two.Threshold = 2
	two = signed(two)
	wants(t, asSent(two))
	two.Threshold = 1
	wants(t, asSent(two), no, strings.Replace(no, "keys[0]", "keys[1]", 1))
	for name, there := range map[string]projects.Scope{
		"another repository": {Repository: "another.org", Role: "claimed"},
		"another role":       {Repository: "example.org", Role: "archived"},
		"a rehearsal":        {Repository: "example.org", Role: "claimed", Rehearsal: true},
	} {
		t.Run(name, func(t *testing.T) { wants(t, projects.NewLinter(there, entries(t, "requests")), no) })
	}
	if row, _ := check.Lookup("PROJECT-PROOF"); row.Waivable() {
		t.Error("a missing proof can be waived")
	}
}

// A proof ends with the day that its developer has written into it.
func TestProofEnds(t *testing.T) {
	for closes, want := range map[string][]string{
		"2027-12-31T23:59:59Z": nil,
		"2028-01-01T00:00:00Z": {"refusal: PROJECT-PROOF, requests: its proofs are good until 2027-12-31, and the plan's window closes on 2028-01-01"},
	} {
		at, err := time.Parse(time.RFC3339, closes)
		must(t, err)
		l := lint(entry(t, "requests"))
		l.At(at.AddDate(0, 0, -31), at)
		wants(t, l, want...)
	}
}

// A last day that is far away is for people to look at, once for all projects that
// have it.
func TestProofLasts(t *testing.T) {
	list := entries(t, "requests", "numpy", "flask")
	list[1].Until, list[2].Until = "2029-02-03", "2029-02-03"
	for opens, want := range map[string][]string{
		"2027-12-31T09:00:00Z": nil,
		"2027-12-30T09:00:00Z": {"finding: PROJECT-UNTIL, 2029-02-03: proofs are good until then, more than 400 days after the plan's window opens, of numpy, flask"},
	} {
		at, err := time.Parse(time.RFC3339, opens)
		must(t, err)
		l := lint(list...)
		l.At(at, at)
		wants(t, l, want...)
	}
	if words, first, last := projects.Ends(list); words != "between 2027-12-31 and 2029-02-03" || first != "2027-12-31" || last != "2029-02-03" {
		t.Errorf("proofs end %s: %s, %s", words, first, last)
	}
	if words, _, _ := projects.Ends(list[1:]); words != "on 2029-02-03" {
		t.Errorf("proofs end %s", words)
	}
}

func TestKinds(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	must(t, err)
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	rsa1024, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	with := func(k projects.Key) projects.Entry {
		return projects.Entry{Project: "requests", Threshold: 1, Until: "2027-12-31", Paths: []string{"requests/*"}, Keys: []projects.Key{k}}
	}
	wants(t, lint(with(listed(t, p256))))
	wants(t, lint(with(listed(t, rsa2048))))
	wants(t, lint(with(listed(t, p384))), "finding: KEY-PORTABLE, ")
	wants(t, lint(with(projects.Key{PEM: listed(t, p521).PEM})), "refusal: KEY-TYPE, requests: keys[0]: it is an ECDSA key on P-521")
	wants(t, lint(with(projects.Key{PEM: "nothing"})), "refusal: KEY-TYPE, requests: keys[0]: reading a public key")
	wants(t, lint(with(projects.Key{PEM: listed(t, rsa1024).PEM})), "refusal: KEY-WEAK, requests: keys[0]: an RSA key of 1024 bits")
	neutral := make(ed25519.PublicKey, ed25519.PublicKeySize) // for which anybody signs anything
	neutral[0] = 1
	der, err := x509.MarshalPKIXPublicKey(neutral)
	must(t, err)
	forged := projects.Key{PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), Proof: append(slices.Clone(neutral), make([]byte, 32)...)}
	wants(t, lint(with(forged)), "refusal: KEY-WEAK, requests: keys[0]: an Ed25519 key of small order")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSharedKeys(t *testing.T) {
	list := entries(t, "requests", "numpy", "flask")
	list[1].Keys = []projects.Key{listed(t, ed("requests"))}
	l := lint(list...)
	wants(t, l, "finding: PROJECT-KEY-SHARED, ")
	key, err := list[0].Keys[0].Public()
	must(t, err)
	l.Claimed(projects.Delegation{Role: "project.scrapy", Keys: []string{key.Fingerprint()}, Threshold: 1, Paths: []string{"scrapy/*"}})
	if got := found(l); len(got) != 1 || !strings.HasSuffix(got[0], "one key for 3 projects: requests, numpy, scrapy") {
		t.Errorf("it finds %q", got)
	}
	l.Reserve(key.Fingerprint(), "holder-1")
	wants(t, l, "finding: PROJECT-KEY-SHARED, ", "refusal: PROJECT-KEY-ROLE, numpy: its key also signs as holder-1", "refusal: PROJECT-KEY-ROLE, requests: ")
	twice := entry(t, "requests")
	twice.Keys = append(twice.Keys, twice.Keys[0])
	wants(t, lint(twice), "refusal: KEY-SHARED, requests: keys[1] is the same public key")
}

// claimed is what the role has of a project.
func claimed(e projects.Entry) projects.Delegation {
	d := projects.Delegation{Role: e.Role(), Threshold: e.Threshold, Paths: e.Paths}
	for _, k := range e.Keys {
		if key, err := k.Public(); err == nil {
			d.Keys = append(d.Keys, key.Fingerprint())
		}
	}
	return d
}

func TestClaimed(t *testing.T) {
	have := entry(t, "requests")
	other := have
	other.Keys = []projects.Key{listed(t, ed("somebody"))}
	more := have
	more.Keys = append(slices.Clone(have.Keys), other.Keys...)
	moved := have
	moved.Paths = []string{"requests/*", "simple/requests/index.html"} // and has what it had
	for name, row := range map[string]struct {
		listed projects.Entry
		state  projects.State
		want   []string
	}{
		"as it is":      {have, projects.Same, nil},
		"another key":   {other, projects.Changed, []string{"refusal: PROJECT-CLAIMED, requests: claimed delegates to it with other keys"}},
		"one more key":  {more, projects.Changed, []string{"refusal: PROJECT-CLAIMED, requests: "}},
		"another paths": {moved, projects.Moved, nil},
	} {
		l := lint(row.listed)
		l.Claimed(claimed(have))
		t.Run(name, func(t *testing.T) { wants(t, l, row.want...) })
		if l.State(row.listed) != row.state || l.Count(row.state) != 1 || l.Count(projects.New) != 0 {
			t.Errorf("%s: it is %s", name, l.State(row.listed))
		}
	}
}

func TestNames(t *testing.T) {
	for _, row := range []struct{ a, b, want string }{
		{"pillow", "pil1ow", "refusal: PROJECT-CONFUSABLE, pil1ow: its name looks like pillow"},
		{"modern", "modem", "refusal: PROJECT-CONFUSABLE, modem: its name looks like modern"},
		{"zope-interface", "zopeinterface", "refusal: PROJECT-CONFUSABLE, zopeinterface: "},
		{"b0t0", "boto", "refusal: PROJECT-CONFUSABLE, boto: "},
		{"requests", "request", "finding: PROJECT-NEAR, request: one letter from requests"},
		{"requests", "requestss", "finding: PROJECT-NEAR, requestss: "},
		{"requests", "rqeuests", "finding: PROJECT-NEAR, rqeuests: "},
		{"requests", "requexts", "finding: PROJECT-NEAR, requexts: "},
		{"requests", "rquesst", ""},
		{"flask", "flasky-two", ""},
		{"abc", "abd", ""},
	} {
		for where, l := range map[string]*projects.Linter{"list": lint(entry(t, row.a), entry(t, row.b)), "claimed": lint(entry(t, row.b))} {
			if where == "claimed" {
				l.Claimed(claimed(entry(t, row.a)))
			}
			var want []string
			if row.want != "" {
				want = []string{row.want}
			}
			t.Run(row.a+" "+row.b+" "+where, func(t *testing.T) { wants(t, l, want...) })
		}
	}
	long := strings.Repeat("long-name-", 6) + "end"
	l := lint(entry(t, long+"s"))
	l.Claimed(claimed(entry(t, long)))
	wants(t, l, "finding: PROJECT-NEAR, "+long+"s: one letter from "+long)
}

func TestPaths(t *testing.T) {
	with := func(project string, paths ...string) projects.Entry {
		e := entry(t, project)
		e.Paths = paths
		return e
	}
	for name, row := range map[string]struct {
		list []projects.Entry
		want []string
	}{
		"one form":            {[]projects.Entry{with("a", "p/a/*"), with("b", "p/b/*"), with("p", "p/p/*")}, nil},
		"two forms apart":     {[]projects.Entry{with("a", "p/a/*", "simple/a/index.html"), with("b", "p/b/*")}, nil},
		"of two lengths":      {[]projects.Entry{with("a", "a/*", "a/*/*"), with("b", "b/*", "b/*/*")}, nil},
		"everything":          {[]projects.Entry{with("evil", "*/*"), with("b", "b/*")}, []string{`refusal: PROJECT-PATHS, evil: no part of its path "*/*"`, "refusal: PROJECT-PATHS, */* and {project}/*: both may match"}},
		"another's":           {[]projects.Entry{with("b", "a/b/*"), with("a", "a/*/*")}, []string{"refusal: PROJECT-PATHS, a/{project}/* and {project}/*/*: both may match one path: b has a path of the one form, and a of the other"}},
		"a directory of all":  {[]projects.Entry{with("simple", "simple/*"), with("b", "simple/b")}, []string{"refusal: PROJECT-PATHS, simple/{project} and {project}/*: "}},
		"how a part begins":   {[]projects.Entry{with("requests", "p/requests-*"), with("requests-oauth", "p/requests-oauth-*")}, []string{"refusal: PROJECT-PATHS, p/{project}-*: 2 projects have paths in which the name is only how a part begins: requests is one"}},
		"with another ending": {[]projects.Entry{with("a", "p/a/*.whl"), with("b", "p/b/*.tar")}, nil},
	} {
		t.Run(name, func(t *testing.T) { wants(t, lint(row.list...), row.want...) })
	}
	l := lint(with("evil", "docs/evil"))
	l.Claimed(projects.Delegation{Role: "by-hand", Paths: []string{"docs/*"}})
	l.Claimed(projects.Delegation{Role: "by-hand-too", Paths: []string{"other/*"}})
	wants(t, l, "refusal: PROJECT-PATHS, docs/* and docs/{project}: both may match one path: role by-hand has a path of the one form, and evil of the other")
	l = lint(with("good", "good/*"))
	for i := range 200 {
		l.Claimed(projects.Delegation{Role: fmt.Sprintf("by-hand-%d", i), Paths: []string{fmt.Sprintf("hand/%d/*", i)}})
	}
	wants(t, l, "refusal: PROJECT-PATHS, claimed: the paths of its projects have more than 100 forms")
}

// A role that has half a million projects is no reason to wait: what would be
// compared each with each takes hours.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads half a million names")
	}
	l := lint(entries(t, names(0, 200)...)...)
	began := time.Now()
	for i, name := range names(1000, 500_000) {
		l.Claimed(projects.Delegation{Role: projects.Role(name), Keys: []string{fmt.Sprint(i)}, Threshold: 1, Paths: []string{name + "/*"}})
	}
	for _, line := range found(l) {
		if !strings.HasPrefix(line, "finding: PROJECT-NEAR") && !strings.HasPrefix(line, "refusal: PROJECT-CONFUSABLE") {
			t.Error(line)
		}
	}
	t.Logf("%d names in %s", 500_000, time.Since(began))
}

// names are made up of syllables, and distinct.
func names(from, n int) []string {
	syllables := []string{"ba", "ke", "ti", "so", "nu", "ra", "me", "pi", "go", "lu", "fa", "ne", "wi", "to", "su", "da", "he", "mi", "po", "xu"}
	var all []string
	for i := from; i < from+n; i++ {
		name := ""
		for x := i*7919 + 1_000_003; x > 0; x /= len(syllables) {
			name += syllables[x%len(syllables)]
		}
		all = append(all, name)
	}
	return all
}

// A project that goes leaves its paths, and neither its name nor its keys.
func TestWithdrawn(t *testing.T) {
	old := entry(t, "pillow")
	key, err := old.Keys[0].Public()
	must(t, err)
	d := ceremonytest.Delegations(t, []*tufmeta.Key{key}, tufmeta.Delegated{Role: tufmeta.Role{KeyIDs: []string{key.ID}, Threshold: 1}, Name: old.Role(), Paths: []string{"*/pil1ow/*"}})
	alike := entry(t, "pil1ow")
	alike.Keys = []projects.Key{listed(t, ed("pillow"))}
	alike.Paths = []string{"p/pil1ow/*"}
	for role, want := range map[string][]string{
		"project.pillow": {"finding: PROJECT-KEY-SHARED, ", "refusal: PROJECT-CONFUSABLE, pil1ow: its name looks like pillow, which claimed has"},
		"nothing":        {"finding: PROJECT-KEY-SHARED, ", "refusal: PROJECT-CONFUSABLE, pil1ow: ", "refusal: PROJECT-PATHS, */pil1ow/* and p/{project}/*: "},
	} {
		l := lint(alike)
		l.Against(d, func(name string) bool { return name == role })
		t.Run(role, func(t *testing.T) { wants(t, l, want...) })
	}
}
