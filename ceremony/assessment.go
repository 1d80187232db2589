package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/compromise"
	"tufceremony/ceremony/internal/tufmeta"
)

// printAssessment says what a compromise means to somebody who has just been
// woken up: the three sentences first, what they rest on after them.
func printAssessment(w io.Writer, a *compromise.Assessment) {
	fmt.Fprintf(w, "Case %s of root %d: %s.\n\n", a.Case, a.Root, a.Title())
	for _, s := range a.Sentences {
		wrapTo(w, "> ", "  ", s)
	}
	printHits(w, "In other hands:", a, false)
	printHits(w, "Weak, still their holders', to be replaced:", a, true)
	printCounts(w, a)
	if len(a.Warnings) > 0 {
		fmt.Fprintln(w, "\nMind:")
		for _, text := range a.Warnings {
			wrapTo(w, "  - ", "    ", text)
		}
	}
	fmt.Fprintf(w, "\nSteps, in this order; ceremony runbook emergency-%s is their page:\n", strings.ToLower(a.Case))
	for i, s := range a.Steps {
		fmt.Fprintln(w)
		wrapTo(w, fmt.Sprintf("%2d. ", i+1), "    ", s.Who)
		wrapTo(w, "    ", "    ", s.Do)
		for _, command := range s.Commands {
			printCommand(w, command)
		}
	}
}

// printCommand breaks a command as a shell takes it.
func printCommand(w io.Writer, command string) {
	const indent = "        "
	for line := indent + command; ; {
		at := strings.LastIndex(line[:min(len(line), width-2)], " ")
		if len(line) <= width || at <= len(indent)+2 {
			fmt.Fprintln(w, line)
			return
		}
		fmt.Fprintf(w, "%s \\\n", line[:at])
		line = indent + "  " + line[at+1:]
	}
}

func printHits(w io.Writer, title string, a *compromise.Assessment, weak bool) {
	first := true
	for _, h := range a.Hits {
		if h.Weak != weak {
			continue
		}
		if first {
			fmt.Fprintln(w, "\n"+title)
			first = false
		}
		wrapTo(w, "  ", "      ", fmt.Sprintf("%s: %s, by %s", compromise.Bring(h.Token), standing(h), tufmeta.Printable(strings.Join(h.By, ", "))))
		fmt.Fprintf(w, "      SHA-256 %s\n", h.Token.Key.Fingerprint())
	}
}

// standing lists the roles in which a key stands.
func standing(h compromise.Hit) string {
	roles := slices.Clone(h.Roles)
	for _, name := range h.Below.Roles {
		roles = append(roles, tufmeta.Printable(name)+" (delegated)")
	}
	return strings.Join(roles, ", ")
}

func printCounts(w io.Writer, a *compromise.Assessment) {
	fmt.Fprintf(w, "\n%-11s %9s %6s %15s %6s %9s %6s\n", "Keys of", "threshold", "keys", "in other hands", "weak", "can sign", "stay")
	for _, r := range a.Roles {
		fmt.Fprintf(w, "  %-9s %9d %6d %15d %6d %9d %6d\n", r.Name, r.Threshold, r.Keys, r.Compromised, r.Weak, r.Living, r.Kept)
	}
}

type assessmentHit struct {
	Token       string   `json:"token"`
	Holder      string   `json:"holder"`
	Device      string   `json:"device"`
	Fingerprint string   `json:"fingerprint"`
	Roles       []string `json:"roles"`
	Delegated   []string `json:"delegated"`
	By          []string `json:"by"`
	Weak        bool     `json:"weak"`
}

type assessmentReport struct {
	Case      string            `json:"case"`
	Root      int64             `json:"root"`
	Expires   string            `json:"expires"`
	Expired   bool              `json:"expired"`
	OutOfBand bool              `json:"out_of_band"`
	Sentences []string          `json:"sentences"`
	Hits      []assessmentHit   `json:"hits"`
	Roles     []compromise.Role `json:"roles"`
	Warnings  []string          `json:"warnings"`
	Steps     []compromise.Step `json:"steps"`
}

func assessmentJSON(a *compromise.Assessment) assessmentReport {
	out := assessmentReport{Case: a.Case, Root: a.Root, Expires: a.Expires, Expired: a.Expired, OutOfBand: a.OutOfBand(),
		Sentences: a.Sentences[:], Hits: []assessmentHit{}, Roles: a.Roles, Warnings: append([]string{}, a.Warnings...), Steps: a.Steps}
	for _, h := range a.Hits {
		out.Hits = append(out.Hits, assessmentHit{h.Token.Name, h.Token.Holder, h.Token.Device(), h.Token.Key.Fingerprint(), append([]string{}, h.Roles...), append([]string{}, h.Below.Roles...), h.By, h.Weak})
	}
	return out
}
