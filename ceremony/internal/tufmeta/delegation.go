package tufmeta

import (
	"fmt"
	"strings"
)

// Trust in a delegated role comes down from targets, through one role or
// several. Here is who delegates to whom; whose signatures are good is for
// others to count.

// BinWidth is how many hex digits the number of a succinct bin has.
func BinWidth(bits int) int { return (bits + 3) / 4 }

// BinName is the name of a succinct bin.
func BinName(prefix string, bits int, number int64) string {
	return fmt.Sprintf("%s-%0*x", prefix, BinWidth(bits), number)
}

// IsBin reports whether a role is one of 2^bits succinct bins whose names begin
// with a prefix: "bin-3f".
func IsBin(role, prefix string, bits int) bool {
	digits, ok := strings.CutPrefix(role, prefix+"-")
	if !ok || len(digits) != BinWidth(bits) || strings.Trim(digits, "0123456789abcdef") != "" {
		return false
	}
	number := uint64(0)
	for _, c := range digits {
		number = number<<4 | uint64(strings.IndexRune("0123456789abcdef", c))
	}
	return number < 1<<bits
}

// Delegator is a role that delegates to another, with the keys and the
// threshold that it asks for.
type Delegator struct {
	Name    string
	Version int64
	Keys    map[string]*Key // those that Role names
	Role    *Role
}

// String names it with its version: "targets 3".
func (d Delegator) String() string { return fmt.Sprintf("%s %d", d.Name, d.Version) }

// Delegators lists who delegates to a role, out of metadata by role name, from
// targets downwards. A role that targets does not lead to delegates nothing:
// no client ever asks it.
func Delegators(metadata map[string]*Targets, role string) []Delegator {
	var all []Delegator
	seen := map[string]bool{"targets": true}
	for queue := []string{"targets"}; len(queue) > 0; queue = queue[1:] {
		from := metadata[queue[0]]
		if from == nil || from.Delegations == nil {
			continue
		}
		if d := from.Delegations.Find(role); d != nil && role != queue[0] {
			all = append(all, Delegator{queue[0], from.Version, from.Delegations.KeysOf(d.KeyIDs), &d.Role})
		}
		for name := range sorted(metadata) {
			if !seen[name] && from.Delegations.Find(name) != nil {
				seen[name] = true
				queue = append(queue, name)
			}
		}
	}
	return all
}
