package main

import (
	"fmt"
	"regexp"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/review"
)

// grepReview shows the targets and delegated roles that match a pattern, whether
// they change or stay. It is a search, not the review.
func grepReview(env *environment, report *review.Report, pattern string) error {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return hint(fmt.Errorf("searching for %q: %w", pattern, err), "the pattern is a regular expression of Go (RE2); put \\Q before text that is meant as it is")
	}
	found, in := 0, folder.Version{}
	err = report.Search(wanted, func(m review.Match) error {
		if m.Version != in {
			fmt.Fprintf(env.out, "%s\n", m.File())
			in = m.Version
		}
		found++
		printChange(env.out, m.Change)
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(env.out, "Found: %d. This is a search, and not the review.\n", found)
	return nil
}
