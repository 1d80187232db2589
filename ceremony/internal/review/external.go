package review

import (
	"fmt"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// Keys of another repository are read from its roots in external/, each checked
// under the one before it, from the one whose SHA-256 stands in the plan, to the one
// whose SHA-256 stands there as that of the newest. What is delegated to them must be
// what the newest of these roots says, to the byte.

// External is another repository whose keys the plan imports.
type External struct {
	plan.External
	Words  string                  // the SHA-256 of the first root's file, as the plan has it, in PGP words
	Until  string                  // and that of the newest
	Newest *tufmeta.Root           // nil where its roots cannot be read
	File   Document                // the newest root; its digest is that of the file
	listed map[string]*tufmeta.Key // those that sign its targets, by fingerprint
	asked  bool                    // a delegation of the plan asks for them
}

// role is who signs its targets.
func (x *External) role() *tufmeta.Role { return x.Newest.Roles["targets"] }

// Keys are the fingerprints of those who sign its targets, in its root's order.
func (x *External) Keys() []string {
	if x.Newest == nil {
		return nil
	}
	return inspect.Fingerprints(x.Newest, "targets")
}

// Threshold is how many of them must sign.
func (x *External) Threshold() int {
	if x.Newest == nil || x.role() == nil {
		return 0
	}
	return x.role().Threshold
}

// foreign is what is known of other repositories' keys. Where several roots say
// the same, the newest of them does.
type foreign struct {
	byName    map[string]*External
	bySigners map[string]origin // by tufmeta.SignersText
	byKey     map[string]origin // by fingerprint
}

// origin is the root of another repository from which keys come.
type origin struct {
	*External
	version int64
}

func (o origin) String() string { return fmt.Sprintf("external %s's root %d", o.Name, o.version) }

// externals reads the roots of all other repositories that the plan names.
func (r *reviewer) externals() error {
	there, err := r.files.Externals()
	if err != nil {
		return err
	}
	r.foreign = foreign{map[string]*External{}, map[string]origin{}, map[string]origin{}}
	asked := map[string]bool{}
	for _, t := range r.plan.TargetsRoles() {
		if t.Delegations != nil {
			for _, d := range t.Delegations.Roles {
				asked[d.External] = true
			}
		}
	}
	ours := r.ours()
	r.report.Externals = make([]External, len(r.plan.Externals))
	for i, named := range r.plan.Externals {
		x := &r.report.Externals[i]
		x.External, x.asked, x.listed = named, asked[named.Name], map[string]*tufmeta.Key{}
		x.Words, x.Until = tufmeta.DigestWords(named.SHA256), tufmeta.DigestWords(named.NewestSHA256)
		r.foreign.byName[named.Name] = x
		r.external(x, there[named.Name])
		r.externalIsOurs(x, ours)
	}
	return nil
}

// external checks the chain of one repository, and takes its keys from it.
func (r *reviewer) external(x *External, versions []folder.Version) {
	var given []inspect.File
	for _, v := range versions {
		name := folder.ExternalFile(x.Name, v.Version)
		given = append(given, inspect.File{Name: name, Data: r.files[name]})
	}
	first := given[0]
	if versions[0].Version != x.Root {
		r.chain(x, "the plan believes root %d, and the first in external/%s is root %d", x.Root, x.Name, versions[0].Version)
	} else if digest := tufmeta.Digest(first.Data); digest != x.SHA256 {
		r.chain(x, "the SHA-256 of root %d, the first, is %s…, and the plan believes %s…", x.Root, digest[:16], x.SHA256[:16])
	}
	last := given[len(given)-1]
	if v := versions[len(versions)-1].Version; v != x.NewestRoot {
		r.chain(x, "the plan has root %d as the newest, and the last in external/%s is root %d", x.NewestRoot, x.Name, v)
	} else if digest := tufmeta.Digest(last.Data); digest != x.NewestSHA256 {
		r.chain(x, "the SHA-256 of root %d, the newest, is %s…, and the plan has %s…", x.NewestRoot, digest[:16], x.NewestSHA256[:16])
	}
	roots, err := inspect.Chain(given, r.plan.Closes)
	if err != nil {
		r.chain(x, "%v", err)
		return
	}
	for _, b := range roots.Broken {
		r.chain(x, "%s %s (%s)", b.Subject, b.Detail, b.Check)
	}
	for i, l := range roots.Links {
		if l.Name != given[i].Name {
			r.chain(x, "%s says that it is root %d", tufmeta.Printable(l.Name), l.Root.Version)
			return
		}
		if tufmeta.IsRehearsal(l.Envelope.Signed) && !r.plan.Rehearsal {
			r.chain(x, "root %d is of a rehearsal, and this ceremony is not", l.Root.Version)
		}
		r.remember(x, l.Root)
	}
	r.newest(x, roots.Last(), last.Data)
}

// remember notes whose keys a root names; later roots take the place of earlier
// ones.
func (r *reviewer) remember(x *External, root *tufmeta.Root) {
	from := origin{x, root.Version}
	if role := root.Roles["targets"]; role != nil {
		r.foreign.bySigners[tufmeta.SignersText(root.Keys, role)] = from
	}
	for _, f := range inspect.Fingerprints(root, "targets") {
		r.foreign.byKey[f] = from
	}
}

// origin says of which other repository a delegated role is, where it has just
// the keys and the threshold that one of its roots gives to targets.
func (r *reviewer) origin(keys map[string]*tufmeta.Key, role *tufmeta.Role) (origin, bool) {
	if len(r.foreign.bySigners) == 0 { // there may be half a million roles
		return origin{}, false
	}
	from, ok := r.foreign.bySigners[tufmeta.SignersText(keys, role)]
	return from, ok
}

// whose says whose key this is: a holder's, a machine's, or another
// repository's.
func (r *reviewer) whose(fingerprint string) string {
	if from, ok := r.foreign.byKey[fingerprint]; ok {
		if _, here := r.plan.Roster.ByFingerprint(fingerprint); !here {
			return from.String()
		}
	}
	return r.plan.Roster.Who(fingerprint)
}

// newest takes the keys from the last root of a chain, and judges its expiry.
func (r *reviewer) newest(x *External, last inspect.Link, file []byte) {
	root := last.Root
	if root.Roles["targets"] == nil {
		r.chain(x, "root %d has no role targets", root.Version)
		return
	}
	x.Newest = root
	x.File = newDocument(folder.Version{Role: "root", Version: root.Version}, file)
	r.theirKeys(x)
	switch expires, err := root.ExpiresAt(); {
	case err != nil:
		r.chain(x, "root %d: %v", root.Version, err)
	case !expires.After(r.plan.Closes):
		r.ofExternal(x, "EXTERNAL-EXPIRED", x.Name, "its root %d, the newest that is here, expires on %s, and signing closes on %s", root.Version, root.Expires, r.plan.Closes.Format(tufmeta.TimeFormat))
	}
}

// theirKeys takes the keys of targets from the newest root, and says which of
// them cannot stand here as they stand there.
func (r *reviewer) theirKeys(x *External) {
	var odd []string
	for _, id := range x.role().KeyIDs {
		key := x.Newest.Keys[id]
		if key == nil || key.Err != nil {
			r.ofExternal(x, "EXTERNAL-MISMATCH", x.Name, "its root %d lists key %s for targets, which cannot be used", x.Newest.Version, tufmeta.Printable(id))
			continue
		}
		if x.listed[key.Fingerprint()] != nil {
			continue
		}
		x.listed[key.Fingerprint()] = key
		if !key.IDMatches() || !key.Standard() {
			odd = append(odd, tufmeta.Printable(id))
		}
	}
	if len(odd) > 0 {
		r.ofExternal(x, "EXTERNAL-KEYID", x.Name, "its root %d lists keys otherwise than they can be listed here, under other key IDs: %s", x.Newest.Version, inspect.Few(odd))
	}
}

func (r *reviewer) chain(x *External, format string, args ...any) {
	r.say("EXTERNAL-CHAIN", x.Name, format, args...)
}

// ofExternal weighs what is found of another repository: as a draft's where the
// plan asks for its keys, else as of what was published before.
func (r *reviewer) ofExternal(x *External, id, subject, format string, args ...any) {
	if x.asked {
		r.say(id, subject, format, args...)
		return
	}
	r.ofPublished(id, subject, format, args...)
}

func (r *reviewer) ofPublished(id, subject, format string, args ...any) {
	result := check.New(id, subject, format, args...)
	r.trustedResults = append(r.trustedResults, check.Published.Weigh([]check.Result{result})...)
}

// ours are the keys of this repository, and whose they are, by fingerprint.
func (r *reviewer) ours() map[string]string {
	ours := map[string]string{}
	if len(r.plan.Externals) == 0 {
		return ours
	}
	if r.oldRoot != nil {
		for _, role := range r.oldRoot.Roles {
			for _, f := range inspect.FingerprintsOf(r.oldRoot.Keys, role) {
				ours[f] = "root"
			}
		}
	}
	for _, t := range r.plan.Roster.Tokens() {
		ours[t.Key.Fingerprint()] = t.Name
	}
	return ours
}

func (r *reviewer) externalIsOurs(x *External, ours map[string]string) {
	for _, f := range x.Keys() {
		if token := ours[f]; token != "" {
			r.ofExternal(x, "EXTERNAL-OURS", x.Name+" "+token, "a key of its targets is also that of %s here, SHA-256 %s", token, f)
		}
	}
}
