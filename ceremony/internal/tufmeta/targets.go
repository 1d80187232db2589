package tufmeta

import "fmt"

// Targets is the metadata of the targets role or of a delegated one.
type Targets struct {
	Common
	Files       map[string]TargetFile
	Delegations *Delegations // nil where there are none
}

// TargetFile is what is signed of one target: hashes are lower-case hex by
// algorithm name, length is in bytes. Custom is what its publisher says of it
// besides, nil where that is nothing, or no object.
type TargetFile struct {
	Length int64
	Hashes map[string]string
	Custom map[string]any
}

// Delegations are the roles to which targets hands paths on, in order.
type Delegations struct {
	Keys  map[string]*Key
	Roles []Delegated
}

// Delegated is one delegated role. Succinct bins appear as one role under
// their name prefix, with Bins set to their number, 2^Bits.
type Delegated struct {
	Role
	Name        string
	Terminating bool
	Paths       []string // path patterns, as listed
	Prefixes    []string // of the SHA-256 of a path, as listed
	Bits        int
	Bins        int64
}

// Snapshot lists the versions of all targets metadata; Timestamp, that of the
// snapshot. Both have this form.
type Snapshot struct {
	Common
	Meta map[string]MetaFile
}

// MetaFile is what a snapshot or timestamp says of a file. Length is 0 and
// Hashes is empty where they are not given.
type MetaFile struct {
	Version int64
	Length  int64
	Hashes  map[string]string
}

// ParseTargets reads the signed part of targets metadata.
func ParseTargets(signed map[string]any) (*Targets, error) {
	r := reader{}
	t := &Targets{Common: r.common(signed), Files: map[string]TargetFile{}}
	r.kind(t.Type, "targets")
	r.known("signed", signed, "targets", "delegations")
	for path, v := range sorted(r.object("signed.targets", signed["targets"])) {
		at := "signed.targets." + path
		file := r.object(at, v)
		r.known(at, file, "length", "hashes", "custom")
		custom, _ := file["custom"].(map[string]any)
		t.Files[path] = TargetFile{r.integer(at+".length", file["length"]), r.hashes(at, file["hashes"]), custom}
	}
	if v, ok := signed["delegations"]; ok {
		t.Delegations = r.delegations(v)
	}
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

// ParseSnapshot reads the signed part of a snapshot or a timestamp; kind is
// "snapshot" or "timestamp".
func ParseSnapshot(signed map[string]any, kind string) (*Snapshot, error) {
	r := reader{}
	s := &Snapshot{Common: r.common(signed), Meta: map[string]MetaFile{}}
	r.kind(s.Type, kind)
	r.known("signed", signed, "meta")
	for name, v := range sorted(r.object("signed.meta", signed["meta"])) {
		at := "signed.meta." + name
		object := r.object(at, v)
		r.known(at, object, "version", "length", "hashes")
		m := MetaFile{Version: r.integer(at+".version", object["version"])}
		if v, ok := object["length"]; ok {
			m.Length = r.integer(at+".length", v)
		}
		if v, ok := object["hashes"]; ok {
			m.Hashes = r.hashes(at, v)
		}
		s.Meta[name] = m
	}
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}

func (r *reader) hashes(at string, v any) map[string]string {
	hashes := map[string]string{}
	for name, v := range sorted(r.object(at+".hashes", v)) {
		hashes[name] = r.text(at+".hashes."+name, v)
	}
	return hashes
}

func (r *reader) delegations(v any) *Delegations {
	const at = "signed.delegations"
	object := r.object(at, v)
	r.known(at, object, "keys", "roles", "succinct_roles")
	d := &Delegations{Keys: r.keys(at+".keys", object["keys"])}
	if v, ok := object["roles"]; ok {
		for i, v := range r.array(at+".roles", v) {
			d.Roles = append(d.Roles, r.delegated(fmt.Sprintf("%s.roles[%d]", at, i), v))
		}
	}
	if v, ok := object["succinct_roles"]; ok {
		at := at + ".succinct_roles"
		s := r.object(at, v)
		r.known(at, s, "bit_length", "name_prefix")
		bits := r.integer(at+".bit_length", s["bit_length"])
		if bits < 1 || bits > 32 {
			r.fail(at+".bit_length", "is not between 1 and 32")
			bits = 1
		}
		d.Roles = append(d.Roles, Delegated{Role: r.role(at, s), Name: r.text(at+".name_prefix", s["name_prefix"]), Bits: int(bits), Bins: 1 << bits})
	}
	return d
}

func (r *reader) delegated(at string, v any) Delegated {
	object := r.object(at, v)
	r.known(at, object, "name", "terminating", "paths", "path_hash_prefixes")
	d := Delegated{Role: r.role(at, object), Name: r.text(at+".name", object["name"])}
	if v, ok := object["terminating"]; ok {
		d.Terminating = r.boolean(at+".terminating", v)
	}
	d.Paths = r.texts(at, object, "paths")
	d.Prefixes = r.texts(at, object, "path_hash_prefixes")
	return d
}

// texts reads a member that is an array of strings, or nothing where there is
// none.
func (r *reader) texts(at string, object map[string]any, member string) []string {
	v, ok := object[member]
	if !ok {
		return nil
	}
	out := []string{}
	for i, v := range r.array(at+"."+member, v) {
		out = append(out, r.text(fmt.Sprintf("%s.%s[%d]", at, member, i), v))
	}
	return out
}
