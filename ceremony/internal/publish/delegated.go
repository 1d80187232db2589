package publish

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// delegated adds the metadata of the delegated roles of the ceremony.
func (b *builder) delegated() error {
	b.signed = map[string]int64{}
	for _, v := range b.facts.Roles {
		if slices.Contains(tufmeta.TopRoles, v.Role) {
			continue
		}
		if err := b.readable(v.Role); err != nil {
			return err
		}
		published := b.publishedBelow(v.Role)
		if v.Version.Version < published {
			return check.Refused("VERSION-SEQUENCE", v.Version.String(), "%s %d is published already: the bundle is older", v.Role, published)
		}
		name := fileOf(v.Role, v.Version.Version, b.newest)
		replace := !b.newest.ConsistentSnapshot && v.Version.Version > published
		steps, err := b.add(name, b.facts.Files[folder.Metadata+"/"+v.File()], replace)
		if err != nil {
			return err
		}
		// Before targets: without consistent snapshots a client could be led to a
		// file that is not there yet.
		b.steps.targets = append(steps, b.steps.targets...)
		b.signed[v.Role], b.trust = v.Version.Version, nil
	}
	return nil
}

// lists is what the next snapshot has of targets and of the roles that were
// signed with it.
func (b *builder) lists() map[string]int64 {
	all := maps.Clone(b.signed)
	all["targets"] = b.version
	return all
}

// below names the delegated roles that a client is played against: those of
// the ceremony, and those on the way to them.
func (b *builder) below() []string {
	var names []string
	for _, part := range []string{folder.Metadata, folder.Trusted} {
		versions, _ := b.facts.Files.Versions(part)
		for _, v := range versions {
			if !slices.Contains(tufmeta.TopRoles, v.Role) && !slices.Contains(names, v.Role) {
				names = append(names, v.Role)
			}
		}
	}
	slices.Sort(names)
	return names
}

// acceptsBelow goes on to delegated roles, as a client does that looks for a
// target in them: each as snapshot lists it, and signed as those want who lead to
// it.
func (s state) acceptsBelow(snapshot *tufmeta.Snapshot, below []string, r root) error {
	name, _, err := s.listing(snapshot, "targets", r)
	if err != nil {
		return err
	}
	read := map[string]*tufmeta.Targets{}
	if read["targets"], err = s.targets(name, nil); err != nil {
		return err
	}
	for more := true; more; {
		more = false
		for _, role := range below {
			by := tufmeta.Delegators(read, role)
			if read[role] != nil || len(by) == 0 {
				continue
			}
			name, entry, err := s.listing(snapshot, role, r)
			if err != nil {
				return err
			}
			got, err := s.targets(name, by)
			if err != nil {
				return err
			}
			if got.Version != entry.Version {
				return fmt.Errorf("%s is version %d, and %d is listed", name, got.Version, entry.Version)
			}
			read[role], more = got, true
		}
	}
	return nil
}

