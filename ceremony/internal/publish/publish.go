package publish

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

// Options of a publication.
type Options struct {
	Online  *Online // nil where another signer makes snapshot and timestamp
	Targets string  // a folder with the files of new targets, or ""
}

// Step is one file that is written. Name is its path in the repository.
type Step struct {
	Name    string
	data    []byte
	replace bool
}

// Publication is what will be written, in a safe order.
type Publication struct {
	Steps   []Step
	Swap    bool     // metadata/ is exchanged as a whole
	Window  string   // what clients meet until somebody else acts, or ""
	Missing []string // files of new targets that are not there yet

	Findings []check.Result // what clients will not take for its size, or miss
	dir      string
	before   state
	next     state
}

// Prepare works out the steps. It writes nothing.
func Prepare(r *Repository, v verify.Verified, o Options) (*Publication, error) {
	if err := Admits(r, v); err != nil {
		return nil, err
	}
	facts, _ := v.Facts()
	b := &builder{repo: r, facts: facts, options: o, next: maps.Clone(r.files), p: &Publication{dir: r.dir}}
	for _, build := range []func() error{b.roots, b.targets, b.delegated, b.targetFiles, b.online, b.limits, b.order} {
		if err := build(); err != nil {
			return nil, fmt.Errorf("publishing: %w", err)
		}
	}
	b.p.before, b.p.next = r.files, b.next
	return b.p, nil
}

// Admits says whether a bundle may go into a repository at all: rehearsal to
// rehearsal, and real to real.
func Admits(r *Repository, v verify.Verified) error {
	facts, ok := v.Facts()
	if !ok {
		return errors.New("publishing: nothing has been verified")
	}
	if bundle := facts.Report.Plan.Rehearsal; r.First != nil && bundle != r.Rehearsal() {
		return &RehearsalError{bundle}
	}
	return nil
}

// RehearsalError: rehearsal and real thing do not mix.
type RehearsalError struct{ Bundle bool }

func (e *RehearsalError) Error() string {
	if e.Bundle {
		return "publishing: the bundle is of a rehearsal, and the repository is real"
	}
	return "publishing: the repository began from a rehearsal, and the bundle is real"
}

// Hint says where it may go.
func (e *RehearsalError) Hint() string {
	return "a rehearsal is published only where its own genesis was; look at the folder that you named"
}

type builder struct {
	repo    *Repository
	facts   *verify.Facts
	options Options
	next    state // the metadata folder when all is done
	p       *Publication
	chain   []root // of all roots, when all is done
	newest  root   // the last of them
	version int64  // of targets, when all is done
	trust   []*tufmeta.Delegations
	signed  map[string]int64 // the delegated roles of the ceremony, with their versions
	steps   struct{ first, files, roots, targets, online []Step }
}

// roots adds every root after the trusted one. In an empty repository the
// first one becomes root.json too.
func (b *builder) roots() error {
	first := b.repo.First
	if first == nil {
		first = b.facts.Began
		b.steps.first = append(b.steps.first, Step{Name: rootFile, data: first})
	}
	all := maps.Clone(b.facts.Roots)
	all[b.facts.Trusted] = b.facts.Began // where a killed run has stopped before it
	for _, version := range slices.Sorted(maps.Keys(all)) {
		step, err := b.add(folder.Version{Role: "root", Version: version}.File(), all[version], false)
		if err != nil {
			return err
		}
		b.steps.roots = append(b.steps.roots, step...)
	}
	var err error
	if b.chain, err = roots(first, b.next); err != nil {
		return err
	}
	b.newest = b.chain[len(b.chain)-1]
	return nil
}

// add plans to write a metadata file. A version that is published stays as it
// is; a different one of the same number is equivocation.
func (b *builder) add(name string, data []byte, replace bool) ([]Step, error) {
	if old, ok := b.next[name]; ok && !replace {
		return nil, b.same(name, old, data)
	}
	b.next[name] = data
	return []Step{{Name: metadata + "/" + name, data: data, replace: replace}}, nil
}

// same refuses a file that says something else than the published one of its
// version. One that no root vouches for was never published: somebody put it
// there.
func (b *builder) same(name string, published, data []byte) error {
	theirs, err := stream.ReadEnvelope(published)
	if err != nil {
		return err
	}
	mine, err := stream.ReadEnvelope(data)
	if err != nil {
		return err
	}
	var keys []map[string]*tufmeta.Key
	if b.chain != nil { // of roots there is nothing below yet
		keys = b.delegatedKeys(slices.Concat(theirs.Signatures, mine.Signatures))
	}
	for _, r := range b.chain {
		keys = append(keys, r.Keys)
	}
	result, differ := inspect.Equivocation(name, inspect.Copy{Name: "the published one", Envelope: theirs.Envelope}, inspect.Copy{Name: "the bundle's", Envelope: mine.Envelope}, keys, b.facts.Report.Plan.Roster.Describe)
	switch {
	case !differ:
		return nil
	case b.chain != nil && !b.vouched(name) && !b.vouchedBelow(name):
		return check.Refused("VERSION-SEQUENCE", name, "another file of this name lies there, for which no root vouches: look at where it came from, and remove it")
	}
	return check.Refuse([]check.Result{result})
}

