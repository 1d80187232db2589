package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/compromise"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

// earlierHint is what to do where an earlier ceremony cannot be read.
const earlierHint = "name its folder, or the bundle that was sealed from it"

// readEarlier reads a folder, or the bundle that was sealed from one. Nothing of it is
// verified.
func readEarlier(path string) (files folder.Files, sealed bool, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case info.IsDir():
		files, err = folder.Read(path)
	default:
		var data []byte
		if data, err = spool.ReadFile(path); err == nil {
			files, err = bundle.Decode(data)
			sealed = true
		}
	}
	if err != nil {
		err = hint(fmt.Errorf("reading the earlier ceremony: %w", err), earlierHint)
	}
	return files, sealed, err
}

// past is an earlier ceremony from which names, devices and what is asked of them
// are taken. Its zero value is none.
type past struct {
	plan     *plan.Plan
	files    folder.Files
	once     []evidence.Once // what became of its one-time keys
	verified bool            // it is a bundle, and verifies from a root that is trusted
	words    string          // what is known of it
}

// lookBack reads an earlier ceremony. A bundle is verified as `verify` does, at the
// time of its own ceremony, from the trusted roots; one that does not verify is
// refused. Of a folder nothing is proved, and words say so.
func lookBack(path string, roots []string) (past, error) {
	if path == "" {
		return past{}, nil
	}
	files, sealed, err := readEarlier(path)
	if err != nil {
		return past{}, err
	}
	p, err := readPlan(files)
	if err != nil {
		return past{}, err
	}
	b := past{plan: p, files: files}
	if sealed {
		return b, b.verify(path, roots)
	}
	b.once, _ = evidence.Destroyed(p, files, files.Event())
	b.words = fmt.Sprintf("Names, devices and what is asked of them come from %s, a folder, of which nothing was verified. Compare them with the minutes when the plan is read aloud; its bundle can be verified.", filepath.ToSlash(path))
	return b, nil
}

// verify tries the trusted roots: an ordinary bundle ends at the newest. One that
// ended before them is held to its own first root, which proves that nothing of it
// was changed, and not that it belongs to this repository: it has to name a key of
// the trusted root at least.
func (b *past) verify(path string, roots []string) error {
	from := filepath.ToSlash(path)
	var refused error
	for _, name := range roots {
		root, err := spool.ReadFile(name)
		if err != nil {
			return hint(fmt.Errorf("reading the trusted root: %w", err), "name the newest root that is published, like 12.root.json")
		}
		facts, err := b.from(root)
		if err == nil {
			b.verified = true
			b.words = fmt.Sprintf("Names, devices and what is asked of them come from %s, which verifies from root %d on.", from, facts.Trusted)
			return nil
		}
		if refused == nil && !ends(err) {
			refused = err
		}
	}
	root, version := b.first()
	if refused == nil {
		_, refused = b.from(root)
	}
	if refused != nil {
		return &hinted{fmt.Errorf("reading the earlier ceremony: %s does not verify: %w", from, refused), "nothing was taken from it: " + bundleHint + ". Without --roster keys have numbers for names"}
	}
	common, err := b.common(from, roots)
	if err != nil {
		return err
	}
	b.words = fmt.Sprintf("Names, devices and what is asked of them come from %s. It verifies from its own root %d on, and nothing here ties it to a root that you trust%s: compare them with the minutes when the plan is read aloud.", from, version, common)
	return nil
}

// common says how many keys of the newest trusted root an earlier plan names. With none it is
// another repository's, or too old to say anything: any bundle verifies from its own root.
func (b *past) common(from string, roots []string) (string, error) {
	if len(roots) == 0 {
		return "", nil // a genesis goes on from no root
	}
	newest, err := takeRoots(folder.Files{}, roots, b.plan.Opens)
	if err != nil || newest == nil {
		return "", err
	}
	keys := map[string]bool{} // whether the plan names it, by fingerprint
	named := 0
	for _, role := range tufmeta.TopRoles {
		for _, f := range inspect.Fingerprints(newest, role) {
			_, known := b.plan.Roster.ByFingerprint(f)
			if known && !keys[f] {
				named++
			}
			keys[f] = known
		}
	}
	if named == 0 {
		return "", &hinted{fmt.Errorf("reading the earlier ceremony: %s names none of the %s of root %d: it is another repository's, or older than all of them", from, plural(len(keys), "key"), newest.Version), "nothing was taken from it: name the bundle of the last ceremony of this repository, or leave --roster out; then keys have numbers for names"}
	}
	return fmt.Sprintf(", of which it names %d of %s", named, plural(len(keys), "key")), nil
}

// from verifies the bundle at the time of its own ceremony: that it has expired
// since says nothing against the names in it.
func (b *past) from(root []byte) (*verify.Facts, error) {
	v, err := verify.Files(b.files, root, b.plan.Opens)
	if err != nil {
		return nil, err
	}
	facts, _ := v.Facts()
	b.once = facts.Report.Once
	return facts, nil
}

// ends reports whether a bundle was refused because it ends before a trusted root.
func ends(err error) bool {
	var refused *check.Error
	return errors.As(err, &refused) && len(refused.Results) == 1 && refused.Results[0].Check == "VERSION-SEQUENCE"
}

// first is the root with which a bundle begins.
func (b *past) first() (data []byte, version int64) {
	for _, part := range []string{folder.Trusted, folder.Metadata} {
		versions, _ := b.files.Versions(part)
		for _, v := range versions {
			if v.Role == "root" && (data == nil || v.Version < version) {
				data, version = b.files[part+"/"+v.File()], v.Version
			}
		}
	}
	return data, version
}

// said is words as advice.
func (b *past) said() []string {
	if b.words == "" {
		return nil
	}
	return []string{b.words}
}

// tellEnds writes beside each one-time key that stays listed what its own ceremony
// shows of its end.
func (b *past) tellEnds(p *plan.Plan) {
	for _, o := range b.once {
		t, ok := p.Roster.Token(o.Token.Name)
		if !ok || !t.OneTime || !t.Lost {
			continue
		}
		t.End = onceWords(o)
	}
}

// destroyed is what is known of ends, for whoever counts keys.
func (b *past) destroyed() map[string]compromise.Destroyed {
	all := map[string]compromise.Destroyed{}
	for _, o := range b.once {
		if o.End != evidence.Alive {
			all[o.Token.Name] = compromise.Destroyed{Words: onceWords(o), Proved: b.verified && o.End == evidence.Proved, Gone: b.verified && o.End == evidence.Proved && o.Made && !movable(o)}
		}
	}
	return all
}
