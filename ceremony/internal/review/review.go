// Package review reads what is about to be signed and says what it is: what
// changes against the trusted metadata, what is wrong with it, and the event ID
// that stands for all of it. Only a review makes an Approval, and nothing is
// signed without one.
//
//	report, err := review.Review(files)
//	approval, err := report.Approve("typed four words here", now)
//
// It reads the bytes in trusted/ and payload/ and compares them with the plan;
// it shares nothing with the code that drafted them.
//
// It will not approve what the checks refuse, whatever is typed. Review itself
// reads no clock: times are judged from the opening of the signing window, so
// everybody who reviews sees the same.
package review

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// Report is what a review found.
type Report struct {
	Plan      *plan.Plan
	Event     folder.Event
	Trusted   []Document // the newest of each role in trusted/: what all of this goes on from
	Documents []Document
	Results   []check.Result // weighed, waivers applied
	Demands   []quorum.Demand
	Devices   []evidence.Device // of the holders' tokens, in the order of the plan
	Once      []evidence.Once   // the one-time keys of this event, and what became of them
	Externals []External        // other repositories, in the order of the plan
	files     folder.Files
}

// Document is one payload, with what it changes.
type Document struct {
	folder.Version
	Payload []byte
	Digest  string // SHA-256 in hex
	Words   string // the same in PGP words
	Changes []Change
}

