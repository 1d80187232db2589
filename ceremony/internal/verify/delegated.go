package verify

import (
	"maps"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// walkDown goes from the newest root to targets, and from there to each role in
// the bundle, one step at a time: a role delegates only once its own signatures
// have been counted. What the ceremony has not signed stands in trusted/, as it
// was published.
//
// Only a ceremony with delegated roles needs it: trusted/ of another one is the
// review's.
func (j *judge) walkDown() error {
	j.below = map[string]*tufmeta.Targets{}
	newest, err := j.newestOfEach()
	if err != nil {
		return err
	}
	top := func(v folder.Version) bool { return slices.Contains(tufmeta.TopRoles, v.Role) }
	if !slices.ContainsFunc(j.versions, func(v folder.Version) bool { return !top(v) }) {
		return nil
	}
	refused := map[string]error{}
	for proved := true; proved; {
		proved = false
		for _, role := range slices.Sorted(maps.Keys(newest)) {
			by := j.under(role) // those who are proved so far
			if j.below[role] != nil || len(by) == 0 {
				continue
			}
			if refused[role] = j.prove(role, newest[role], by); refused[role] == nil {
				proved = true
			}
		}
	}
	for _, role := range slices.Sorted(maps.Keys(refused)) {
		if refused[role] != nil {
			return refused[role]
		}
	}
	return nil
}

// source is a file of the bundle with its version.
type source struct {
	folder.Version
	data []byte
}

// newestOfEach finds targets and each delegated role: as signed here, else as it
// is trusted.
func (j *judge) newestOfEach() (map[string]source, error) {
	newest := map[string]source{}
	for _, part := range []string{folder.Trusted, folder.Metadata} {
		versions, err := j.full.Versions(part)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			if v.Role == "targets" || !slices.Contains(tufmeta.TopRoles, v.Role) {
				newest[v.Role] = source{v, j.full[part+"/"+v.File()]}
			}
		}
	}
	return newest, nil
}

// prove counts a role's signatures under one of those that delegate to it. (A
// role of this ceremony is counted under each of them, in roles.)
func (j *judge) prove(role string, file source, by []tufmeta.Delegator) error {
	env, err := stream.ReadEnvelope(file.data)
	if err != nil {
		return err
	}
	targets, err := env.Parse()
	if err != nil {
		return err
	}
	for _, d := range by {
		if tufmeta.Count(env.Canonical, env.Signatures, d.Keys, d.Role).Reached() {
			j.below[role] = targets
			return nil
		}
	}
	return check.Refused("THRESHOLD-NEW", tufmeta.Printable(file.String()), "it has not the signatures that %s asks for, and this ceremony relies on it", by[0])
}
