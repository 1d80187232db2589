// Package inspect says what can be said of metadata from its bytes alone:
// findings about one root or targets, and whether several roots are a chain.
//
//	results := inspect.Root(root, at)        // about keys, roles and expiry
//	chain, err := inspect.Chain(roots, at)   // any order in, version order out
//
// Results come without a level: the same fault weighs differently in what is
// being drafted and in what was published long ago (package check).
//
// It trusts nothing and nobody: a chain that holds is a chain, and whether its
// first root is the right one is for the caller to know.
package inspect

import (
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/tufmeta"
)

// farDays is the age from which EXPIRES-FAR speaks: a year and a month.
const farDays = 400

// offline are the roles that people sign.
var offline = []string{"root", "targets"}

// Root judges keys, roles and expiry of a root as they stand at a time.
func Root(root *tufmeta.Root, at time.Time) []check.Result {
	results := Common(root.Common, "root", at)
	results = append(results, keys(root.ListedKeys())...)
	for _, name := range tufmeta.TopRoles {
		results = append(results, role(root, name)...)
	}
	return append(results, reuse(root)...)
}

// specVersion is what every client takes: python-tuf refuses a root that says
// anything else.
var specVersion = regexp.MustCompile(`^1\.[0-9]{1,6}(\.[0-9]{1,6})?$`)

// Common judges the expiry and the spec version of any role.
func Common(c tufmeta.Common, subject string, at time.Time) []check.Result {
	var results []check.Result
	if !tufmeta.WellFormedTime(c.Expires) {
		results = append(results, check.New("EXPIRES-FORMAT", subject, "expires is \"%s\"", tufmeta.Printable(c.Expires)))
	}
	if c.Version < 1 {
		results = append(results, check.New("VERSION-SEQUENCE", subject, "version is %d, and the first is 1", c.Version))
	}
	if !specVersion.MatchString(c.Spec) {
		results = append(results, check.New("JSON-STRICT", subject, "spec_version is \"%s\", and version 1 is the one there is", tufmeta.Printable(c.Spec)))
	}
	expires, err := c.ExpiresAt()
	switch {
	case err != nil:
		results = append(results, check.New("JSON-STRICT", subject, "%v", err))
	case !expires.After(at):
		results = append(results, check.New("EXPIRES-PAST", subject, "its expiry %s is %s before %s", c.Expires, Days(expires, at), at.Format(tufmeta.TimeFormat)))
	case expires.After(at.AddDate(0, 0, farDays)):
		results = append(results, check.New("EXPIRES-FAR", subject, "expires on %s, in %s", c.Expires, Days(at, expires)))
	}
	return results
}

// Days says how many days lie between two times, as people plan. (A Duration
// ends at 292 years, and there are roots that do not.)
func Days(from, to time.Time) string {
	switch days := (to.Unix() - from.Unix()) / (24 * 60 * 60); days {
	case 0:
		return "less than a day"
	case 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", days)
	}
}

func keys(keys iter.Seq2[string, *tufmeta.Key]) []check.Result {
	var results []check.Result
	first := map[string]string{}
	for id, k := range keys {
		subject := tufmeta.Printable(id)
		if !k.IDMatches() {
			computed, _ := tufmeta.KeyID(k.Object)
			results = append(results, check.New("KEYID-MISMATCH", subject, "the key object has the key ID %s", computed))
		}
		weak := k.Weak()
		if weak != nil {
			results = append(results, check.New("KEY-WEAK", subject, "%v", weak))
		}
		switch {
		case k.Err != nil && weak != nil:
			continue
		case k.Err != nil:
			results = append(results, check.New("KEY-TYPE", subject, "%v", k.Err))
			continue
		case !k.Standard():
			results = append(results, check.New("KEY-TYPE", subject, "key type \"%s\" or its encoding is that of earlier tools", tufmeta.Printable(k.Type)))
		}
		if !k.Portable() {
			results = append(results, check.New("KEY-PORTABLE", subject, "scheme \"%s\" is not verified by every client", tufmeta.Printable(k.Scheme)))
		}
		if other, twice := first[k.Fingerprint()]; twice {
			results = append(results, check.New("KEY-SHARED", subject, "is the same public key as key ID %s", other))
		}
		first[k.Fingerprint()] = subject
	}
	return results
}

func role(root *tufmeta.Root, name string) []check.Result {
	r := root.Roles[name]
	if r == nil {
		return []check.Result{check.New("JSON-STRICT", name, "the root does not name the role")}
	}
	return roleOf(root.Keys, r, name, slices.Contains(offline, name))
}

