package review

import (
	"fmt"

	"tufceremony/ceremony/internal/check"
)

// shownResults is how many results of one check are told one by one: a payload can be
// wrong half a million times.
const shownResults = 1000

// bounded counts the rest of each check. They are as grave as the gravest of them.
func bounded(results []check.Result) []check.Result {
	var kept []check.Result
	seen, rest := map[string]int{}, map[string]*check.Result{}
	for _, x := range results {
		if seen[x.Check]++; seen[x.Check] <= shownResults {
			kept = append(kept, x)
			continue
		}
		if rest[x.Check] == nil {
			more := check.New(x.Check, "the rest", "")
			more.Level = x.Level
			rest[x.Check] = &more
		}
		if level := &rest[x.Check].Level; x.Level == check.Refusal || *level == check.Note {
			*level = x.Level
		}
	}
	for _, x := range kept {
		if more := rest[x.Check]; more != nil {
			more.Detail = fmt.Sprintf("%d more of these", seen[x.Check]-shownResults)
			kept = append(kept, *more)
			delete(rest, x.Check)
		}
	}
	return kept
}
