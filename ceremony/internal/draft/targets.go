package draft

import (
	"fmt"
	"io"
	"iter"
	"maps"
	"reflect"
	"slices"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// targets drafts targets or a delegated role, which have one form: what is
// trusted, in one pass, with what the plan changes put in on the way.
func targets(p *plan.Plan, t *plan.TargetsPlan, files folder.Files, external map[string][]*tufmeta.Root) ([]byte, error) {
	last, err := newest(files, t.Name())
	if err != nil {
		return nil, err
	}
	if last == nil {
		if last, err = first(t); err != nil {
			return nil, err
		}
	}
	head, open, err := last.read()
	if err != nil {
		return nil, err
	}
	var below *tufmeta.Delegations
	if t.Delegations != nil || t.Promotes() {
		before, err := head.Parse()
		if err != nil {
			return nil, err
		}
		below = before.Delegations
	}
	edits, err := edits(p, t, head.Signed, below, external)
	if err != nil {
		return nil, err
	}
	var roles func([]byte) ([][]byte, error) // copied, where no project changes
	if t.Promotes() {
		promotion, err := promote(t, below)
		if err != nil {
			return nil, err
		}
		if edits = append(edits, promotion.edits()...); !promotion.none {
			roles = promotion.roles
		}
		slices.SortStableFunc(edits, stream.CompareEdits)
	}
	return spool.Create(func(w io.Writer) error {
		scanner, err := open()
		if err != nil {
			return err
		}
		out := stream.NewWriter(w)
		if err := stream.Merge(out, scanner, each(edits), roles); err != nil {
			return err
		}
		_, err = out.Close()
		return err
	})
}

// first is what a first version goes on from.
func first(t *plan.TargetsPlan) (*version, error) {
	if t.Version != 1 {
		before := folder.Version{Role: t.Name(), Version: t.Version - 1}
		return nil, fmt.Errorf("trusted/ has no %s to go on from: put the published %s there", t.Name(), before.File())
	}
	signed := common("targets", t.Version, t.Expires)
	signed["targets"] = map[string]any{}
	payload, err := tufmeta.Encode(signed)
	return &version{payload: payload}, err
}

// edits are the changes to the last version, in the order in which stream.Merge
// wants them.
func edits(p *plan.Plan, t *plan.TargetsPlan, before map[string]any, below *tufmeta.Delegations, external map[string][]*tufmeta.Root) ([]stream.Edit, error) {
	after := maps.Clone(before)
	after["version"], after["expires"] = t.Version, tufmeta.Stamp(t.Expires)
	mark(p, after)
	list := fields(before, after)
	if t.Delegations != nil {
		rest, _ := before["delegations"].(map[string]any)
		to, err := delegations(p, t.Delegations, rest, below, external)
		if err != nil {
			return nil, err
		}
		if !stay(rest, below, to) {
			text, err := small(t, to)
			if err != nil {
				return nil, err
			}
			list = append(list, stream.Edit{In: stream.Signed, Name: "delegations", To: stream.Set(text)})
		}
	}
	for _, f := range t.Files() {
		list = append(list, stream.Edit{In: stream.Targets, Name: f.Path, To: func([]byte) ([]byte, error) { return tufmeta.Encode(entry(f)) }})
	}
	for _, path := range t.Remove {
		list = append(list, stream.Edit{In: stream.Targets, Name: path, To: func(old []byte) ([]byte, error) {
			if old == nil {
				return nil, fmt.Errorf("the plan removes \"%s\", which the trusted %s does not have", tufmeta.Printable(path), t.Name())
			}
			return nil, nil
		}})
	}
	slices.SortStableFunc(list, stream.CompareEdits)
	return list, nil
}

// small writes delegations, or nothing where there are none, and refuses those that
// could not be read again: written out in a plan they are one entry. A list of projects
// is not.
func small(t *plan.TargetsPlan, delegations map[string]any) ([]byte, error) {
	if delegations == nil {
		return nil, nil
	}
	text, err := tufmeta.Encode(delegations)
	if n := len("delegations") + len(text); err == nil && n > stream.MaxEntry {
		return nil, &plan.Error{Problem: fmt.Sprintf("the delegations of %s make %d bytes of metadata, and %d are the most", tufmeta.Printable(t.Name()), n, stream.MaxEntry),
			Remedy: "delegate to a role that delegates on, or, where they are projects, list them in a file of their own with `ceremony promote`, which has no such limit"}
	}
	return text, err
}

// fields gives an edit for each field that changes.
func fields(before, after map[string]any) []stream.Edit {
	all := maps.Clone(before)
	maps.Copy(all, after)
	var list []stream.Edit
	for name := range all {
		value, there := after[name]
		if there && reflect.DeepEqual(value, before[name]) {
			continue
		}
		list = append(list, stream.Edit{In: stream.Signed, Name: name, To: func([]byte) ([]byte, error) {
			if !there {
				return nil, nil
			}
			return tufmeta.Encode(value)
		}})
	}
	return list
}

// entry is what is signed of a target. Nothing of an entry before it is kept:
// what was said of another file is not true of this one.
func entry(f plan.File) map[string]any {
	hashes := map[string]any{"sha256": f.SHA256}
	if f.SHA512 != "" {
		hashes["sha512"] = f.SHA512
	}
	e := map[string]any{"length": f.Length, "hashes": hashes}
	if f.Custom != nil {
		e["custom"] = f.Custom
	}
	return e
}

// delegations writes all that a role delegates, or nothing where that is none. Fields
// that are not known are carried over: of the delegations as a whole, which rest has,
// and of a role whose name stays.
func delegations(p *plan.Plan, want *plan.Delegations, rest map[string]any, old *tufmeta.Delegations, external map[string][]*tufmeta.Root) (map[string]any, error) {
	if len(want.Roles) == 0 {
		return nil, nil
	}
	listed := ofPlan(&p.Roster, old)
	keys, roles := map[string]any{}, []any{}
	out := maps.Clone(rest)
	if out == nil {
		out = map[string]any{}
	}
	delete(out, "roles")
	delete(out, "succinct_roles")
	for _, x := range want.Roles {
		signers, threshold, err := signers(p, x, listed, external)
		if err != nil {
			return nil, err
		}
		ids := []any{}
		for _, key := range signers {
			keys[key.ID] = key.Object
			ids = append(ids, key.ID)
		}
		role := stays(old, x)
		role["keyids"], role["threshold"] = ids, int64(threshold)
		if x.Bits > 0 {
			role["bit_length"], role["name_prefix"] = int64(x.Bits), x.Name
			out["succinct_roles"] = role
			break // the plan has no other beside it
		}
		role["name"], role["terminating"] = x.Name, x.Terminating
		if len(x.Paths) > 0 {
			role["paths"] = texts(x.Paths)
		} else {
			role["path_hash_prefixes"] = texts(x.Prefixes)
		}
		roles = append(roles, role)
	}
	if len(roles) > 0 {
		out["roles"] = roles
	}
	out["keys"] = keys
	return out, nil
}

// stay reports whether delegations are to be as they were.
func stay(rest map[string]any, old *tufmeta.Delegations, to map[string]any) bool {
	if to == nil || old == nil || !reflect.DeepEqual(rest, tufmeta.Emptied(to)) {
		return false
	}
	now, err := tufmeta.ParseDelegations(to)
	return err == nil && old.Same(now)
}

// ofPlan gives, of the keys that are listed, those of the tokens of the plan.
func ofPlan(r *roster.Roster, d *tufmeta.Delegations) map[string]*tufmeta.Key {
	keys := map[string]*tufmeta.Key{}
	for id, key := range d.Keys() {
		if _, ok := r.ByFingerprint(key.Fingerprint()); ok {
			keys[id] = key
		}
	}
	return keys
}

// stays gives what nobody here knows of the role that had this name, or the
// bins that had this prefix.
func stays(before *tufmeta.Delegations, x plan.Delegation) map[string]any {
	out := map[string]any{}
	if bins := before.Bins(); bins != nil && x.Bits > 0 && bins.Name == x.Name {
		maps.Copy(out, bins.Object())
	}
	if place, ok := before.Place(x.Name); ok && x.Bits == 0 {
		maps.Copy(out, before.At(place).Object())
	}
	for _, planned := range []string{"name", "keyids", "threshold", "paths", "path_hash_prefixes", "terminating", "bit_length", "name_prefix"} {
		delete(out, planned)
	}
	return out
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, text := range list {
		out[i] = text
	}
	return out
}

// delegators wants each delegated role to be delegated to by the role that the
// plan says, as it is drafted, or as it is trusted where it is not.
func delegators(p *plan.Plan, files, payloads folder.Files) error {
	if len(p.Delegated) == 0 {
		return nil
	}
	all := maps.Clone(files)
	maps.Copy(all, payloads)
	published, err := quorum.Published(all)
	if err != nil {
		return err
	}
	for _, t := range p.Delegated {
		if published[t.Delegator] == nil {
			return fmt.Errorf("drafting %s %d: its delegator %s is neither in the plan nor in trusted/: put the published one there", t.Role, t.Version, t.Delegator)
		}
		found := false
		for _, d := range tufmeta.Delegators(published, t.Role) {
			found = found || d.Name == t.Delegator
		}
		if !found {
			return fmt.Errorf("drafting %s %d: %s does not delegate to it, or targets does not lead to %s", t.Role, t.Version, t.Delegator, t.Delegator)
		}
	}
	return nil
}

func each(list []stream.Edit) iter.Seq2[stream.Edit, error] {
	return func(yield func(stream.Edit, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}
