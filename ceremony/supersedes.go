package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
)

// supersede takes the history of an earlier folder into a new one: its record,
// and its events into the plan, each with a reason that is left to people. It
// gives what to tell them.
func supersede(p *plan.Plan, files folder.Files, dir string) (advice []string, err error) {
	if dir == "" {
		return nil, nil
	}
	old, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	before, err := readPlan(old)
	if err != nil {
		return nil, err
	}
	chains, broken := record.Read(old)
	if err := check.Refuse(check.Draft.Weigh(broken)); err != nil {
		return nil, err
	}
	events := eventsOf(old, chains)
	if len(events) == 0 {
		return nil, hint(fmt.Errorf("superseding %q: nothing was drafted there", dir), "leave --supersedes out: no signature of it can exist")
	}
	for _, event := range events {
		if !wholeID.MatchString(event) {
			return nil, check.Refused("RECORD-BROKEN", folder.Record, "it speaks of an event \"%s\", which is no event ID", tufmeta.Printable(event))
		}
		reason, _ := before.Superseded(event)
		p.Supersedes = append(p.Supersedes, plan.Superseded{Event: event, Reason: reason})
	}
	for _, name := range old.Names(folder.Record) {
		files[name] = old[name]
	}
	advice = []string{"Its plan supersedes the earlier event, and its record has what was done there. Write under supersedes: why that event was given up."}
	if len(aborted(old)) == 0 {
		advice = append(advice, fmt.Sprintf("The earlier event is not aborted, so copies of it can still be signed: ceremony abort %s --reason TEXT", dir))
	}
	return advice, nil
}

var wholeID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// eventsOf lists the events that a folder knows of: on record, in signatures,
// and the one that lies there.
func eventsOf(files folder.Files, chains []record.Chain) []string {
	var events []string
	add := func(event string) {
		if !slices.Contains(events, event) {
			events = append(events, event)
		}
	}
	for _, c := range chains {
		for _, l := range c.Lines {
			add(l.Event)
		}
	}
	for _, name := range files.Names(folder.Signatures) {
		if f, err := sign.Parse(name, files[name]); err == nil {
			add(f.Event)
		}
	}
	if len(files.Names(folder.Payload)) > 0 {
		add(files.Event().String())
	}
	return events
}

// printSupersedes names the events of which no signature may be published.
func printSupersedes(w io.Writer, p *plan.Plan) {
	for _, s := range p.Supersedes {
		wrapTo(w, "", "  ", "This event supersedes one that was given up: "+tufmeta.Printable(s.Reason))
		fmt.Fprintf(w, "    %s\n", s.Event)
	}
}
