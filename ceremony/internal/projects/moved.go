package projects

import (
	"fmt"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/tufmeta"
)

// A developer's proof speaks of a key, and not of paths or a threshold: a line of
// an earlier list with others has proofs as good as ever. So what a project that
// is delegated to loses by the list is asked of the list alone.

// loses says what a project has by a delegation, and has no more by the list: each
// of its paths that no pattern of the list covers, its hash prefixes, and how many
// must sign.
func (e Entry) loses(d Delegation) []string {
	var lost []string
	for _, path := range d.Paths {
		if !slices.ContainsFunc(e.Paths, func(pattern string) bool { return covers(pattern, path) }) {
			lost = append(lost, fmt.Sprintf("the path \"%s\"", tufmeta.Printable(path)))
		}
	}
	if n := len(d.Prefixes); n > 0 {
		lost = append(lost, fmt.Sprintf("%d hash prefixes", n))
	}
	if e.Threshold < d.Threshold {
		lost = append(lost, fmt.Sprintf("the threshold of %d, which becomes %d", d.Threshold, e.Threshold))
	}
	return lost
}

// moved says which projects of the list lose something.
func (l *Linter) moved(i int, role string) []check.Result {
	if lost := l.lost[i]; len(lost) > 0 {
		return []check.Result{check.New("PROJECT-MOVED", l.entries[i].Name(), "by the list it loses what %s gives it: %s", role, few(lost))}
	}
	return nil
}

// covers reports whether a pattern matches every path that another one matches.
// It says no where it does not know.
func covers(pattern, other string) bool {
	x, y := strings.Split(pattern, "/"), strings.Split(other, "/")
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !within(x[i], y[i]) {
			return false
		}
	}
	return true
}

// within is how a shell matches a pattern's part, with the other part as the text:
// its own * and ? are letters that nothing but * and, of ?, another ? stands for.
func within(pattern, text string) bool {
	p, at, star, from := 0, 0, -1, 0
	for at < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, at
			p++
		case p < len(pattern) && text[at] != '*' && (pattern[p] == text[at] || pattern[p] == '?'):
			p++
			at++
		case star >= 0: // the last * takes one letter more
			from++
			p, at = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
