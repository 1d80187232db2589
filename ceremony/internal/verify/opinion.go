package verify

import (
	"fmt"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"tufceremony/ceremony/internal/check"
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
		if read[role], err = metadata.Targets().FromBytes(file.data); err != nil {
			return disagrees(tufmeta.Printable(file.String()), err)
		}
		if read[role].Signed.Version != file.Version.Version {
			return disagrees(tufmeta.Printable(file.String()), fmt.Errorf("it reads version %d", read[role].Signed.Version))
		}
	}
	for role, targets := range read {
		good := 0
		var bad error
		under := j.under(role)
		for _, by := range under {
			if by.Name == "root" {
				err = root.VerifyDelegate(role, targets)
			} else {
				err = read[by.Name].VerifyDelegate(role, targets)
			}
			if err != nil {
				bad = err
			} else {
				good++
			}
		}
		signed := slices.Contains(j.versions, newest[role].Version)
		if good == 0 || signed && good < len(under) {
			return disagrees(tufmeta.Printable(newest[role].String()), bad)
		}
	}
	return nil
}

func disagrees(subject string, err error) error {
	return check.Refused("SECOND-OPINION", subject, "go-tuf says: %v", err)
}
