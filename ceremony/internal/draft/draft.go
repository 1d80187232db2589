// Package draft makes payloads: the canonical bytes of the next root, targets
// and delegated roles, from the trusted metadata and the plan.
//
//	payloads, err := draft.Payloads(plan, files)
//
// It changes what the plan says and nothing else: fields that it does not know
// are carried over, and a key that stays keeps its key object. Two things it
// mends on the way, since nothing new may have them: a key ID that is not that
// of its content, and key types and encodings of earlier tools.
//
// It checks next to nothing. Whether the result may be signed is for package
// review to say, which shares no code with this one and reads the bytes.
package draft

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// Payloads gives the payload files by path in the folder.
func Payloads(p *plan.Plan, files folder.Files) (folder.Files, error) {
	payloads := folder.Files{}
	if p.Root != nil {
		signed, err := root(p, files)
		if err != nil {
			return nil, fmt.Errorf("drafting root %d: %w", p.Root.Version, err)
		}
		if err := put(payloads, "root", p.Root.Version, signed); err != nil {
			return nil, err
		}
	}
	external, err := plan.ExternalRoots(files)
	if err != nil {
		return nil, err
	}
	for _, t := range p.TargetsRoles() {
		payload, err := targets(p, t, files, external)
		if err != nil {
			return nil, fmt.Errorf("drafting %s %d: %w", t.Name(), t.Version, err)
		}
		payloads[folder.Payload+"/"+t.Payload().File()] = payload
	}
	if err := delegators(p, files, payloads); err != nil {
		return nil, err
	}
	return payloads, nil
}

func put(payloads folder.Files, role string, version int64, signed map[string]any) error {
	canonical, err := tufmeta.Encode(signed)
	if err != nil {
		return fmt.Errorf("drafting %s %d: %w", role, version, err)
	}
	payloads[folder.Payload+"/"+folder.Version{Role: role, Version: version}.File()] = canonical
	return nil
}

// version is a version of a role, published or, where there is none, made up.
type version struct {
	folder.Version
	published, payload []byte
}

// newest gives the newest trusted version of a role, or nil where there is none.
func newest(files folder.Files, role string) (*version, error) {
	versions, err := files.Versions(folder.Trusted)
	if err != nil {
		return nil, err
	}
	var found *version
	for _, v := range versions {
		if v.Role == role {
			found = &version{Version: v, published: files[folder.Trusted+"/"+v.File()]}
		}
	}
	return found, nil
}

// read gives what a version says, less its targets, and how to go through those.
func (v *version) read() (*stream.Head, func() (*stream.Scanner, error), error) {
	if v.published == nil {
		head, err := stream.ReadPayload(v.payload)
		return head, func() (*stream.Scanner, error) { return stream.OpenPayload(v.payload), nil }, err
	}
	head, err := stream.ReadEnvelope(v.published)
	if err != nil {
		return nil, nil, fmt.Errorf("reading trusted %s: %w", v, err)
	}
	return head, func() (*stream.Scanner, error) { return stream.OpenEnvelope(v.published) }, nil
}

// trustedRoot gives the signed part of the newest trusted root, or nil.
func trustedRoot(files folder.Files) (map[string]any, error) {
	root, err := newest(files, "root")
	if err != nil || root == nil {
		return nil, err
	}
	head, _, err := root.read()
	if err != nil {
		return nil, err
	}
	return head.Signed, nil
}

// mark says in the metadata itself that it is of a rehearsal.
func mark(p *plan.Plan, signed map[string]any) {
	if p.Rehearsal {
		signed[tufmeta.RehearsalField] = true
	}
}

func common(role string, version int64, expires time.Time) map[string]any {
	return map[string]any{"_type": role, "spec_version": tufmeta.SpecVersion, "version": version, "expires": tufmeta.Stamp(expires)}
}

func root(p *plan.Plan, files folder.Files) (map[string]any, error) {
	signed, err := trustedRoot(files)
	if err != nil {
		return nil, err
	}
	old, err := quorum.TrustedRoot(files)
	if err != nil {
		return nil, err
	}
	switch {
	case p.Kind == plan.Genesis && signed != nil:
		return nil, errors.New("a genesis starts from nothing, and trusted/ has a root")
	case p.Kind != plan.Genesis && signed == nil:
		return nil, errors.New("trusted/ has no root to go on from")
	case signed == nil:
		signed = common("root", p.Root.Version, p.Root.Expires)
		signed["consistent_snapshot"] = true
	}
	signed = maps.Clone(signed)
	signed["version"] = p.Root.Version
	signed["expires"] = tufmeta.Stamp(p.Root.Expires)
	var oldKeys map[string]*tufmeta.Key
	if old != nil {
		oldKeys = old.Keys
	}
	keys := map[string]any{}
	oldRoles, _ := signed["roles"].(map[string]any)
	roles := map[string]any{}
	maps.Copy(roles, oldRoles)
	for name, want := range p.Root.Roles {
		ids := []any{}
		for _, token := range want.Tokens {
			key, err := keyFor(&p.Roster, token, oldKeys)
			if err != nil {
				return nil, err
			}
			keys[key.ID] = key.Object
			ids = append(ids, key.ID)
		}
		role := map[string]any{}
		if before, ok := oldRoles[name].(map[string]any); ok {
			maps.Copy(role, before)
		}
		role["keyids"], role["threshold"] = ids, int64(want.Threshold)
		roles[name] = role
	}
	keepKeys(p, old, keys)
	signed["keys"], signed["roles"] = keys, roles
	mark(p, signed)
	return signed, nil
}

// keepKeys carries over the keys of roles that the plan does not name: they
// are as unknown fields are.
func keepKeys(p *plan.Plan, old *tufmeta.Root, keys map[string]any) {
	if old == nil {
		return
	}
	for name, role := range old.Roles {
		if _, planned := p.Root.Roles[name]; planned {
			continue
		}
		for _, id := range role.KeyIDs {
			if key := old.Keys[id]; key != nil {
				keys[id] = key.Object
			}
		}
	}
}

// keyFor gives the key object of a token: the one that the metadata before has
// for this public key, mended where it must be, or a new one.
func keyFor(r *roster.Roster, name string, old map[string]*tufmeta.Key) (*tufmeta.Key, error) {
	token, ok := r.Token(name)
	if !ok || token.Key == nil {
		return nil, fmt.Errorf("no public key is known for token %q", name)
	}
	var listed *tufmeta.Key
	for _, key := range old {
		if key.Fingerprint() == token.Key.Fingerprint() && (listed == nil || better(key, listed)) {
			listed = key
		}
	}
	if listed == nil {
		return token.Key, nil
	}
	object := maps.Clone(listed.Object)
	if !listed.Standard() {
		object["keytype"], object["keyval"] = token.Key.Object["keytype"], token.Key.Object["keyval"]
	}
	return tufmeta.WithID(object)
}

// better prefers, of two objects with one public key, the one that needs no
// mending, and then the lower key ID, so that the choice is always the same.
func better(a, b *tufmeta.Key) bool {
	if a.IDMatches() != b.IDMatches() {
		return a.IDMatches()
	}
	return a.ID < b.ID
}
