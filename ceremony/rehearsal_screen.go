package main

import (
	"fmt"
	"regexp"
	"strings"
)

// shorter leaves out what everybody has just seen another holder do.
func (r *rehearsal) shorter(args []string, screen string) string {
	if args[0] == "sign" && strings.HasPrefix(screen, "== ") {
		return r.shorterReviews(screen)
	}
	first, rest, steps := strings.Cut(screen, "\n\n1. ")
	_, last, ends := strings.Cut(rest, "\n\nDone. ")
	if args[0] != "token" || !steps || !ends {
		return screen
	}
	if !r.provisioned {
		r.provisioned = true
		return screen
	}
	return first + "\n[the same steps again: PIN, PUK, management key, key, attestation, certificate]\nDone. " + last
}

// show prints a screen. A review that everybody has just seen is not printed
// once more: the holders see it, the reader of the rehearsal need not.
func (r *rehearsal) show(screen string) {
	lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
	same := 0
	for same < len(lines) && same < len(r.before) && lines[same] == r.before[same] {
		same++
	}
	if strings.HasPrefix(lines[0], "Review: ") {
		r.before = lines
	}
	if same > 10 {
		fmt.Fprintf(r.env.out, "[the same review again, %d lines]\n", same)
		lines = lines[same:]
	}
	for _, line := range lines {
		fmt.Fprintln(r.env.out, line)
	}
}

// standbyReview is a review before a signature, without the blank line after it.
var standbyReview = regexp.MustCompile(`(?s)\nReview: .*?\n\nToken `)

// shorterReviews shows one review of a standby folder in full: the others say
// the same of other keys.
func (r *rehearsal) shorterReviews(screen string) string {
	return standbyReview.ReplaceAllStringFunc(screen, func(review string) string {
		if !r.reviewed {
			r.reviewed = true
			return review
		}
		return fmt.Sprintf("\n[its review, %d lines]\n\nToken ", strings.Count(review, "\n")-2)
	})
}
