package verify

import (
	"fmt"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
)

// secondOpinion has go-tuf walk the same roots and check the same targets, and the
// same delegated roles. It
// panics on some malformed input, so what it does with a hostile file is
// caught, and is a refusal.
func (j *judge) secondOpinion() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = disagrees("bundle", fmt.Errorf("it panicked: %v", r))
		}
	}()
	set, err := trustedmetadata.New(j.trusted)
	if err != nil {
		return disagrees("the trusted root", err)
	}
	for _, version := range j.facts.Chain[1:] {
		if _, err := set.UpdateRoot(j.facts.Roots[version]); err != nil {
			return disagrees(fmt.Sprintf("root %d", version), err)
		}
	}
	return j.targetsOpinion(set.Root)
}

// maxOpinion is the size, in bytes, of a file up to which go-tuf is asked: what
// clients take of a file whose length nobody lists. It takes 27 times as much memory
// as the file has, and minutes for a million targets (docs/scale.md). People are told
// of those that it was not asked about.
const maxOpinion = 5_000_000

// targetsOpinion has go-tuf check what is signed below the root, each file under
// those under whose keys it was counted, and the trusted files on the way to
// them.
func (j *judge) targetsOpinion(root *metadata.Metadata[metadata.RootType]) error {
	newest, err := j.newestOfEach()
	if err != nil {
		return err
	}
	read := map[string]*metadata.Metadata[metadata.TargetsType]{}
	for role, file := range newest {
		if j.below[role] == nil && !slices.Contains(j.versions, file.Version) {
			continue // nothing here depends on it
		}
		if len(file.data) > maxOpinion {
			j.facts.Unasked = append(j.facts.Unasked, file.Version)
			continue
		}
		if read[role], err = metadata.Targets().FromBytes(file.data); err != nil {
			return disagrees(tufmeta.Printable(file.String()), err)
		}
		if read[role].Signed.Version != file.Version.Version {
			return disagrees(tufmeta.Printable(file.String()), fmt.Errorf("it reads version %d", read[role].Signed.Version))
		}
	}
	for role, targets := range read {
		if err := j.delegateOpinion(root, read, newest[role].Version, targets); err != nil {
			return err
		}
	}
	slices.SortFunc(j.facts.Unasked, folder.Compare)
	return nil
}

// delegateOpinion has go-tuf count the signatures of one file. What is signed here
// must be good under all who delegate to it, other files under one.
func (j *judge) delegateOpinion(root *metadata.Metadata[metadata.RootType], read map[string]*metadata.Metadata[metadata.TargetsType], v folder.Version, targets *metadata.Metadata[metadata.TargetsType]) error {
	asked, good := 0, 0
	under := j.under(v.Role)
	var bad error
	for _, by := range under {
		var err error
		switch {
		case by.Name == "root":
			err = root.VerifyDelegate(v.Role, targets)
		case read[by.Name] != nil:
			err = read[by.Name].VerifyDelegate(v.Role, targets)
		default:
			continue // go-tuf was not asked about it
		}
		asked++
		if err != nil {
			bad = err
		} else {
			good++
		}
	}
	if asked == 0 && len(under) > 0 {
		j.facts.Unasked = append(j.facts.Unasked, v)
		return nil
	}
	if good == 0 || slices.Contains(j.versions, v) && good < asked {
		return disagrees(tufmeta.Printable(v.String()), bad)
	}
	return nil
}

func disagrees(subject string, err error) error {
	return check.Refused("SECOND-OPINION", subject, "go-tuf says: %v", err)
}
