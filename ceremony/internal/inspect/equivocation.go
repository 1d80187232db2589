package inspect

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
)

// Copy is a metadata file under the name by which people know it.
type Copy struct {
	Name     string
	Envelope *tufmeta.Envelope
}

// Equivocation compares two files of one role and version. What was signed is
// compared, since published copies differ in white space and in signatures.
// Where it differs, the result names the keys that signed both, out of the keys
// of any root that is given; who turns a fingerprint into words.
func Equivocation(subject string, a, b Copy, keys []map[string]*tufmeta.Key, who func(fingerprint string) string) (check.Result, bool) {
	if spool.Equal(a.Envelope.Canonical, b.Envelope.Canonical) {
		return check.Result{}, false
	}
	var names []string
	for _, f := range SignedBoth(a.Envelope, b.Envelope, keys) {
		names = append(names, who(f))
	}
	both := "no key has signed both: others signed the one than the other, or they are of two repositories"
	if len(names) > 0 {
		both = "both are signed by " + strings.Join(names, "; ")
	}
	return check.NewRefusal("EQUIVOCATION", subject, "%s and %s are two of one version, and say different things; %s", tufmeta.Printable(a.Name), tufmeta.Printable(b.Name), both), true
}

// SignedBoth lists the public keys with a valid signature on either file, by
// fingerprint.
func SignedBoth(a, b *tufmeta.Envelope, keys []map[string]*tufmeta.Key) []string {
	first, second := signers(a, keys), signers(b, keys)
	maps.DeleteFunc(first, func(f string, _ bool) bool { return !second[f] })
	return slices.Sorted(maps.Keys(first))
}

func signers(e *tufmeta.Envelope, keys []map[string]*tufmeta.Key) map[string]bool {
	found := map[string]bool{}
	for _, s := range e.Signatures {
		sig, err := hex.DecodeString(s.Sig)
		if err != nil {
			continue
		}
		for _, known := range keys {
			if key := known[s.KeyID]; key != nil && key.Verify(e.Canonical, sig) == nil {
				found[key.Fingerprint()] = true
			}
		}
	}
	return found
}