// targets adds the targets metadata of the ceremony, if it signed any.
func (b *builder) targets() error {
	if err := b.readable("targets"); err != nil {
		return err
	}
	b.version = b.published()
	for _, v := range b.facts.Roles {
		if v.Role != "targets" {
			continue
		}
		if v.Version.Version < b.version {
			older := check.Refused("VERSION-SEQUENCE", v.Version.String(), "targets %d is published already: the bundle is older", b.version)
			return b.forged(folder.Version{Role: "targets", Version: b.version}, older)
		}
		name := fileOf("targets", v.Version.Version, b.newest)
		replace := !b.newest.ConsistentSnapshot && v.Version.Version > b.version
		steps, err := b.add(name, b.facts.Files[folder.Metadata+"/"+v.File()], replace)
		if err = b.forged(v.Version, err); err != nil {
			return err
		}
		b.steps.targets = steps
		b.version = v.Version.Version
	}
	return nil
}

// readable refuses to go on beside a large file of a role that cannot be read here.
// Clients may read it, so it may be the newest version: members that are not sorted,
// and long entries, are no fault of the file. What is small and cannot be read here
// no client reads.
func (b *builder) readable(role string) error {
	for _, name := range slices.Sorted(maps.Keys(b.repo.files)) {
		if data := b.repo.files[name]; roleOf(name) == role && len(data) > spool.Held {
			if _, err := stream.ReadEnvelope(data); err != nil {
				return fmt.Errorf("reading %s/%s: %w", metadata, tufmeta.Printable(name), err)
			}
		}
	}
	return nil
}

// published is the newest version of targets in the repository, or 0. A file
// that no root vouches for does not count: anybody could have put it there.
func (b *builder) published() int64 {
	var newest int64
	for name := range b.next {
		if v, err := folder.ParseVersion(name); err == nil && v.Role == "targets" && b.vouched(name) {
			newest = max(newest, v.Version)
		}
	}
	if !b.vouched("targets.json") {
		return newest
	}
	if env, err := stream.ReadEnvelope(b.next["targets.json"]); err == nil {
		if c, err := tufmeta.ParseCommon(env.Signed); err == nil {
			newest = max(newest, c.Version)
		}
	}
	return newest
}

// vouched reports whether targets metadata is signed under any root.
func (b *builder) vouched(name string) bool {
	return slices.ContainsFunc(b.chain, func(r root) bool { return b.vouchedBy(name, r) })
}

func (b *builder) vouchedBy(name string, r root) bool {
	_, err := b.next.read(name, "targets", r)
	return err == nil
}

func (b *builder) online() error {
	if b.options.Online == nil || b.version == 0 {
		return nil
	}
	w := &onlineWork{b.options.Online, b.next, b.chain, b.newest}
	names, err := w.extend(b.lists())
	if err != nil {
		return err
	}
	if err := accepts(b.chain[0].data, b.next, b.below()); err != nil {
		return fmt.Errorf("with snapshot and timestamp signed, clients would still refuse: %w", err)
	}
	for _, name := range names {
		b.steps.online = append(b.steps.online, Step{Name: metadata + "/" + name, data: b.next[name], replace: name == "timestamp.json" || !b.newest.ConsistentSnapshot})
	}
	return err
}

// order finds an order in which every client is served after each step: roots
// before the rest, or after it. If there is none, the folder is exchanged.
func (b *builder) order() error {
	s := b.steps
	rootsFirst := slices.Concat(s.first, s.files, s.roots, s.targets, s.online)
	rootsLast := slices.Concat(s.first, s.files, s.targets, s.online, s.roots)
	first := b.repo.First
	served := first != nil && accepts(first, b.repo.files, b.below()) == nil
	b.p.Steps = rootsFirst
	if !served || len(rootsFirst) == 0 {
		return nil
	}
	if err := accepts(first, b.next, b.below()); err != nil {
		b.p.Window = err.Error()
		return nil
	}
	for _, steps := range [][]Step{rootsFirst, rootsLast} {
		if b.safe(steps) {
			b.p.Steps = steps
			return nil
		}
	}
	if len(b.repo.other) > 0 {
		return fmt.Errorf("metadata/ must be exchanged as a whole, and it has %q, which is no metadata: move it away", b.repo.other[0])
	}
	b.p.Swap = true
	return nil
}

// safe plays a client against the state after each step.
func (b *builder) safe(steps []Step) bool {
	now := maps.Clone(b.repo.files)
	for _, step := range steps {
		if dir, name := path.Split(step.Name); dir == metadata+"/" {
			now[name] = step.data
		}
		if accepts(b.repo.First, now, b.below()) != nil {
			return false
		}
	}
	return true
}