// roleOf judges a list of keys with its threshold; people says that people sign
// the role, and not a machine.
func roleOf(keys map[string]*tufmeta.Key, r *tufmeta.Role, name string, people bool) []check.Result {
	var results []check.Result
	distinct := map[string]bool{}
	for i, id := range r.KeyIDs {
		switch key := keys[id]; {
		case slices.Contains(r.KeyIDs[:i], id):
			results = append(results, check.New("KEY-SHARED", name, "lists key ID %s twice", tufmeta.Printable(id)))
		case key == nil:
			results = append(results, check.New("KEY-TYPE", name, "lists key ID %s, which is not among the keys", tufmeta.Printable(id)))
		case key.Err == nil:
			distinct[key.Fingerprint()] = true
		}
	}
	have := len(distinct)
	switch {
	case r.Threshold < 1 || r.Threshold > have:
		results = append(results, check.New("THRESHOLD-NEW", name, "threshold is %d, and the role has %d usable keys", r.Threshold, have))
	case people:
		if r.Threshold == 1 {
			results = append(results, check.New("THRESHOLD-ONE", name, "one signature is enough"))
		}
		if have-r.Threshold <= 1 {
			results = append(results, check.New("THRESHOLD-MARGIN", name, "%d keys for a threshold of %d: %s", have, r.Threshold, margin(have-r.Threshold)))
		}
	}
	return results
}

func margin(spare int) string {
	if spare < 1 {
		return "no key may be lost"
	}
	return "one key may be lost, not two"
}

// reuse finds keys of offline roles in online ones: one result a role.
func reuse(root *tufmeta.Root) []check.Result {
	owner := map[string]string{}
	for _, name := range offline {
		for _, fingerprint := range Fingerprints(root, name) {
			if owner[fingerprint] == "" {
				owner[fingerprint] = name
			}
		}
	}
	var results []check.Result
	for _, name := range []string{"snapshot", "timestamp"} {
		count, of := 0, ""
		for _, fingerprint := range Fingerprints(root, name) {
			if owner[fingerprint] != "" {
				count, of = count+1, owner[fingerprint]
			}
		}
		if count > 0 {
			results = append(results, check.New("ROLE-KEY-REUSE", name, "%d of its keys also sign %s", count, of))
		}
	}
	return results
}

// Fingerprints lists the distinct public keys of a role, in the root's order.
func Fingerprints(root *tufmeta.Root, name string) []string {
	return FingerprintsOf(root.Keys, root.Roles[name])
}

// FingerprintsOf lists the distinct public keys of a role out of those that are
// listed beside it.
func FingerprintsOf(keys map[string]*tufmeta.Key, r *tufmeta.Role) []string {
	var out []string
	if r == nil {
		return nil
	}
	for _, id := range r.KeyIDs {
		if key := keys[id]; key != nil && key.Err == nil && !slices.Contains(out, key.Fingerprint()) {
			out = append(out, key.Fingerprint())
		}
	}
	return out
}

// FingerprintsIn lists the distinct public keys of a role that is delegated to.
func FingerprintsIn(d *tufmeta.Delegations, x *tufmeta.Delegated) []string {
	return FingerprintsOf(d.KeysOf(x.KeyIDs), &x.Role)
}

// Text finds text that does not look like what it is, and in new metadata
// member names outside ASCII, which clients sort differently. The values of
// PEM keys have line feeds and are passed over.
func Text(v any, subject string, ascii bool) []check.Result {
	var results []check.Result
	walk(v, "", func(at, text string, member bool) {
		switch {
		case strings.HasPrefix(text, "-----BEGIN ") && !member && !tufmeta.Unsafe(strings.ReplaceAll(text, "\n", "")):
		case ascii && tufmeta.Padded(text) && !strings.HasPrefix(text, "-----BEGIN "):
			results = append(results, check.New("TEXT-UNSAFE", subject, "%s has blanks at an end, or two in a row: \"%s\"", tufmeta.Printable(at), tufmeta.Printable(text)))
		case tufmeta.Unsafe(text):
			results = append(results, check.New("TEXT-UNSAFE", subject, "%s has the text \"%s\"", tufmeta.Printable(at), tufmeta.Printable(text)))
		case ascii && member && strings.IndexFunc(text, func(r rune) bool { return r > 0x7e }) >= 0:
			results = append(results, check.New("JSON-STRICT", subject, "member name \"%s\" in %s is not ASCII, and clients sort such names differently", text, tufmeta.Printable(at)))
		}
	})
	return results
}

func walk(v any, at string, visit func(at, text string, member bool)) {
	switch v := v.(type) {
	case string:
		visit(at, v, false)
	case []any:
		for i, e := range v {
			walk(e, fmt.Sprintf("%s[%d]", at, i), visit)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			visit(at, name, true)
			walk(v[name], strings.TrimPrefix(at+"."+name, "."), visit)
		}
	}
}
