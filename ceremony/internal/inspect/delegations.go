package inspect

import (
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/tufmeta"
)

// Delegations judges what a role delegates as a whole: its keys, and the names
// of its roles. By is the delegating role.
func Delegations(d *tufmeta.Delegations, by string) []check.Result {
	results := keys(d.Keys())
	seen := map[string]bool{}
	for _, x := range d.All() {
		name := tufmeta.Printable(x.Name)
		if slices.Contains(tufmeta.TopRoles, x.Name) {
			results = append(results, check.New("JSON-STRICT", by, "it delegates to \"%s\", a name that only the root gives", name))
		}
		if seen[x.Name] {
			results = append(results, check.New("JSON-STRICT", by, "it delegates to \"%s\" twice, and clients look at the first", name))
		}
		seen[x.Name] = true
	}
	return results
}

// Delegated judges keys and threshold of one delegated role; people says that
// people sign it, and not a machine.
func Delegated(keys map[string]*tufmeta.Key, x *tufmeta.Role, name string, people bool) []check.Result {
	return roleOf(keys, x, tufmeta.Printable(name), people)
}
