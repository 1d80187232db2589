package projects_test

import (
	"path"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/tufmeta"
)

// Whoever reuses a developer's old line and proof with other paths, takes what the
// project had.
func TestMoved(t *testing.T) {
	const moved = "refusal: PROJECT-MOVED, requests: by the list it loses what claimed gives it: "
	for name, row := range map[string]struct {
		had, listed []string
		want        []string
	}{
		"the same":              {[]string{"p/requests/*"}, []string{"p/requests/*"}, nil},
		"one more":              {[]string{"p/requests/*"}, []string{"p/requests/*", "simple/requests"}, nil},
		"in another order":      {[]string{"p/requests/*", "simple/requests"}, []string{"simple/requests", "p/requests/*"}, nil},
		"one that covers it":    {[]string{"p/requests/v?.whl"}, []string{"p/requests/v*"}, nil},
		"elsewhere":             {[]string{"p/requests/*"}, []string{"q/requests/*"}, []string{moved + `the path "p/requests/*"`}},
		"one less":              {[]string{"p/requests/*", "simple/requests"}, []string{"p/requests/*"}, []string{moved + `the path "simple/requests"`}},
		"a part of it":          {[]string{"p/requests/*"}, []string{"p/requests/*.whl"}, []string{moved}},
		"one letter for all":    {[]string{"p/requests/v*"}, []string{"p/requests/v?"}, []string{moved}},
		"all but a longer path": {[]string{"p/requests/*/*"}, []string{"p/requests/*"}, []string{moved}},
		"spelled otherwise":     {[]string{"p/requests/*"}, []string{"p/Requests/*"}, []string{moved, `refusal: PROJECT-PATHS, requests: no part of its path "p/Requests/*" is its name`}},
	} {
		before := entry(t, "requests")
		before.Paths = row.had
		now := before
		now.Paths = row.listed
		l := lint(now)
		l.Claimed(claimed(before))
		t.Run(name, func(t *testing.T) { wants(t, l, row.want...) })
	}
	two := entry(t, "requests")
	two.Keys = append(two.Keys, listed(t, ed("second")))
	two.Threshold = 2
	one := two
	one.Threshold = 1
	l := lint(one)
	l.Claimed(claimed(two))
	wants(t, l, "refusal: PROJECT-CLAIMED, requests: ", moved+"the threshold of 2, which becomes 1")
	l = lint(two)
	l.Claimed(claimed(one))
	wants(t, l, "refusal: PROJECT-CLAIMED, requests: ")
	hashed := claimed(one)
	hashed.Paths, hashed.Prefixes = nil, []string{"00", "01"}
	l = lint(one)
	l.Claimed(hashed)
	wants(t, l, moved+"2 hash prefixes")
	if row, _ := check.Lookup("PROJECT-MOVED"); !row.Waivable() {
		t.Error("no plan can have a project move")
	}
}

// What is shown from metadata comes with its prefixes.
func TestMovedAgainst(t *testing.T) {
	e := entry(t, "requests")
	key, err := e.Keys[0].Public()
	must(t, err)
	d := ceremonytest.Delegations(t, []*tufmeta.Key{key}, tufmeta.Delegated{Role: tufmeta.Role{KeyIDs: []string{key.ID}, Threshold: 1}, Name: e.Role(), Prefixes: []string{"00"}})
	l := lint(e)
	l.Against(d, func(string) bool { return false })
	wants(t, l, "refusal: PROJECT-MOVED, requests: by the list it loses what claimed gives it: 1 hash prefixes")
}

// Where a project may go from one pattern to another, all that the one matches the
// other does.
func FuzzCovers(f *testing.F) {
	for _, seed := range [][3]string{{"p/requests/a*", "p/requests/a?", "p/requests/ab"}, {"*b*", "ab", "ab"}, {"a?c", "a*c", "axxc"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, now, had, text string) {
		before, after := entry(t, "requests"), entry(t, "requests")
		before.Paths, after.Paths = []string{had}, []string{now}
		l := lint(after)
		l.Claimed(claimed(before))
		for _, line := range l.Results() {
			if line.Check == "PROJECT-MOVED" {
				return
			}
		}
		match := func(pattern string) bool {
			ok, err := path.Match(pattern, text)
			return ok && err == nil
		}
		for _, r := range now + had {
			if r == '[' || r == '\\' || r == ']' || r > 0x7e { // no pattern of a list has one
				return
			}
		}
		if match(had) && !match(now) {
			t.Errorf("%q is had by %q, and not by %q", text, had, now)
		}
	})
}