// Change is one difference to the trusted metadata, or one thing that stays.
// Old is empty for what is new, New for what goes. Key is the fingerprint,
// where the change is about a key.
type Change struct {
	Mark string `json:"mark"` // "=", "+", "-" or "~"
	What string `json:"what"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
	Key  string `json:"key,omitempty"`
}

// Review reads a ceremony folder. An error means that it could not be read;
// what is wrong with what was read are Results.
func Review(files folder.Files) (*Report, error) {
	p, err := plan.Parse(files[folder.Plan])
	if err != nil {
		return nil, err
	}
	if err := p.Roster.LoadKeys(files); err != nil {
		return nil, err
	}
	if err := p.LoadLists(files); err != nil {
		return nil, err
	}
	if err := p.CheckExternals(files); err != nil {
		return nil, err
	}
	versions, err := files.Versions(folder.Payload)
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 {
		return nil, errors.New("reviewing: payload/ is empty, nothing has been drafted")
	}
	r := &reviewer{files: files, plan: p, report: &Report{Plan: p, Event: files.Event(), files: files}, old: map[string]*published{}, new: map[string]*tufmeta.Targets{}, changes: map[string]*below{}, claimed: map[string]bool{}, sameBelow: map[string]bool{}, entries: map[folder.Version]*entries{}}
	r.compareAll(versions)
	if err := r.trusted(); err != nil {
		return nil, err
	}
	if err := r.externals(); err != nil {
		return nil, err
	}
	r.expected(versions)
	for _, v := range versions {
		r.document(v)
	}
	r.evidence()
	r.people()
	r.delegated()
	r.limits()
	r.revoked()
	r.oneTime()
	aborted := r.event()
	check.Draft.Weigh(r.results)
	r.stillToSign()
	r.report.Results = bounded(check.Waive(slices.Concat(aborted, r.trustedResults, r.results), p.Waivers))
	return r.report, nil
}

type reviewer struct {
	files          folder.Files
	plan           *plan.Plan
	report         *Report
	oldRoot        *tufmeta.Root
	oldRootTree    map[string]any
	old            map[string]*published       // targets and delegated roles in trusted/, the newest of each
	new            map[string]*tufmeta.Targets // those in payload/
	changes        map[string]*below           // of those in payload/; see below
	listedBelow    map[string]string           // see trustsBelow
	claimed        map[string]bool             // delegated roles that are projects of a list
	sameBelow      map[string]bool             // roles whose delegations are as they were, to the byte
	entries        map[folder.Version]*entries // what was found in each payload, entry by entry
	newRoot        *tufmeta.Root
	foreign        foreign
	results        []check.Result
	trustedResults []check.Result // about published metadata, weighed as such
}

func (r *reviewer) say(id, subject, format string, args ...any) {
	r.results = append(r.results, check.New(id, subject, format, args...))
}

// trusted reads trusted/ and checks that it is a chain of signed roots, and
// that the targets there is signed by the last of them.
func (r *reviewer) trusted() error {
	versions, err := r.files.Versions(folder.Trusted)
	if err != nil {
		return err
	}
	var roots []inspect.File
	for _, v := range versions {
		name := folder.Trusted + "/" + v.File()
		switch v.Role {
		case "root":
			roots = append(roots, inspect.File{Name: name, Data: r.files[name]})
		case "snapshot", "timestamp":
			return fmt.Errorf("reading %q: this ceremony has no use for such a file; remove it", name)
		default:
			if err := r.readTargets(name, v); err != nil {
				return fmt.Errorf("reading \"%s\": %w", tufmeta.Printable(name), err)
			}
		}
	}
	chain, err := inspect.Chain(roots, r.plan.Opens)
	if err != nil {
		return err
	}
	r.trustedResults = append(r.trustedResults, chain.Broken...)
	if len(chain.Links) > 0 {
		last := chain.Last()
		r.oldRoot, r.oldRootTree = last.Root, last.Envelope.Signed
		r.goesOnFrom("root", last.Root.Version, last.Envelope.Canonical)
		r.trustedResults = append(r.trustedResults, last.Results...)
		r.trustedRootExpired()
	}
	r.trustedTargets()
	r.trustedDelegated()
	for i := range r.trustedResults {
		r.trustedResults[i].Subject = "trusted " + r.trustedResults[i].Subject
	}
	return nil
}

// trustedRootExpired weighs an expired root as what it is to this ceremony: a
// rotation mends it, a targets ceremony signs for nobody.
func (r *reviewer) trustedRootExpired() {
	for i := range r.trustedResults {
		if x := &r.trustedResults[i]; x.Check == "EXPIRES-PAST" && r.plan.Kind == plan.Targets {
			x.Level = check.Draft.Level(*x)
		}
	}
}

// published is targets, or a delegated role, as it was published.
type published struct {
	*tufmeta.Targets
	head *stream.Head
}

func (r *reviewer) readTargets(name string, v folder.Version) error {
	head, err := stream.ReadEnvelope(r.files[name])
	if err != nil {
		return err
	}
	targets, err := head.Parse()
	if err != nil {
		return err
	}
	if targets.Version != v.Version {
		return fmt.Errorf("the file says version %d", targets.Version)
	}
	r.old[v.Role] = &published{targets, head}
	return nil
}

// goesOnFrom notes what is trusted by the digest of what was signed: it stands
// in the minutes of the ceremony before, and a stick could bring another.
func (r *reviewer) goesOnFrom(role string, version int64, signed []byte) {
	v := folder.Version{Role: role, Version: version}
	r.report.Trusted = append(r.report.Trusted, newDocument(v, signed))
}

func (r *reviewer) trustedTargets() {
	old := r.old["targets"]
	if old == nil || r.oldRoot == nil {
		return
	}
	r.goesOnFrom("targets", old.Version, old.head.Canonical)
	tally := tufmeta.Count(old.head.Canonical, old.head.Signatures, r.oldRoot.Keys, r.oldRoot.Roles["targets"])
	if !tally.Reached() {
		r.trustedResults = append(r.trustedResults, check.NewRefusal("THRESHOLD-NEW", "targets", "has %d valid signatures under root %d, and %d are needed", tally.Valid(), r.oldRoot.Version, tally.Threshold))
	}
}

// expected checks that payload/ has what the plan makes, and nothing else.
func (r *reviewer) expected(versions []folder.Version) {
	want := map[folder.Version]bool{}
	if r.plan.Root != nil {
		want[folder.Version{Role: "root", Version: r.plan.Root.Version}] = true
	}
	for _, t := range r.plan.TargetsRoles() {
		want[t.Payload()] = true
	}
	for _, v := range versions {
		if !want[v] {
			r.say("PLAN-MISMATCH", v.String(), "payload/ has it, and the plan does not make it")
		}
		delete(want, v)
	}
	for v := range want {
		r.say("PLAN-MISMATCH", v.String(), "the plan makes it, and payload/ does not have it")
	}
	switch genesis := r.plan.Kind == plan.Genesis; {
	case genesis && r.oldRoot != nil:
		r.say("PLAN-MISMATCH", "trusted", "a genesis starts from nothing, and trusted/ has a root")
	case !genesis && r.oldRoot == nil:
		r.say("PLAN-MISMATCH", "trusted", "a %s goes on from a trusted root, and trusted/ has none", r.plan.Kind)
	}
}

func (r *reviewer) document(v folder.Version) {
	payload := r.files[folder.Payload+"/"+v.File()]
	d := newDocument(v, payload)
	head, err := stream.ReadPayload(payload)
	if err == nil {
		switch v.Role {
		case "root":
			if err = rootAgain(d); err == nil {
				d.Changes, err = r.root(v, head.Signed) // of which nothing was taken out
			}
		case "snapshot", "timestamp":
			err = fmt.Errorf("no role \"%s\" is signed in this ceremony", v.Role)
		default:
			d.Changes, err = r.targets(d, head)
		}
		r.results = append(r.results, inspect.Bins(v.Role, r.below(v.Role).now)...)
	}
	if err != nil {
		r.say("JSON-STRICT", v.String(), "%v", err)
	}
	r.report.Documents = append(r.report.Documents, d)
}

// rootAgain has a second reader, which goes through the bytes once and builds
// nothing of them, find that they are canonical too, and of the same digest. Of
// other roles compareAll does.
func rootAgain(d Document) error {
	s := stream.Payload(bytes.NewReader(d.Payload))
	defer s.Close()
	for s.Next() {
	}
	if err := s.Err(); err != nil {
		return err
	}
	if s.Digest() != d.Digest {
		return errDisagree
	}
	return nil
}

func newDocument(v folder.Version, signed []byte) Document {
	digest := tufmeta.Digest(signed)
	return Document{Version: v, Payload: signed, Digest: digest, Words: tufmeta.DigestWords(digest)}
}

// Document finds a payload of the report.
func (r *Report) Document(v folder.Version) (Document, bool) {
	i := slices.IndexFunc(r.Documents, func(d Document) bool { return d.Version == v })
	if i < 0 {
		return Document{}, false
	}
	return r.Documents[i], true
}

// Approval is the proof that a person has approved a reviewed event. Its zero
// value approves nothing; only Approve makes another.
type Approval struct{ report *Report }

// Approve takes the first four words of the event ID as a person typed them,
// at a time that must lie in the signing window.
func (r *Report) Approve(typed string, now time.Time) (Approval, error) {
	if r == nil || r.files == nil { // not made by Review
		return Approval{}, errors.New("approving: nothing has been reviewed")
	}
	if err := check.Refuse(r.Results); err != nil {
		return Approval{}, err
	}
	if err := r.InWindow(now); err != nil {
		return Approval{}, err
	}
	if !tufmeta.SameWords(typed, r.Event.Words()) {
		return Approval{}, ErrWords
	}
	approved := *r // what happens to the report from here on changes nothing
	approved.Documents = slices.Clone(r.Documents)
	for i := range approved.Documents {
		approved.Documents[i].Payload = spool.Clone(r.Documents[i].Payload)
	}
	approved.files = maps.Clone(r.files)
	return Approval{&approved}, nil
}

// ErrWords: the typed words are not those of the event.
var ErrWords = errors.New("approving: these are not the first four words of the event ID")

// InWindow checks a clock against the plan's signing window.
func (r *Report) InWindow(now time.Time) error {
	p := r.Plan
	if !now.Before(p.Opens) && !now.After(p.Closes) {
		return nil
	}
	return check.Refused("CLOCK", "signing window", "this machine says %s, and the plan has signing from %s to %s",
		now.UTC().Format(tufmeta.TimeFormat), p.Opens.Format(tufmeta.TimeFormat), p.Closes.Format(tufmeta.TimeFormat))
}

// Report gives what was approved, or false for the zero value.
func (a Approval) Report() (*Report, bool) { return a.report, a.report != nil }

// Files are the bytes that were reviewed.
func (r *Report) Files() folder.Files { return r.files }
