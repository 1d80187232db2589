package tufmeta

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
func ParseTargets(signed map[string]any) (*Targets, error) { return ParseGathered(signed, nil, nil) }

// ParseGathered reads the signed part of targets metadata whose delegated roles and
// their keys are not in it: they were gathered, and lie in the canonical bytes of all
// of it. The errors are those of ParseTargets.
func ParseGathered(signed map[string]any, gathered *Gathering, canonical []byte) (*Targets, error) {
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
		t.Delegations = r.delegations(v, gathered, canonical)
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