// targets reads a file of targets metadata, which each of these must find
// signed.
func (s state) targets(name string, by []tufmeta.Delegator) (*tufmeta.Targets, error) {
	data, ok := s[name]
	if !ok {
		return nil, fmt.Errorf("%s is missing", name)
	}
	env, err := stream.ReadEnvelope(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	for _, d := range by {
		if tally := tufmeta.Count(env.Canonical, env.Signatures, d.Keys, d.Role); !tally.Reached() {
			return nil, fmt.Errorf("%s has %d valid signatures under %s, and %d are needed", name, tally.Valid(), d, tally.Threshold)
		}
	}
	got, err := env.Parse()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return got, nil
}

// publishedBelow is the newest version of a delegated role in the repository, or
// 0. A file for which nobody vouches does not count.
func (b *builder) publishedBelow(role string) int64 {
	var newest int64
	for name, data := range b.repo.files {
		v, err := folder.ParseVersion(name)
		if name != role+".json" && (err != nil || v.Role != role) || !b.vouchedBelow(name) {
			continue
		}
		if env, err := stream.ReadEnvelope(data); err == nil {
			if c, err := tufmeta.ParseCommon(env.Signed); err == nil {
				newest = max(newest, c.Version)
			}
		}
	}
	return newest
}

// vouchedBelow reports whether the file of a delegated role is signed as any
// version of targets, or of a role below it, has wanted it to be.
func (b *builder) vouchedBelow(name string) bool {
	role := roleOf(name)
	env, err := stream.ReadEnvelope(b.next[name])
	if err != nil {
		return false
	}
	for _, d := range b.delegations() {
		if x := d.Find(role); x != nil && tufmeta.Count(env.Canonical, env.Signatures, d.KeysOf(x.KeyIDs), &x.Role).Reached() {
			return true
		}
	}
	return false
}

// roleOf is the role of a metadata file, by its name.
func roleOf(name string) string {
	if v, err := folder.ParseVersion(name); err == nil {
		return v.Role
	}
	return name[:len(name)-len(path.Ext(name))]
}

// delegations are those of every version of targets in the repository and in the
// bundle, and of the roles on the way to those of the ceremony: each is asked
// only once its own signatures are good.
func (b *builder) delegations() []*tufmeta.Delegations {
	if b.trust != nil {
		return b.trust
	}
	b.trust = []*tufmeta.Delegations{}
	below, done := b.below(), map[string]bool{}
	for more := true; more; {
		more = false
		for _, name := range slices.Sorted(maps.Keys(b.next)) {
			role := roleOf(name)
			good := role == "targets" && b.vouched(name) || slices.Contains(below, role) && b.vouchedBelow(name)
			if done[name] || !good {
				continue
			}
			done[name], more = true, true
			if targets, err := b.next.targets(name, nil); err == nil && targets.Delegations != nil {
				b.trust = append(b.trust, targets.Delegations)
			}
		}
	}
	return b.trust
}

// delegatedKeys are the keys that delegations have named under the key IDs of
// signatures, to say who has signed two of one version.
func (b *builder) delegatedKeys(signatures []tufmeta.Signature) []map[string]*tufmeta.Key {
	var keys []map[string]*tufmeta.Key
	for _, d := range b.delegations() {
		keys = append(keys, d.KeysOf(tufmeta.KeyIDs(signatures)))
	}
	return keys
}

// targetFiles adds the files of new targets, under the names by which clients
// fetch them, each compared with what is signed.
func (b *builder) targetFiles() error {
	for _, t := range b.facts.Report.Plan.TargetsRoles() {
		for _, f := range t.Files() {
			if err := b.targetFile(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) targetFile(f plan.File) error {
	var absent []string
	for _, name := range b.namesOf(f) {
		data, err := os.ReadFile(filepath.Join(b.repo.dir, filepath.FromSlash(name)))
		if err != nil || tufmeta.Digest(data) != f.SHA256 {
			absent = append(absent, name)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	if b.options.Targets == "" {
		b.p.Missing = append(b.p.Missing, absent...)
		return nil
	}
	data, err := os.ReadFile(filepath.Join(b.options.Targets, filepath.FromSlash(f.Path)))
	if err != nil {
		return fmt.Errorf("reading the file of target \"%s\": %w", tufmeta.Printable(f.Path), err)
	}
	if !f.Is(data) {
		return fmt.Errorf("target \"%s\": the file is not the one that was signed", tufmeta.Printable(f.Path))
	}
	for _, name := range absent {
		if !slices.ContainsFunc(b.steps.files, func(s Step) bool { return s.Name == name }) { // two roles may list one file
			b.steps.files = append(b.steps.files, Step{Name: name, data: data, replace: !b.newest.ConsistentSnapshot})
		}
	}
	return nil
}

// namesOf are the names of a target's file: with consistent snapshots one for each
// hash, since clients ask for any of them.
func (b *builder) namesOf(f plan.File) []string {
	if !b.newest.ConsistentSnapshot {
		return []string{path.Join(targets, f.Path)}
	}
	var names []string
	for _, sum := range []string{f.SHA256, f.SHA512} {
		if sum != "" {
			names = append(names, path.Join(targets, path.Dir(f.Path), sum+"."+path.Base(f.Path)))
		}
	}
	return names
}
