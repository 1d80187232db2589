package draft

import (
	"errors"
	"fmt"
	"maps"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// signers gives the keys and the threshold of a delegation: of tokens that the
// plan lists, or as the newest root of another repository has them for its
// targets role.
func signers(p *plan.Plan, x plan.Delegation, old map[string]*tufmeta.Key, external map[string][]*tufmeta.Root) ([]*tufmeta.Key, int, error) {
	if x.External != "" {
		keys, threshold, err := imported(external[x.External])
		if err != nil {
			return nil, 0, fmt.Errorf("importing the keys of %q: %w", x.External, err)
		}
		return keys, threshold, nil
	}
	var keys []*tufmeta.Key
	for _, token := range x.Tokens {
		key, err := keyFor(&p.Roster, token, old)
		if err != nil {
			return nil, 0, err
		}
		keys = append(keys, key)
	}
	return keys, x.Threshold, nil
}

// imported gives the keys of another repository's targets. Their objects stay
// as they are, fields that nobody here knows included: the key ID depends on all
// of them, and it is the one that the other project's signatures name.
func imported(roots []*tufmeta.Root) ([]*tufmeta.Key, int, error) {
	if len(roots) == 0 {
		return nil, 0, fmt.Errorf("%s/ has no root of it", folder.External)
	}
	root := roots[len(roots)-1]
	role := root.Roles["targets"]
	if role == nil {
		return nil, 0, fmt.Errorf("its root %d has no role targets", root.Version)
	}
	var keys []*tufmeta.Key
	seen := map[string]bool{}
	for _, id := range role.KeyIDs {
		key, err := mended(root.Keys[id])
		if err != nil {
			return nil, 0, fmt.Errorf("key %s of its root %d cannot be listed: %w", tufmeta.Printable(id), root.Version, err)
		}
		if !seen[key.Fingerprint()] { // a key under two key IDs is one signer
			seen[key.Fingerprint()] = true
			keys = append(keys, key)
		}
	}
	return keys, role.Threshold, nil
}

// mended gives a key under its right key ID, and in the form of the
// specification where earlier tools wrote it otherwise.
func mended(listed *tufmeta.Key) (*tufmeta.Key, error) {
	switch {
	case listed == nil:
		return nil, errors.New("the role names it, and it is not among the keys")
	case listed.Err != nil:
		return nil, listed.Err
	case listed.Standard():
		return tufmeta.WithID(listed.Object)
	}
	standard, err := tufmeta.NewKey(listed.Public)
	if err != nil {
		return nil, fmt.Errorf("its encoding is that of earlier tools, and has no standard form: %w", err)
	}
	object := maps.Clone(listed.Object)
	object["keytype"], object["keyval"] = standard.Object["keytype"], standard.Object["keyval"]
	return tufmeta.WithID(object)
}
