package compromise_test

import (
	"errors"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/compromise"
	"tufceremony/ceremony/internal/roster"
)

// delegated is the repository of the tests, where holder-5 has a second token, whose
// key stands in a delegation alone.
func delegated(t *testing.T) compromise.Known {
	t.Helper()
	k := known(t)
	h := &k.Roster.Holders[4]
	h.Tokens = append(h.Tokens, &roster.Token{Name: "claims-5", Holder: h.Name, Serial: "5555", Key: ceremonytest.Object(t, "once-1")})
	k.Below = map[string]roster.Below{"claims-5": {Roles: []string{"claimed"}, By: []string{"targets"}, IDs: []string{"c1a1"}}}
	return k
}

// A key is found in delegations by its holder, its device and itself, and then
// targets is signed anew, since no root takes it out there. The role that is
// delegated is nothing that a root knows.
func TestBelow(t *testing.T) {
	for selectors, want := range map[string]string{
		"holder:holder-5":                 "holder-5 claims-5",
		"holder:holder-4 device:5555":     "holder-4 claims-5",
		"holder:holder-4 device:00005555": "holder-4 claims-5",
		"holder:holder-4 key:c1a1":        "holder-4 claims-5",
		"holder:holder-4 key:" + ceremonytest.Object(t, "once-1").Fingerprint(): "holder-4 claims-5",
		"holder:holder-4": "holder-4",
	} {
		a, err := assess(t, delegated(t), strings.Fields(selectors)...)
		if err != nil {
			t.Fatal(err)
		}
		if have := strings.Join(a.Tokens(), " "); have != want {
			t.Errorf("%s finds %q, want %q", selectors, have, want)
		}
		found := strings.Contains(want, "claims-5")
		if a.SignsTargets() != found {
			t.Errorf("%s: targets is signed anew: %t", selectors, a.SignsTargets())
		}
		if says := strings.Contains(strings.Join(a.Warnings, "\n"), "signs claimed too, delegated by targets, and no root changes that"); says != found {
			t.Errorf("%s says %q", selectors, a.Warnings)
		}
	}
	for typed, want := range map[string]string{
		"device:5555":  "root 1 does not know the key of holder-5 (claims-5), serial 5555: it stands in a delegation alone, and signs claimed",
		"role:claimed": "root 1 has no such role",
	} {
		_, err := assess(t, delegated(t), typed)
		var e *compromise.Error
		if !errors.As(err, &e) || !strings.Contains(e.Error(), want) {
			t.Errorf("%s: %v", typed, err)
		}
	}
}
