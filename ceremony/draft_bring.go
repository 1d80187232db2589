package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// printBring says, where keys change and people come with more than one device,
// which of them each brings, and what becomes of the thresholds under both roots
// if one does not come.
func printBring(w io.Writer, report *review.Report) {
	if k := report.Plan.Kind; k != plan.Rotation && k != plan.Revocation {
		return
	}
	fmt.Fprintln(w, "\nBring:")
	for _, h := range report.Plan.Roster.Holders {
		first := true
		for _, t := range h.Tokens {
			signs := signsWith(report.Demands, &report.Plan.Roster, t)
			if len(signs) == 0 || !t.CanSign() {
				continue
			}
			if first {
				fmt.Fprintf(w, "  %s\n", tufmeta.Printable(h.Name))
				first = false
			}
			wrapTo(w, "    - ", "      ", fmt.Sprintf("%s (token %s): %s", deviceOf(t), t.Name, strings.Join(signs, ", ")))
		}
	}
	fmt.Fprintln(w, "\nIf one of them does not come:")
	printAbsent(w, report)
}

// deviceOf is the device to bring, as far as the plan knows it.
func deviceOf(t *roster.Token) string {
	model := tufmeta.Printable(t.Model)
	if model == "" {
		model = "the device"
	}
	if t.DeviceSerial() == "" {
		return model + ", serial unknown"
	}
	return model + " serial " + tufmeta.Printable(t.DeviceSerial())
}

// signsWith lists what a token's key signs: "2.root for the old root and the new".
func signsWith(demands []quorum.Demand, r *roster.Roster, t *roster.Token) []string {
	roots := map[string][]string{}
	var payloads []string
	for _, d := range demands {
		if !slices.ContainsFunc(d.Members(r), func(m quorum.Member) bool { return m.Token == t }) {
			continue
		}
		payload := d.Payload.String()
		if roots[payload] == nil {
			payloads = append(payloads, payload)
		}
		roots[payload] = append(roots[payload], underOf(d))
	}
	for i, payload := range payloads {
		payloads[i] = payload + " under " + strings.Join(roots[payload], " and ")
	}
	return payloads
}

// underOf names the root whose threshold a demand is.
func underOf(d quorum.Demand) string {
	switch {
	case d.Old:
		return "the old root"
	case d.Payload.Role == "root":
		return "the new root"
	}
	return d.Whose()
}

// absent is who may not come: a device, or a holder with several of them.
type absent struct {
	name   string
	tokens []*roster.Token
}

// printAbsent counts each threshold again without each device, and without each
// holder who brings several. What still holds is said together.
func printAbsent(w io.Writer, report *review.Report) {
	r := &report.Plan.Roster
	fails, comes := 0, 0
	for _, a := range absentees(report) {
		comes++
		var counts []string
		failed := false
		for _, d := range report.Demands {
			able, lost := d.Able(r), 0
			for _, m := range d.Members(r) {
				if m.CanSign() && slices.Contains(a.tokens, m.Token) {
					lost++
				}
			}
			if lost == 0 {
				continue
			}
			text := fmt.Sprintf("%s under %s: %d left, %d must sign", d.Payload, underOf(d), able-lost, d.Role.Threshold)
			if able-lost < d.Role.Threshold {
				text, failed = text+", FAILS", true
			}
			counts = append(counts, text)
		}
		if failed {
			fails++
			wrapTo(w, "  - ", "    ", a.name+": "+strings.Join(counts, "; "))
		}
	}
	switch {
	case comes == 0:
		fmt.Fprintln(w, "  nobody can come")
	case fails == 0:
		wrapTo(w, "  ", "  ", "any one may stay away, with every device: all thresholds can still be reached under both roots. "+slack(report))
	case fails < comes:
		wrapTo(w, "  ", "  ", "any other may stay away; for a second one with it, count again.")
	}
}

// slack says how many more may stay away at the tightest threshold.
func slack(report *review.Report) string {
	least, at := 0, ""
	for i, d := range report.Demands {
		if spare := d.Able(&report.Plan.Roster) - d.Role.Threshold; i == 0 || spare < least {
			least, at = spare, fmt.Sprintf("%s under %s", d.Payload, underOf(d))
		}
	}
	return fmt.Sprintf("The tightest is %s: %d may.", at, least)
}

// absentees lists each token that can sign, and after it each holder with more
// than one.
func absentees(report *review.Report) []absent {
	var all []absent
	for _, h := range report.Plan.Roster.Holders {
		var tokens []*roster.Token
		for _, t := range h.Tokens {
			if t.CanSign() && len(signsWith(report.Demands, &report.Plan.Roster, t)) > 0 {
				tokens = append(tokens, t)
				all = append(all, absent{t.Describe(), []*roster.Token{t}})
			}
		}
		if len(tokens) > 1 {
			all = append(all, absent{fmt.Sprintf("%s, with %d tokens", tufmeta.Printable(h.Name), len(tokens)), tokens})
		}
	}
	return all
}
