package verify

import (
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
)

// secondOpinion has go-tuf walk the same roots and check the same targets. It
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
	for _, v := range j.versions {
		if v.Role == "root" {
			continue
		}
		targets, err := metadata.Targets().FromBytes(j.given[folder.Metadata+"/"+v.File()])
		if err != nil {
			return disagrees(v.String(), err)
		}
		if err := set.Root.VerifyDelegate(v.Role, targets); err != nil {
			return disagrees(v.String(), err)
		}
		if targets.Signed.Version != v.Version {
			return disagrees(v.String(), fmt.Errorf("it reads version %d", targets.Signed.Version))
		}
	}
	return nil
}

func disagrees(subject string, err error) error {
	return check.Refused("SECOND-OPINION", subject, "go-tuf says: %v", err)
}
