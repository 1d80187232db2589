// Package verify judges the result of a ceremony as a stranger does: from the
// files of a bundle, a root that the stranger already trusts, and a time.
//
//	v, err := verify.Files(files, trustedRoot, time.Now())
//
// It starts from bytes and believes nothing that the folder says of itself. In
// turn: the payloads are taken back out of the metadata; the whole review runs
// again; the roots must be a chain from the trusted one; each threshold is
// counted by distinct public key; every signature carried must be good; the
// record must hold; and go-tuf, which shares no code with any of this, must
// come to the same result.
//
// A Verified is the proof that all of that was so. Only Files makes one, and
// only a Verified can be bundled or published. It will not fetch anything, and
// a root that expired is not trusted for new work: the time decides.
package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// Verified is a ceremony that has been proved. Its zero value proves nothing.
type Verified struct{ facts *Facts }

// Facts are what was proved.
type Facts struct {
	Report  *review.Report
	Trusted int64  // version of the root that trust began from
	Began   []byte // that root
	Chain   []int64
	Roles   []Role
	Record  []record.Chain
	At      time.Time
	Files   folder.Files     // as they stand in a bundle
	Roots   map[int64][]byte // every root after the trusted one
	NewRoot []byte           // the newest root, which may be the trusted one
	Unasked []folder.Version // files that go-tuf was not asked about: they are too large for it
}

// Role is a role that the ceremony signed.
type Role struct {
	folder.Version
	Digest  string
	Expires string
	Counts  []Count
}

// Count is a threshold that was reached, and the fingerprints that reached it.
type Count struct {
	By        string // root, or the role that delegates
	Under     int64  // and its version
	Threshold int
	Signers   []string
}

// Whose names what has the keys: "root 12".
func (c Count) Whose() string { return fmt.Sprintf("%s %d", c.By, c.Under) }

// Facts gives what was proved, or false for the zero value.
func (v Verified) Facts() (*Facts, bool) { return v.facts, v.facts != nil }

// Files judges the files of a bundle, or of a folder with its metadata. An
// error is a refusal; a *check.Error names the checks.
func Files(files folder.Files, trustedRoot []byte, at time.Time) (Verified, error) {
	j := &judge{at: at, facts: &Facts{At: at, Roots: map[int64][]byte{}}}
	steps := []func() error{j.payloads, j.review, j.signatures, j.chain, j.roles, j.secondOpinion}
	j.given, j.trusted = files, trustedRoot
	for _, step := range steps {
		if err := step(); err != nil {
			return Verified{}, fmt.Errorf("verifying: %w", err)
		}
	}
	return Verified{j.facts}, nil
}

type judge struct {
	given    folder.Files
	trusted  []byte
	at       time.Time
	versions []folder.Version
	full     folder.Files // given, with the payloads
	roots    *inspect.Roots
	below    map[string]*tufmeta.Targets // targets and delegated roles that were proved, the newest of each
	facts    *Facts
}

// payloads takes the signed bytes back out of the metadata. What a bundle
// carries is settled here: nothing that is not checked further on.
func (j *judge) payloads() error {
	var err error
	if j.versions, err = j.given.Versions(folder.Metadata); err != nil {
		return err
	}
	if len(j.versions) == 0 {
		return errors.New("there is no metadata")
	}
	j.full, j.facts.Files = folder.Files{}, folder.Files{}
	for name, data := range j.given {
		if part, _, _ := strings.Cut(name, "/"); !slices.Contains(folder.Parts, part) {
			return fmt.Errorf("\"%s\" has no place in a ceremony", tufmeta.Printable(name))
		}
		if !strings.HasPrefix(name, folder.Payload+"/") {
			j.full[name], j.facts.Files[name] = data, data
		}
	}
	for _, v := range j.versions {
		head, err := stream.ReadEnvelope(j.given[folder.Metadata+"/"+v.File()])
		if err != nil {
			return fmt.Errorf("reading %s: %w", v.File(), err)
		}
		j.full[folder.Payload+"/"+v.File()] = head.Canonical
	}
	return nil
}

func (j *judge) review() error {
	report, err := review.Review(j.full)
	if err != nil {
		return err
	}
	if err := check.Refuse(report.Results); err != nil {
		return err
	}
	if err := check.Refuse(alive(report.Results)); err != nil {
		return err
	}
	j.facts.Report = report
	j.facts.Record, _ = record.Read(j.full)
	return nil
}

// alive are the one-time keys that nobody has destroyed, and whose destruction
// the plan does not waive: a note while people sign, and no longer now.
func alive(results []check.Result) []check.Result {
	var all []check.Result
	for _, x := range results {
		if x.Check == "ONE-TIME-ALIVE" && x.Waived == "" {
			all = append(all, x)
		}
	}
	return check.Published.Weigh(all)
}

// signatures wants every detached signature to be good, and the metadata to
// be exactly what they make.
func (j *judge) signatures() error {
	c, err := assemble.Collect(j.full)
	if err != nil {
		return err
	}
	c.Without(&j.facts.Report.Plan.Roster)
	if err := check.Refuse(c.Dropped); err != nil {
		return err
	}
	return c.Confirm(j.given)
}

