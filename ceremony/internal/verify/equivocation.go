package verify

import (
	"bytes"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/tufmeta"
)

// sameRoot compares what is signed, never file bytes: published copies differ
// in white space and in signatures.
func (j *judge) sameRoot(data []byte, trusted *tufmeta.Envelope, v folder.Version) error {
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		return err
	}
	if bytes.Equal(env.Canonical, trusted.Canonical) {
		return nil
	}
	if err := j.twoRoots(inspect.Copy{Name: "the trusted one", Envelope: trusted}, inspect.Copy{Name: "the bundle's", Envelope: env}, v); err != nil {
		return err
	}
	return check.Refused("EVENT-MISMATCH", v.String(), "the bundle began from another root %d than the trusted one: it is for another repository", v.Version)
}

// twoRoots asks whether both roots follow the same one. Then they are of one
// repository, and it is no mistake of whoever named the files. That the same
// people signed both is not enough: they may keep two repositories.
func (j *judge) twoRoots(trusted, mine inspect.Copy, v folder.Version) error {
	before, err := j.rootOf(v.Version - 1)
	if err != nil {
		return nil
	}
	tally := tufmeta.Count(trusted.Envelope.Canonical, trusted.Envelope.Signatures, before.Keys, before.Roles["root"])
	if !tally.Reached() {
		return nil
	}
	keys := []map[string]*tufmeta.Key{before.Keys}
	if root, err := tufmeta.ParseRoot(mine.Envelope.Signed); err == nil {
		keys = append(keys, root.Keys)
	}
	result, _ := inspect.Equivocation(v.String(), trusted, mine, keys, j.facts.Report.Plan.Roster.Describe)
	return check.Refuse([]check.Result{result})
}

// rootOf reads a root of the bundle's trusted/.
func (j *judge) rootOf(version int64) (*tufmeta.Root, error) {
	env, err := tufmeta.ParseEnvelope(j.full[folder.Trusted+"/"+folder.Version{Role: "root", Version: version}.File()])
	if err != nil {
		return nil, err
	}
	return tufmeta.ParseRoot(env.Signed)
}
