package main

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/compromise"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// revocationOptions are those of init that speak of a compromise.
type revocationOptions struct {
	compromised []string
	dryRun      bool
	draft       bool
	asJSON      bool
}

func (o *revocationOptions) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.compromised, "compromised", nil, "of a revocation: what is compromised, a `SELECTOR`: "+compromise.Forms+"; may be repeated")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "of a revocation: say what it would mean, and write nothing; DIR may be left out")
	c.Flags().BoolVar(&o.draft, "draft", false, "of a revocation: draft at once what the plan says, where nothing is left to decide")
	c.Flags().BoolVar(&o.asJSON, "json", false, "with --dry-run: for machines")
}

// usage says what is wrong with the command line, where the three have no use.
func (o *revocationOptions) usage(kind plan.Kind) error {
	revocation := kind == plan.Revocation
	switch {
	case revocation && len(o.compromised) == 0:
		return errors.New("init: a revocation wants --compromised; where nothing is compromised, and a root has only expired (case E), it is an ordinary rotation: --kind rotation")
	case !revocation && (len(o.compromised) > 0 || o.dryRun || o.draft || o.asJSON):
		return errors.New("init: --compromised, --dry-run, --draft and --json are of --kind revocation")
	case o.dryRun && o.draft:
		return errors.New("init: --dry-run writes nothing, and --draft writes more")
	case o.asJSON && !o.dryRun:
		return errors.New("init: --json goes with --dry-run")
	}
	return nil
}

// revocation is a compromise and what answers it, before anything is written.
type revocation struct {
	plan       *plan.Plan
	files      folder.Files
	root       *tufmeta.Root
	targets    *tufmeta.Targets
	below      map[string]*tufmeta.Targets // targets and what else is trusted
	known      *plan.Plan                  // the earlier ceremony's plan, with its files
	had        folder.Files
	assessment *compromise.Assessment
	before     past // the earlier ceremony
}

func runRevocation(env *environment, dir string, o initOptions) error {
	r, err := assess(o, env.now().UTC().Truncate(time.Hour))
	if err != nil {
		return err
	}
	a := r.assessment
	var imported []string
	if !o.dryRun {
		if imported, err = r.externals(o, env.now()); err != nil { // first: delegations are written out by whose keys they name
			return err
		}
		if err := r.answer(o); err != nil {
			return err
		}
	}
	event := compromise.Event{Dir: "DIR", Online: r.newOnline(a), Drafted: o.draft, Carried: o.spell}
	if dir != "" {
		event.Dir = filepath.ToSlash(filepath.Clean(dir))
	}
	a.Plan(event)
	switch {
	case o.asJSON:
		return printJSON(env.out, assessmentJSON(a))
	case o.dryRun:
		printAssessment(env.out, a)
		fmt.Fprintln(env.out, "\nThis was a dry run: nothing was written.")
		return nil
	}
	supersedes, err := supersede(r.plan, r.files, o.old)
	if err != nil {
		return err
	}
	if err := r.write(env, dir, slices.Concat(imported, supersedes)); err != nil {
		return err
	}
	if !o.draft {
		fmt.Fprintf(env.out, "Next: step 1 above, which stands in %s too.\n", filepath.Join(dir, stepsPage))
		return nil
	}
	fmt.Fprintf(env.out, "The steps stand in %s too. The draft:\n", filepath.Join(dir, stepsPage))
	return hint(runDraft(env, dir), "complete %s, then: ceremony draft %s", filepath.Join(dir, folder.Plan), dir)
}

