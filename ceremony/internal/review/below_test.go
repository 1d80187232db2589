package review

import (
	"fmt"
	"slices"
	"testing"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// delegating is a role that delegates to others, in their order.
func delegating(t *testing.T, names ...string) *tufmeta.Targets {
	t.Helper()
	roles := []any{}
	for _, name := range names {
		roles = append(roles, map[string]any{"keyids": []any{}, "name": name, "paths": []any{name + "/*"}, "terminating": false, "threshold": int64(1)})
	}
	d, err := tufmeta.ParseDelegations(map[string]any{"keys": map[string]any{}, "roles": roles})
	if err != nil {
		t.Fatal(err)
	}
	return &tufmeta.Targets{Delegations: d}
}

func changesBetween(t *testing.T, old, now []string) []Change {
	t.Helper()
	r := &reviewer{
		old: map[string]*published{"targets": {Targets: delegating(t, old...)}}, new: map[string]*tufmeta.Targets{"targets": delegating(t, now...)},
		changes: map[string]*below{}, sameBelow: map[string]bool{},
	}
	return r.delegationChanges("targets")
}

// Of many delegations, those are shown that change: not those that others were put in
// front of, or taken away from.
func TestManyDelegations(t *testing.T) {
	var old []string
	for i := range 30 {
		old = append(old, fmt.Sprintf("role-%02d", i))
	}
	for _, row := range []struct {
		what string
		now  []string
		want []string
	}{
		{"none changes", old, []string{"= delegations unchanged"}},
		{"the first goes", old[1:], []string{"- delegation role-00", "= delegations unchanged"}},
		{"one comes in front", append([]string{"new"}, old...), []string{"+ delegation new", "= delegations unchanged"}},
		{"the last is asked first", append([]string{"role-29"}, old[:29]...), []string{"~ delegation role-29", "= delegations unchanged"}},
		{"the first is asked last", append(slices.Clone(old[1:]), "role-00"), []string{"~ delegation role-00", "= delegations unchanged"}},
	} {
		var have []string
		for _, c := range changesBetween(t, old, row.now) {
			have = append(have, c.Mark+" "+c.What)
		}
		if !slices.Equal(have, row.want) {
			t.Errorf("%s: %q, want %q", row.what, have, row.want)
		}
	}
}

// However many change, the screen ends.
func TestMostDelegations(t *testing.T) {
	var old, now []string
	for i := range 2*shownSurprises + 5 {
		old, now = append(old, fmt.Sprint("old-", i)), append(now, fmt.Sprint("new-", i))
	}
	changes := changesBetween(t, old, now)
	if n := len(changes); n != 2*(shownSurprises+1) {
		t.Errorf("%d changes are shown", n)
	}
	for i, mark := range []string{"+", "-"} {
		if last := changes[len(changes)-2+i]; last.Mark != mark || last.New != "1005 more, found with --grep" {
			t.Errorf("%+v", last)
		}
	}
}

// Line feeds are looked for everywhere but in the PEM text of a key.
func TestTextOfDelegations(t *testing.T) {
	const pem = `"-----BEGIN PUBLIC KEY-----` + "\n" + `AA==` + "\n" + `-----END PUBLIC KEY-----` + "\n" + `"`
	for _, row := range []struct {
		in    stream.Place
		value string
		odd   bool
	}{
		{stream.Keys, `{"keytype":"ecdsa","keyval":{"public":` + pem + `},"scheme":"ecdsa-sha2-nistp256"}`, false},
		{stream.Keys, `{"keytype":"ecdsa","keyval":{"-----BEGIN a` + "\n" + `b":"x"},"scheme":"ecdsa-sha2-nistp256"}`, true},
		{stream.Roles, `{"keyids":[],"name":"a","threshold":1}`, false},
		{stream.Roles, `{"keyids":[],"name":"-----BEGIN a` + "\n" + `b","threshold":1}`, true},
	} {
		e := &entries{}
		if err := e.delegated(stream.Change{In: row.in, Kind: stream.Added, Name: []byte("k"), New: []byte(row.value)}); err != nil {
			t.Fatal(err)
		}
		if odd := len(e.results) > 0; odd != row.odd {
			t.Errorf("%s: %+v", row.value, e.results)
		}
	}
}
