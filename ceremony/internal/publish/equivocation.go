package publish

import (
	"fmt"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// Equivocates says of a bundle that it has another root than the one that is
// published, of the same version and as good as that one: signed to the
// threshold of the published root before it. Another reason to refuse the
// bundle may stand before this one, and says less.
func Equivocates(r *Repository, files folder.Files) error {
	if r.First == nil {
		return nil
	}
	published, err := roots(r.First, r.files)
	if err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	for i := 1; i < len(published); i++ {
		v := folder.Version{Role: "root", Version: published[i].Version}
		for _, part := range []string{folder.Trusted, folder.Metadata} {
			if err := twoRoots(v, files[part+"/"+v.File()], published[i], published[i-1], namesIn(files)); err != nil {
				return fmt.Errorf("publishing: %w", err)
			}
		}
	}
	return nil
}

// twoRoots compares a root with the published one of its version. One that
// cannot be read, or does not follow the published one before, is another's
// affair.
func twoRoots(v folder.Version, data []byte, published, before root, names *roster.Roster) error {
	mine, err := tufmeta.ParseEnvelope(data)
	if err != nil || !tufmeta.Count(mine.Canonical, mine.Signatures, before.Keys, before.Roles["root"]).Reached() {
		return nil
	}
	theirs, err := tufmeta.ParseEnvelope(published.data)
	if err != nil {
		return err
	}
	keys := []map[string]*tufmeta.Key{before.Keys, published.Keys}
	result, differ := inspect.Equivocation(v.String(), inspect.Copy{Name: "the published one", Envelope: theirs}, inspect.Copy{Name: "the bundle's", Envelope: mine}, keys, names.Describe)
	if !differ {
		return nil
	}
	return check.Refuse([]check.Result{result})
}

// namesIn gives the names that a bundle's own plan has for keys, as far as it
// can be read.
func namesIn(files folder.Files) *roster.Roster {
	p, err := plan.Parse(files[folder.Plan])
	if err != nil {
		return &roster.Roster{}
	}
	p.Roster.LoadKeysThere(files)
	return &p.Roster
}
