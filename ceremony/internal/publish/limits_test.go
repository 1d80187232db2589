package publish_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/publish"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

type object = map[string]any

// place is a repository folder with root 1 and targets 1, in which another
// signer writes.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T, trusted folder.Files) *place {
	t.Helper()
	p := &place{t, t.TempDir()}
	p.put("root.json", trusted["trusted/1.root.json"])
	p.put("metadata/1.root.json", trusted["trusted/1.root.json"])
	p.put("metadata/1.targets.json", trusted["trusted/1.targets.json"])
	return p
}

func (p *place) put(name string, data []byte) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// entry is what a list says of a file.
func entry(version int64, length int) object {
	e := object{"version": version}
	if length > 0 {
		e["length"] = int64(length)
	}
	return e
}

// signer has the repository's own signer write a snapshot and a timestamp,
// which lists its length or not.
func (p *place) signer(version int64, meta object, wide int, length bool) {
	p.t.Helper()
	signed := object{"_type": "snapshot", "version": version, "meta": meta}
	if wide > 0 {
		ceremonytest.Widen(signed, wide)
	}
	snapshot := signedBy(p.t, signed, "online")
	p.put(fmt.Sprintf("metadata/%d.snapshot.json", version), snapshot)
	listed := entry(version, 0)
	if length {
		listed = entry(version, len(snapshot))
	}
	p.put("metadata/timestamp.json", signedBy(p.t, object{"_type": "timestamp", "version": version, "meta": object{"snapshot.json": listed}}, "online"))
}

// signedBy is a metadata file signed by one key.
func signedBy(t *testing.T, signed object, token string) []byte {
	t.Helper()
	signed["spec_version"], signed["expires"] = tufmeta.SpecVersion, "2027-01-20T09:00:00Z"
	payload, err := tufmeta.Encode(signed)
	if err != nil {
		t.Fatal(err)
	}
	sig := tufmeta.Signature{KeyID: ceremonytest.Object(t, token).ID, Sig: hex.EncodeToString(ceremonytest.Signature(t, token, payload))}
	data, err := assemble.Envelope(payload, []tufmeta.Signature{sig})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// targetsBundle is the targets 2 that follow what is trusted.
func targetsBundle(t *testing.T, trusted folder.Files, waivers ...check.Waiver) folder.Files {
	t.Helper()
	p := ceremonytest.RotationPlan()
	p.Kind, p.Root, p.Waivers = plan.Targets, nil, waivers
	return sealed(t, p, trusted, "holder-1", "holder-2", "holder-3")
}

func sealed(t *testing.T, p *plan.Plan, trusted folder.Files, tokens ...string) folder.Files {
	t.Helper()
	c := ceremonytest.Start(t, p, trusted)
	c.Draft()
	c.Sign(tokens...)
	return c.Seal()
}

// prepared says what publishing a bundle here would do: what is found, or why
// it is refused. With an online key it publishes.
func (p *place) prepared(bundle folder.Files, online string) (found string, err error) {
	p.t.Helper()
	repository, err := publish.Open(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	verified := p.verified(bundle, repository.Root)
	options := publish.Options{}
	if online != "" {
		options.Online = &publish.Online{Signer: ceremonytest.Key(p.t, online), Now: ceremonytest.Now, Days: map[string]int{"snapshot": 7, "timestamp": 1}}
	}
	publication, err := publish.Prepare(repository, verified, options)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, x := range publication.Findings {
		lines = append(lines, fmt.Sprintf("%s: %s, %s: %s", x.Level, x.Check, x.Subject, x.Detail))
	}
	if online != "" {
		err = publication.Apply()
	}
	return strings.Join(lines, "\n"), err
}

// proved keeps what has been verified: large bundles are published many times.
var proved = map[string]verify.Verified{}

func (p *place) verified(bundle folder.Files, root []byte) verify.Verified {
	p.t.Helper()
	id := bundle.Event().String() + tufmeta.Digest(root)
	for _, name := range bundle.Names(folder.Metadata) {
		id += tufmeta.Digest(bundle[name])
	}
	if v, ok := proved[id]; ok {
		return v
	}
	v, err := verify.Files(bundle, root, ceremonytest.Now)
	if err != nil {
		p.t.Fatal(err)
	}
	proved[id] = v
	return v
}

// want compares what is found or refused with how it begins; nothing is wanted
// where it is empty.
func want(t *testing.T, found string, err error, finding, refusal string) {
	t.Helper()
	if !strings.HasPrefix(found, finding) || finding == "" && found != "" {
		t.Errorf("it finds %q, want %q", found, finding)
	}
	switch {
	case err == nil && refusal != "":
		t.Errorf("it is not refused with %q", refusal)
	case err != nil && (refusal == "" || !strings.Contains(err.Error(), refusal)):
		t.Errorf("it is refused with %v, want %q", err, refusal)
	}
}

// Targets that are too large are refused where the repository's signer lists no
// lengths. The online key lists them, and so may a signer that is not seen.
func TestTargetsSize(t *testing.T) {
	const beyond = 5_000_000
	trusted := ceremonytest.Wide(t, 1, beyond)
	large := targetsBundle(t, trusted)
	waived := targetsBundle(t, trusted, check.Waiver{Check: "SIZE-TARGETS", Subject: "targets", Reason: "lengths come next week"})
	within := ceremonytest.Wide(t, 1, beyond-5000)
	small := targetsBundle(t, within)
	const told = "SIZE-TARGETS, targets: 2.targets.json has 50"
	for _, row := range []struct {
		name             string
		trusted, bundle  folder.Files
		listed           object
		online           string
		finding, refusal string
	}{
		{"no length is listed", trusted, large, object{"targets.json": entry(1, 0)}, "", "", told},
		{"no length is listed, waived", trusted, waived, object{"targets.json": entry(1, 0)}, "", "finding: " + told, ""},
		{"no length is listed, within", within, small, object{"targets.json": entry(1, 0)}, "", "", ""},
		{"a length is listed", trusted, large, object{"targets.json": entry(1, len(trusted["trusted/1.targets.json"]))}, "", "", ""},
		{"nothing is listed", trusted, large, nil, "", "finding: " + told, ""},
		{"only others are listed, without", trusted, large, object{"bins.json": entry(1, 0)}, "", "", told},
		{"only others are listed, with", trusted, large, object{"bins.json": entry(1, 9)}, "", "", ""},
		{"the online key goes on from no length", trusted, large, object{"targets.json": entry(1, 0)}, "online", "", ""},
		{"the online key begins", trusted, large, nil, "online", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPlace(t, row.trusted)
			if row.listed != nil {
				p.signer(1, row.listed, 0, true)
			}
			found, err := p.prepared(row.bundle, row.online)
			want(t, found, err, row.finding, row.refusal)
		})
	}
}

// A large role that others published without its length is told, and does not
// keep anything back.
func TestOthersSize(t *testing.T) {
	for size, finding := range map[int]string{5_000_000: "", 5_000_001: "finding: SIZE-TARGETS, bins: 4.bins.json has 5000001 bytes, and snapshot lists no length for it"} {
		p := newPlace(t, ceremonytest.Trusted(t))
		p.put("metadata/4.bins.json", bytes.Repeat([]byte(" "), size))
		p.signer(1, object{"targets.json": entry(1, 0), "bins.json": entry(4, 0)}, 0, true)
		found, err := p.prepared(targetsBundle(t, ceremonytest.Trusted(t)), "")
		want(t, found, err, finding, "")
	}
}

// A snapshot may have any size where timestamp lists its length, as the online
// key does.
func TestSnapshotSize(t *testing.T) {
	listed := object{"targets.json": entry(1, 0)}
	bundle := targetsBundle(t, ceremonytest.Trusted(t))
	for _, row := range []struct {
		wide    int
		length  bool
		online  string
		finding string
	}{
		{1_999_000, false, "", ""},
		{2_000_000, false, "", "finding: SIZE-SNAPSHOT, snapshot 1: the file has 20"},
		{2_000_000, true, "", ""},
		{2_000_000, false, "online", ""},
	} {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			p := newPlace(t, ceremonytest.Trusted(t))
			p.signer(1, listed, row.wide, row.length)
			found, err := p.prepared(bundle, row.online)
			want(t, found, err, row.finding, "")
			if row.online == "" {
				return
			}
			data, err := os.ReadFile(filepath.Join(p.dir, "metadata", "2.snapshot.json"))
			if err != nil || len(data) <= 2_000_000 {
				t.Fatalf("snapshot 2 has %d bytes: %v", len(data), err)
			}
			if timestamp, _ := os.ReadFile(filepath.Join(p.dir, "metadata", "timestamp.json")); !bytes.Contains(timestamp, fmt.Appendf(nil, `"length":%d,`, len(data))) {
				t.Errorf("the timestamp does not list its length: %s", timestamp)
			}
		})
	}
}