// assess reads what is trusted, and works out what the compromise means.
func assess(o initOptions, now time.Time) (*revocation, error) {
	var selectors []compromise.Selector
	for _, typed := range o.compromised {
		s, err := compromise.ParseSelector(typed)
		if err != nil {
			return nil, err
		}
		selectors = append(selectors, s)
	}
	before, err := lookBack(o.roster, o.roots)
	if err != nil {
		return nil, err
	}
	known, had := before.plan, before.files
	r := &revocation{files: folder.Files{}, known: known, had: had, before: before}
	if r.root, err = takeRoots(r.files, o.roots, now); err != nil {
		return nil, err
	}
	below, err := takeTargets(r.files, o.targets)
	if err != nil {
		return nil, err
	}
	r.below, r.targets = below, below["targets"]
	r.plan = &plan.Plan{Kind: plan.Revocation, Opens: now, Closes: now.AddDate(0, 0, 7), Rehearsal: ofRehearsal(r.files), Lifetimes: map[string]int{"snapshot": 7, "timestamp": 1}}
	if known != nil {
		r.plan.Repository = known.Repository
	}
	if err := plan.FillFrom(r.plan, r.root, known, now.AddDate(1, 0, 0), r.files); err != nil {
		return nil, hint(fmt.Errorf("reading the trusted root: %w", err), "`ceremony inspect` shows its keys")
	}
	r.bindKeys()
	inRoot := map[*roster.Token]bool{}
	for _, t := range r.plan.Roster.Tokens() {
		inRoot[t] = true
	}
	looked, err := r.lookBelow(selectors)
	if err != nil {
		return nil, err
	}
	plan.CarryPolicy(r.plan, known, had, r.files)
	firmware := map[string]compromise.Firmware{}
	for name, f := range evidence.Firmwares(r.plan, r.files, r.root) {
		firmware[name] = compromise.Firmware(f)
	}
	before.tellEnds(r.plan)
	r.assessment, err = compromise.Assess(compromise.Known{Root: r.root, Roster: &r.plan.Roster, Firmware: firmware, Destroyed: before.destroyed(), Below: looked, Targets: r.targets, Now: now}, selectors)
	if err != nil {
		return nil, err
	}
	if !before.verified {
		r.assessment.Warnings = append(r.assessment.Warnings, before.said()...)
	}
	r.plan.Forget(r.files, func(t *roster.Token) bool { return !inRoot[t] && !r.found(t) })
	return r, nil
}

// lookBelow finds the keys of trusted delegations that somebody is known to have, or
// that are named by themselves: whoever is compromised is so there too.
func (r *revocation) lookBelow(selectors []compromise.Selector) (map[string]roster.Below, error) {
	meant := func(fingerprint, id string) bool {
		return slices.ContainsFunc(selectors, func(s compromise.Selector) bool { return s.Names(fingerprint, id) })
	}
	below, err := plan.FillBelow(r.plan, r.below, r.known, r.files, meant)
	return below, hint(err, "`ceremony inspect` shows the keys of the trusted targets")
}

// found reports whether a selector has found a token.
func (r *revocation) found(t *roster.Token) bool {
	return slices.ContainsFunc(r.assessment.Hits, func(h compromise.Hit) bool { return h.Token == t })
}

// bindKeys gives each token the key that the root lists, of whatever type: what
// a compromise means is known before anybody drafts, who reads keys/ again.
func (r *revocation) bindKeys() {
	byFingerprint := map[string]*tufmeta.Key{}
	for _, key := range r.root.Keys {
		byFingerprint[key.Fingerprint()] = key
	}
	for _, t := range r.plan.Roster.Tokens() {
		public, err := tufmeta.ParsePEM(r.files[t.KeyFile])
		if err != nil {
			continue
		}
		if fingerprint, err := tufmeta.Fingerprint(public); err == nil {
			if key := byFingerprint[fingerprint]; key != nil {
				t.Key = key
			}
		}
	}
}

// ofRehearsal reports whether what is trusted is of a rehearsal: what goes on
// from it can be nothing else.
func ofRehearsal(files folder.Files) bool {
	for _, name := range files.Names(folder.Trusted) {
		if env, err := tufmeta.ParseEnvelope(files[name]); err == nil && tufmeta.IsRehearsal(env.Signed) {
			return true
		}
	}
	return false
}

// anew plans the root that is given out of band, with all targets that there are:
// nothing leads on to them from the old one.
func (r *revocation) anew(spell bool) error {
	if r.targets == nil {
		r.plan.Anew(nil)
		return nil
	}
	v := folder.Version{Role: "targets", Version: r.targets.Version}
	env, err := tufmeta.ParseEnvelope(r.files[folder.Trusted+"/"+v.File()])
	if err != nil {
		return err
	}
	whole, err := tufmeta.ParseTargets(env.Signed)
	if err != nil {
		return err
	}
	r.plan.Anew(whole)
	if whole.Delegations.Len() == 0 {
		return nil
	}
	if !spell {
		r.plan.Dropped = r.assessment.Dropped()
		return nil
	}
	return r.spell(whole.Delegations)
}

