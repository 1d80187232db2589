package tufmeta_test

import (
	"fmt"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/tufmeta"
)

func TestIsBin(t *testing.T) {
	for _, row := range []struct {
		role string
		bits int
		want bool
	}{
		{"bin-0", 1, true}, {"bin-1", 1, true}, {"bin-2", 1, false}, {"bin-f", 4, true}, {"bin-0f", 4, false}, {"bin-1f", 5, true}, {"bin-20", 5, false},
		{"bin-3fff", 14, true}, {"bin-4000", 14, false}, {"bin-3FFF", 14, false}, {"bin-fff", 14, false}, {"bin-ffffffff", 32, true},
		{"bin", 4, false}, {"bin-", 4, false}, {"bin-g", 4, false}, {"bins-0", 4, false}, {"bin--0", 4, false},
	} {
		if have := tufmeta.IsBin(row.role, "bin", row.bits); have != row.want {
			t.Errorf("%s of %d bits: %t", row.role, row.bits, have)
		}
	}
	if first, last := tufmeta.BinName("bin", 14, 0), tufmeta.BinName("bin", 14, 1<<14-1); first != "bin-0000" || last != "bin-3fff" {
		t.Errorf("from %s to %s", first, last)
	}
}

// Only who is led to from targets delegates, and circles end.
func TestDelegators(t *testing.T) {
	to := func(names ...string) *tufmeta.Targets {
		var roles []tufmeta.Delegated
		for _, name := range names {
			if prefix, ok := strings.CutSuffix(name, "/2"); ok {
				roles = append(roles, tufmeta.Delegated{Name: prefix, Bits: 2})
			} else {
				roles = append(roles, tufmeta.Delegated{Name: name})
			}
		}
		return &tufmeta.Targets{Common: tufmeta.Common{Version: 1}, Delegations: ceremonytest.Delegations(t, nil, roles...)}
	}
	all := map[string]*tufmeta.Targets{
		"targets": to("a", "b"), "a": to("c", "a", "targets"), "b": to("c", "bin/2"), "c": to("a"), "bin-3": {},
		"lost": to("d", "a"), // nobody leads here
	}
	for role, want := range map[string]string{
		"a": "targets 1, c 1", "b": "targets 1", "c": "a 1, b 1", "d": "", "bin-3": "b 1", "bin-4": "", "bin": "", "targets": "a 1", "lost": "",
	} {
		var have []string
		for _, d := range tufmeta.Delegators(all, role) {
			have = append(have, fmt.Sprint(d))
		}
		if strings.Join(have, ", ") != want {
			t.Errorf("%s: %v, want %s", role, have, want)
		}
	}
}

// A name is found by itself, among others that are long, odd, or there twice.
func TestFindByName(t *testing.T) {
	var roles []tufmeta.Delegated
	for i := range 5000 {
		roles = append(roles, tufmeta.Delegated{Name: fmt.Sprintf("%d \"\\é", i%4999)})
	}
	d := ceremonytest.Delegations(t, nil, roles...)
	for i := range 4999 {
		if place, ok := d.Place(fmt.Sprintf("%d \"\\é", i)); !ok || place != i {
			t.Fatalf("%d is found at %d, %v", i, place, ok)
		}
	}
	if _, ok := d.Place("4999 \"\\é"); ok {
		t.Error("one that is not there is found")
	}
}
