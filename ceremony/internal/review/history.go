package review

import (
	"encoding/json"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/tufmeta"
)

// A signature is good for ever: whoever holds those of an event that was given
// up can publish it in the place of the one that was meant. So what a folder
// knows of earlier events must be named in the plan, where people read it.

// event compares what lies in the folder with what was drafted in it, and says
// what became of it.
func (r *reviewer) event() (aborted []check.Result) {
	chains, broken := record.Read(r.files)
	r.results = append(r.results, broken...)
	event := r.report.Event.String()
	missing := true
	for _, drafted := range record.Drafted(chains) {
		if _, earlier := r.plan.Superseded(drafted); earlier {
			continue
		}
		missing = false
		if drafted != event {
			r.say("EVENT-MISMATCH", "event", "the record says that event %s… was drafted; plan, trusted metadata and payloads now make %s…", drafted[:min(16, len(drafted))], event[:16])
		}
	}
	if missing {
		r.say("RECORD-MISSING", "record", "no draft is on record")
	}
	r.results = append(r.results, signedOnRecord(r.plan, chains, event)...)
	return check.Draft.Weigh(Aborted(chains, event))
}

// Aborted says of an event that it was given up, when and why: a result for
// each line of the record that says so.
func Aborted(chains []record.Chain, event string) []check.Result {
	var results []check.Result
	for _, l := range record.Aborted(chains, event) {
		r := check.New("ABORTED", "event", "it was given up on %s: %s", tufmeta.Printable(l.At), tufmeta.Printable(l.Reason))
		if !slices.Contains(results, r) {
			results = append(results, r)
		}
	}
	return check.Draft.Weigh(results)
}

// SignedBefore finds signatures of other events for what a plan makes, before
// anything is drafted: on record, or as files in signatures/.
func SignedBefore(p *plan.Plan, files folder.Files) []check.Result {
	chains, _ := record.Read(files)
	event := files.Event().String()
	results := signedOnRecord(p, chains, event)
	for _, name := range files.Names(folder.Signatures) {
		var f struct {
			Event   string `json:"event"`
			Role    string `json:"role"`
			Version int64  `json:"version"`
		}
		if json.Unmarshal(files[name], &f) == nil {
			results = add(results, superseding(p, folder.Version{Role: f.Role, Version: f.Version}, f.Event, event))
		}
	}
	return check.Draft.Weigh(results)
}

func signedOnRecord(p *plan.Plan, chains []record.Chain, event string) []check.Result {
	var results []check.Result
	for _, l := range record.Signed(chains) {
		results = add(results, superseding(p, folder.Version{Role: l.Role, Version: l.Version}, l.Event, event))
	}
	return results
}

// superseding judges a signature of another event, or nil where the plan names
// that event, or makes nothing of this version.
func superseding(p *plan.Plan, v folder.Version, signed, event string) *check.Result {
	_, named := p.Superseded(signed)
	if signed == event || named || signed == "" || !slices.Contains(made(p), v) {
		return nil
	}
	r := check.New("SUPERSEDES", v.String(), "it was signed in event %s…, and supersedes: in the plan does not name that event", tufmeta.Printable(signed[:min(16, len(signed))]))
	return &r
}

func add(results []check.Result, r *check.Result) []check.Result {
	if r == nil || slices.Contains(results, *r) {
		return results
	}
	return append(results, *r)
}

// made lists what a plan makes.
func made(p *plan.Plan) []folder.Version {
	var versions []folder.Version
	if p.Root != nil {
		versions = append(versions, folder.Version{Role: "root", Version: p.Root.Version})
	}
	for _, t := range p.TargetsRoles() {
		versions = append(versions, t.Payload())
	}
	return versions
}
