package main

import (
	"fmt"
	"io"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/tufmeta"
)

type promotionReport struct {
	Role      string         `json:"role"`
	Version   int64          `json:"version"`
	Projects  int            `json:"projects"`
	Keys      int            `json:"keys"`
	New       int            `json:"new"`
	Same      int            `json:"same"`
	Moved     int            `json:"moved"`
	Changed   int            `json:"changed"`
	Withdrawn []string       `json:"withdrawn"`
	First     string         `json:"first_until,omitempty"`
	Last      string         `json:"last_until,omitempty"`
	SHA256    string         `json:"sha256,omitempty"`
	Drafted   bool           `json:"drafted"`
	Warnings  []string       `json:"warnings"`
	Findings  []check.Result `json:"findings"`
}

// tell reports what is wrong with the list.
func (p *promotion) tell(w io.Writer, asJSON bool) error {
	if !asJSON {
		p.summary(w)
		printResults(w, p.results)
		return nil
	}
	l := p.linter
	_, first, last := projects.Ends(p.section.Claimed())
	return printJSON(w, promotionReport{
		Role: p.section.Name(), Version: p.section.Version, Projects: len(p.section.Claimed()), Keys: l.Keys(),
		New: l.Count(projects.New), Same: l.Count(projects.Same), Moved: l.Count(projects.Moved), Changed: l.Count(projects.Changed),
		Withdrawn: append([]string{}, p.section.Withdraw...), First: first, Last: last, SHA256: p.digest(), Drafted: p.drafted, Warnings: p.warnings(), Findings: append([]check.Result{}, p.results...),
	})
}

// warnings are what text says below the summary.
func (p *promotion) warnings() []string {
	if p.from == "" {
		return []string{}
	}
	return []string{p.from}
}

func (p *promotion) digest() string {
	if data, ok := p.files[p.section.Projects]; ok {
		return tufmeta.Digest(data)
	}
	return ""
}

// summary says how many projects are what.
func (p *promotion) summary(w io.Writer) {
	l := p.linter
	fmt.Fprintf(w, "%s, which will be version %d:\n", tufmeta.Printable(p.section.Name()), p.section.Version)
	for _, row := range []struct {
		what string
		n    int
	}{
		{"in the list", len(p.section.Claimed())}, {"new", l.Count(projects.New)}, {"as they are", l.Count(projects.Same)},
		{"with other paths", l.Count(projects.Moved)}, {"with other keys", l.Count(projects.Changed)}, {"withdrawn", len(p.section.Withdraw)},
	} {
		if row.n > 0 || row.what == "in the list" {
			fmt.Fprintf(w, "  %-17s %s\n", row.what, plural(row.n, "project"))
		}
	}
	if digest := p.digest(); digest != "" {
		ends, _, _ := projects.Ends(p.section.Claimed())
		fmt.Fprintf(w, "  %-17s %s\n", "keys in the list", plural(l.Keys(), "key"))
		fmt.Fprintf(w, "  %-17s %s\n", "proofs end", ends)
		fmt.Fprintf(w, "  SHA-256 of the list %s\n", digest)
	}
	for _, warning := range p.warnings() {
		wrapTo(w, "", "", warning)
	}
}