// chain goes from the trusted root to the newest, and wants the bundle to have
// started from the same place.
func (j *judge) chain() error {
	env, err := tufmeta.ParseEnvelope(j.trusted)
	if err != nil {
		return fmt.Errorf("reading the trusted root: %w", err)
	}
	trusted, err := tufmeta.ParseRoot(env.Signed)
	if err != nil {
		return fmt.Errorf("reading the trusted root: %w", err)
	}
	j.facts.Trusted, j.facts.Began, j.facts.NewRoot = trusted.Version, j.trusted, j.trusted
	files := []inspect.File{{Name: "the trusted root", Data: j.trusted}}
	for _, part := range []string{folder.Trusted, folder.Metadata} {
		versions, err := j.full.Versions(part)
		if err != nil {
			return err
		}
		for _, v := range versions {
			data := j.full[part+"/"+v.File()]
			switch {
			case v.Role != "root" || v.Version < trusted.Version:
			case v.Version == trusted.Version:
				if err := j.sameRoot(data, env, v); err != nil {
					return err
				}
			default:
				files = append(files, inspect.File{Name: v.File(), Data: data})
				j.facts.Roots[v.Version] = data
			}
		}
	}
	return j.walk(files)
}

func (j *judge) walk(files []inspect.File) error {
	roots, err := inspect.Chain(files, j.at)
	if err != nil {
		return err
	}
	if err := check.Refuse(roots.Broken); err != nil {
		return err
	}
	j.roots = roots
	last := roots.Last()
	newest := j.newest()
	if last.Root.Version > newest {
		return check.Refused("VERSION-SEQUENCE", "bundle", "it ends at root %d, and root %d is already trusted: the bundle is older", newest, last.Root.Version)
	}
	for _, l := range roots.Links {
		j.facts.Chain = append(j.facts.Chain, l.Root.Version)
	}
	if data, ok := j.facts.Roots[last.Root.Version]; ok {
		j.facts.NewRoot = data
	}
	return j.unexpired("root", last.Root.Common)
}

// newest is the version of the root at which the bundle ends.
func (j *judge) newest() int64 {
	var newest int64
	for _, part := range []string{folder.Trusted, folder.Metadata} {
		versions, _ := j.full.Versions(part)
		for _, v := range versions {
			if v.Role == "root" {
				newest = max(newest, v.Version)
			}
		}
	}
	return newest
}

func (j *judge) unexpired(subject string, c tufmeta.Common) error {
	for _, r := range inspect.Common(c, subject, j.at) {
		if r.Check == "EXPIRES-PAST" || r.Check == "JSON-STRICT" {
			r.Level = check.Refusal
			return check.Refuse([]check.Result{r})
		}
	}
	return nil
}

// roles counts each threshold again: root under both roots, targets under the
// newest root of the chain, and delegated roles under those that delegate to
// them, down from targets.
func (j *judge) roles() error {
	if err := j.walkDown(); err != nil {
		return err
	}
	for _, v := range j.versions {
		env, common, err := j.read(v)
		if err != nil {
			return err
		}
		role := Role{Version: v, Digest: tufmeta.Digest(env.Canonical), Expires: common.Expires}
		for _, by := range j.under(v.Role) {
			tally := tufmeta.Count(env.Canonical, env.Signatures, by.Keys, by.Role)
			if !tally.Reached() {
				return check.Refused("THRESHOLD-NEW", v.String(), "%d of %d signatures under %s", tally.Valid(), tally.Threshold, by)
			}
			role.Counts = append(role.Counts, Count{by.Name, by.Version, tally.Threshold, tally.Signers})
		}
		if len(role.Counts) == 0 {
			return check.Refused("THRESHOLD-NEW", v.String(), "neither the newest root nor a role that targets leads to says who signs it")
		}
		if err := j.unexpired(v.Role, common); err != nil {
			return err
		}
		j.facts.Roles = append(j.facts.Roles, role)
	}
	slices.SortStableFunc(j.facts.Roles, func(a, b Role) int { return folder.Compare(a.Version, b.Version) })
	return nil
}

// read takes in a file of metadata/, which must be what its name says.
func (j *judge) read(v folder.Version) (*stream.Head, tufmeta.Common, error) {
	env, err := stream.ReadEnvelope(j.given[folder.Metadata+"/"+v.File()])
	if err != nil {
		return nil, tufmeta.Common{}, err
	}
	common, err := tufmeta.ParseCommon(env.Signed)
	if err != nil {
		return nil, tufmeta.Common{}, err
	}
	want := v.Role
	if !slices.Contains(tufmeta.TopRoles, v.Role) {
		want = "targets" // a delegated role says its name nowhere
	}
	if common.Type != want || common.Version != v.Version {
		return nil, tufmeta.Common{}, fmt.Errorf("%s says it is %s %d", tufmeta.Printable(v.File()), tufmeta.Printable(common.Type), common.Version)
	}
	return env, common, nil
}

// under lists whose keys a role is counted under.
func (j *judge) under(role string) []tufmeta.Delegator {
	if !slices.Contains(tufmeta.TopRoles, role) {
		return tufmeta.Delegators(j.below, role)
	}
	links := j.roots.Links[len(j.roots.Links)-1:]
	if role == "root" && len(j.roots.Links) > 1 {
		links = j.roots.Links[len(j.roots.Links)-2:]
	}
	var all []tufmeta.Delegator
	for _, l := range links {
		if r := l.Root.Roles[role]; r != nil {
			all = append(all, tufmeta.Delegator{Name: "root", Version: l.Root.Version, Keys: l.Root.Keys, Role: r})
		}
	}
	return all
}

// Event computes the event ID of a bundle's files, in which the payloads stand
// inside the metadata.
func Event(files folder.Files) (folder.Event, error) {
	j := &judge{given: files, facts: &Facts{}}
	if err := j.payloads(); err != nil {
		return folder.Event{}, err
	}
	return j.full.Event(), nil
}