// A root that is too far from root.json is refused: clients that ship with that
// one stop before. With a newer root.json it is not.
func TestRotations(t *testing.T) {
	first := ceremonytest.Trusted(t)
	p := newPlace(t, first)
	env, err := tufmeta.ParseEnvelope(first["trusted/1.root.json"])
	if err != nil {
		t.Fatal(err)
	}
	var last []byte
	for v := int64(2); v <= 257; v++ {
		env.Signed["version"] = v
		payload, err := tufmeta.Encode(env.Signed)
		if err != nil {
			t.Fatal(err)
		}
		var signatures []tufmeta.Signature
		for _, holder := range []string{"holder-1", "holder-2", "holder-3"} {
			signatures = append(signatures, tufmeta.Signature{KeyID: ceremonytest.Object(t, holder).ID, Sig: hex.EncodeToString(ceremonytest.Signature(t, holder, payload))})
		}
		if last, err = assemble.Envelope(payload, signatures); err != nil {
			t.Fatal(err)
		}
		p.put(fmt.Sprintf("metadata/%d.root.json", v), last)
	}
	rotation := ceremonytest.RotationPlan()
	rotation.Root.Version = 258
	bundle := sealed(t, rotation, folder.Files{"trusted/257.root.json": last, "trusted/1.targets.json": first["trusted/1.targets.json"]}, "holder-1", "holder-3", "holder-4", "holder-5", "holder-6")
	found, err := p.prepared(bundle, "")
	want(t, found, err, "", "SIZE-ROOT, root.json: root 258 is 257 after root 1: clients that begin there go no further than root 257")
	second, err := os.ReadFile(filepath.Join(p.dir, "metadata", "2.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	p.put("root.json", second)
	found, err = p.prepared(bundle, "")
	want(t, found, err, "", "")
}
