package inspect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/tufmeta"
)

// namedDrops is how many files a result names before it counts.
const namedDrops = 5

// Drops compares a snapshot with one before it: clients that have the earlier
// one refuse the later one where a file is no longer listed, or with a lower
// version. Whether they still go by the earlier one is for the caller to know:
// where both online keys were replaced they do not.
func Drops(subject string, earlier, later *tufmeta.Snapshot) []check.Result {
	var gone, lower []string
	for _, name := range slices.Sorted(maps.Keys(earlier.Meta)) {
		before := earlier.Meta[name].Version
		now, listed := later.Meta[name]
		switch {
		case !listed:
			gone = append(gone, tufmeta.Printable(name))
		case now.Version < before:
			lower = append(lower, fmt.Sprintf("%s (%d, and %d before)", tufmeta.Printable(name), now.Version, before))
		}
	}
	var results []check.Result
	if len(gone) > 0 {
		results = append(results, check.New("SNAPSHOT-DROP", subject, "it no longer lists %s, which snapshot %d lists", Few(gone), earlier.Version))
	}
	if len(lower) > 0 {
		results = append(results, check.New("SNAPSHOT-DROP", subject, "it lists a lower version than snapshot %d: %s", earlier.Version, Few(lower)))
	}
	return results
}

// Few names the first of many.
func Few(names []string) string {
	if more := len(names) - namedDrops; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namedDrops], ", "), more)
	}
	return strings.Join(names, ", ")
}