// spell writes delegations out, without what is revoked.
func (r *revocation) spell(d *tufmeta.Delegations) error {
	if err := plan.FillDelegations(r.plan, r.plan.Targets, d, r.known, r.files); err != nil {
		return hint(fmt.Errorf("carrying delegations over: %w", err), "leave --delegations out, and write those that are to go on under targets in plan.yaml")
	}
	for _, dead := range r.plan.RevokeDelegated() {
		r.assessment.Warnings = append(r.assessment.Warnings, fmt.Sprintf("%s is delegated to keys that cannot sign it again, one-time keys of an earlier ceremony or lost ones, and they are left out: %s. List new ones for it in plan.yaml; one-time keys sign in the ceremony that makes them, so %s has to stand under delegated: there", tufmeta.Printable(dead.Role), strings.Join(dead.Tokens, ", "), tufmeta.Printable(dead.Role)))
	}
	r.bindKeys()
	r.before.tellEnds(r.plan)
	return nil
}

// answer completes the plan.
func (r *revocation) answer(o initOptions) error {
	a := r.assessment
	r.plan.Revoke(&plan.Compromise{Case: a.Case, Tokens: a.Tokens(), Weak: a.Weak(), Why: strings.Join(o.compromised, " ")}, a.Online(), a.Resting()...)
	if a.OutOfBand() {
		if err := r.anew(o.spell); err != nil {
			return err
		}
		for _, name := range r.files.Names(folder.Trusted) {
			delete(r.files, name)
		}
		listed := r.plan.Targets.Add
		more, _, err := newTargets(o)
		if err != nil {
			return err
		}
		r.plan.Targets.Add = nil
		return putTargets(r.plan.Targets, r.files, merged(listed, more))
	}
	if a.SignsTargets() && r.targets != nil || o.add != "" || o.list != "" {
		if _, err := fillTargets(r.plan, r.files, map[string]*tufmeta.Targets{"targets": r.targets}, r.plan.Root.Expires, o); err != nil {
			return err
		}
	}
	if o.spell && r.plan.Targets != nil && r.targets != nil && r.targets.Delegations.Len() > 0 {
		return r.spell(r.targets.Delegations)
	}
	return nil
}

// externals go on with other repositories, where something goes on being
// delegated to their keys.
func (r *revocation) externals(o initOptions, now time.Time) ([]string, error) {
	below := r.below
	if r.assessment.OutOfBand() && !o.spell {
		below = nil // what is drafted delegates nothing
	}
	return takeExternals(r.plan, r.files, o.others, r.known, r.had, below, now)
}

// merged lists files once each; of two of one path the later counts.
func merged(old, more []plan.File) []plan.File {
	byPath := map[string]plan.File{}
	for _, f := range slices.Concat(old, more) {
		byPath[f.Path] = f
	}
	var all []plan.File
	for _, name := range slices.Sorted(maps.Keys(byPath)) {
		all = append(all, byPath[name])
	}
	return all
}

// newOnline names the files of the online keys that are still to be made.
func (r *revocation) newOnline(a *compromise.Assessment) []string {
	if !a.Online() {
		return nil
	}
	if r.plan.Compromise == nil { // a dry run makes a plan too, and throws it away
		r.plan.Revoke(&plan.Compromise{Tokens: a.Tokens(), Weak: a.Weak()}, true)
	}
	var files []string
	for _, t := range r.plan.Roster.Online {
		if _, there := r.files[t.KeyFile]; !there {
			files = append(files, t.KeyFile)
		}
	}
	return files
}

// The pages that lie beside the plan, for people. They are no part of the
// event: nothing is decided by them.
const (
	stepsPage    = "STEPS.md"
	bulletinPage = "BULLETIN.md"
)

func (r *revocation) write(env *environment, dir string, advice []string) error {
	a := r.assessment
	var page strings.Builder
	printAssessment(guard{&page}, a)
	r.files[stepsPage] = []byte("# " + page.String())
	if a.OutOfBand() {
		r.files[bulletinPage] = []byte(bulletin(r.plan))
	}
	r.files[folder.Plan] = r.plan.Text()
	if err := writeFolder(dir, r.files); err != nil {
		return err
	}
	printAssessment(env.out, a)
	fmt.Fprintln(env.out)
	if a.OutOfBand() {
		wrapTo(env.out, "", "", fmt.Sprintf("Made no root %d: it would restore nothing. Made %s for a new first root instead, version 1, and %s to fill in.", a.Root+1, path.Join(dir, folder.Plan), path.Join(dir, bulletinPage)))
	} else {
		fmt.Fprintf(env.out, "Made %s for a %s ceremony.\n", filepath.Join(dir, folder.Plan), r.plan.Kind)
	}
	for _, file := range r.newOnline(a) {
		fmt.Fprintf(env.out, "Wanted: %s, a new online key.\n", filepath.Join(dir, filepath.FromSlash(file)))
	}
	for _, line := range advice {
		wrapTo(env.out, "", "", line)
	}
	return nil
}
