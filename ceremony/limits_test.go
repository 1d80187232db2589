package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/tufmeta"
)

// ours are the limits of the checks.
var ours = limits{inspect.RotationLimit, inspect.RootLimit, inspect.TimestampLimit, inspect.SnapshotLimit, inspect.TargetsLimit}

type limits struct{ Rotations, Root, Timestamp, Snapshot, Targets int64 }

// TestClientLimits holds the checks to what the three clients take by default:
// a release of one of them that takes another size is seen here.
func TestClientLimits(t *testing.T) {
	c, err := config.New("https://example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := (limits{c.MaxRootRotations, c.RootMaxLength, c.TimestampMaxLength, c.SnapshotMaxLength, c.TargetsMaxLength}); got != ours {
		t.Errorf("go-tuf takes %+v, and the checks say %+v", got, ours)
	}
	for name, command := range map[string][]string{
		"python-tuf": {"../.peers/python/bin/python", "-c", `import json
from tuf.ngclient.config import UpdaterConfig as C
c = C()
print(json.dumps(dict(Rotations=c.max_root_rotations, Root=c.root_max_length, Timestamp=c.timestamp_max_length, Snapshot=c.snapshot_max_length, Targets=c.targets_max_length)))`},
		"tuf-js": {"node", "-e", `const c = require(process.cwd() + '/../.peers/node/node_modules/tuf-js/dist/config.js').defaultConfig;
console.log(JSON.stringify({Rotations: c.maxRootRotations, Root: c.rootMaxLength, Timestamp: c.timestampMaxLength, Snapshot: c.snapshotMaxLength, Targets: c.targetsMaxLength}))`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat("../.peers"); err != nil {
				t.Skip(".peers is not there; scripts/test installs the clients")
			}
			out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var got limits
			if err := json.Unmarshal(out, &got); err != nil || got != ours {
				t.Errorf("it takes %s (%v), and the checks say %+v", out, err, ours)
			}
		})
	}
}

// TestLimitsPage holds docs/limits.md to the limits, and to the versions that
// they were read from.
func TestLimitsPage(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	page := read(docsDir + "/limits.md")
	for limit, member := range map[string]string{"512,000": "RootMaxLength", "256": "MaxRootRotations", "16,384": "TimestampMaxLength", "2,000,000": "SnapshotMaxLength", "5,000,000": "TargetsMaxLength"} {
		if row := "| " + limit + " | `" + member + "` |"; strings.Count(page, row) != 1 {
			t.Errorf("the page has no row with %q", row)
		}
	}
	if fmt.Sprint(ours) != "{256 512000 16384 2000000 5000000}" {
		t.Errorf("the limits are %v: correct the page, and this line", ours)
	}
	for name, file := range map[string]struct{ path, before string }{
		"go-tuf": {"../go.mod", "theupdateframework/go-tuf/v2 v"}, "python-tuf": {"testdata/peers/requirements.in", "tuf=="}, "tuf-js": {"testdata/peers/package.json", `"tuf-js": "`},
	} {
		_, version, _ := strings.Cut(read(file.path), file.before)
		version = version[:len(version)-len(strings.TrimLeft(version, ".0123456789"))]
		if version == "" || !strings.Contains(page, name+" "+version+" `") {
			t.Errorf("the page was not read from %s %s: look at its limits again", name, version)
		}
	}
}

// small is a repository of one key, whose files are given any size: white space
// at the end of a file counts for clients, and is signed by nobody.
type small struct {
	t       *testing.T
	dir     string
	key     *ecdsa.PrivateKey
	roots   int64
	size    map[string]int64 // of a file: root is the newest one
	length  bool             // timestamp and snapshot list lengths
	changed func(targets map[string]any)
	more    map[string]map[string]any // roles below targets
	version int64                     // of timestamp and snapshot
}

func newSmall(t *testing.T) *small {
	t.Helper()
	key, err := (&rehearsal{seed: []byte("limits")}).key("everything")
	if err != nil {
		t.Fatal(err)
	}
	return &small{t: t, dir: t.TempDir(), key: key, roots: 2, size: map[string]int64{}, version: 1}
}

// public is the key as metadata lists it.
func (s *small) public() *tufmeta.Key {
	key, err := tufmeta.NewKey(s.key.Public())
	s.must(err)
	return key
}

func (s *small) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// write signs a file, brings it to its size, and says what a list says of it.
func (s *small) write(name string, version, size int64, signed map[string]any) map[string]any {
	s.t.Helper()
	signed = maps.Clone(signed)
	signed["version"], signed["spec_version"], signed["expires"] = version, tufmeta.SpecVersion, tufmeta.Stamp(time.Now().AddDate(0, 0, 1))
	payload, err := tufmeta.Encode(signed)
	s.must(err)
	digest := sha256.Sum256(payload)
	sig, err := ecdsa.SignASN1(nil, s.key, digest[:])
	s.must(err)
	data, err := assemble.Envelope(payload, []tufmeta.Signature{{KeyID: s.public().ID, Sig: hex.EncodeToString(sig)}})
	s.must(err)
	data = append(data, bytes.Repeat([]byte(" "), max(0, int(size)-len(data)))...)
	s.must(os.MkdirAll(filepath.Join(s.dir, "metadata"), 0o755))
	s.must(os.WriteFile(filepath.Join(s.dir, "metadata", name), data, 0o644))
	entry := map[string]any{"version": version}
	if s.length {
		entry["length"] = int64(len(data))
	}
	return entry
}

// publish writes the repository.
func (s *small) publish() {
	s.t.Helper()
	key, role := s.public(), map[string]any{}
	for _, name := range tufmeta.TopRoles {
		role[name] = map[string]any{"keyids": []any{key.ID}, "threshold": int64(1)}
	}
	root := map[string]any{"_type": "root", "consistent_snapshot": true, "keys": map[string]any{key.ID: key.Object}, "roles": role}
	for v := int64(1); v <= s.roots; v++ {
		size := int64(0)
		if v == s.roots {
			size = s.size["root"]
		}
		s.write(fmt.Sprintf("%d.root.json", v), v, size, root)
	}
	first, err := os.ReadFile(filepath.Join(s.dir, "metadata", "1.root.json"))
	s.must(err)
	s.must(os.WriteFile(filepath.Join(s.dir, "root.json"), first, 0o644))
	hello := []byte("hello\n")
	s.must(os.MkdirAll(filepath.Join(s.dir, "targets"), 0o755))
	s.must(os.WriteFile(filepath.Join(s.dir, "targets", tufmeta.Digest(hello)+".hello.txt"), hello, 0o644))
	targets := map[string]any{"_type": "targets", "targets": s.hello()}
	if s.changed != nil {
		s.changed(targets)
	}
	listed := map[string]any{"targets.json": s.write("1.targets.json", 1, s.size["targets"], targets)}
	for name, signed := range s.more {
		listed[name+".json"] = s.write("1."+name+".json", 1, 0, signed)
	}
	snapshot := s.write(fmt.Sprintf("%d.snapshot.json", s.version), s.version, s.size["snapshot"], map[string]any{"_type": "snapshot", "meta": listed})
	s.write("timestamp.json", s.version, s.size["timestamp"], map[string]any{"_type": "timestamp", "meta": map[string]any{"snapshot.json": snapshot}})
}

// hello lists the one target.
func (s *small) hello() map[string]any {
	sum := tufmeta.Digest([]byte("hello\n"))
	return map[string]any{"hello.txt": map[string]any{"length": int64(6), "hashes": map[string]any{"sha256": sum}}}
}

// each has every client take the target.
func (s *small) each(t *testing.T, want func(t *testing.T, name string, got versions, err error)) {
	t.Helper()
	base := serve(t, s.dir)
	for name, refresh := range clients {
		t.Run(name, func(t *testing.T) {
			got, err := refresh(t, base, filepath.Join(s.dir, "root.json"), t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "out"))
			want(t, name, got, err)
		})
	}
}

// TestClientsRefuseBeyondLimits: a file of just so many bytes is taken by the
// three clients, and one byte more is not, but where its length is listed.
func TestClientsRefuseBeyondLimits(t *testing.T) {
	for file, limit := range map[string]int64{"root": ours.Root, "timestamp": ours.Timestamp, "snapshot": ours.Snapshot, "targets": ours.Targets} {
		for _, row := range []struct {
			name   string
			size   int64
			length bool
			taken  bool
		}{
			{"of just so many bytes", limit, false, true},
			{"of one more", limit + 1, false, false},
			{"of one more, listed with its length", limit + 1, true, file == "snapshot" || file == "targets"},
		} {
			t.Run(file+" "+row.name, func(t *testing.T) {
				s := newSmall(t)
				s.size[file], s.length = row.size, row.length
				s.publish()
				s.each(t, func(t *testing.T, _ string, _ versions, err error) {
					if (err == nil) != row.taken || err != nil && !strings.Contains(strings.ToLower(err.Error()), "length") {
						t.Errorf("it says: %v", err)
					}
				})
			})
		}
	}
}

// TestClientsStopAfterRotations: a client goes no further than 256 roots from
// the one it begins with, however many there are. On its next run tuf-js goes on
// from where it has come to; the others begin with the root they ship with.
func TestClientsStopAfterRotations(t *testing.T) {
	s := newSmall(t)
	s.roots = 1 + ours.Rotations + 1
	s.publish()
	base, root := serve(t, s.dir), filepath.Join(s.dir, "root.json")
	for name, refresh := range clients {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			wants := []int64{s.roots - 1, s.roots - 1}
			if name == "tuf-js" {
				wants[1] = s.roots
			}
			for run, want := range wants {
				got, err := refresh(t, base, root, state, "hello.txt", filepath.Join(t.TempDir(), "out"))
				if err != nil || got.Root != want {
					t.Errorf("run %d, of %d roots: it trusts root %d: %v", run+1, s.roots, got.Root, err)
				}
			}
		})
	}
}

// TestClientsRefuseDrop: SNAPSHOT-DROP speaks of what a client refuses that has
// been here before. One that is new does not know better.
func TestClientsRefuseDrop(t *testing.T) {
	s := newSmall(t)
	s.more = map[string]map[string]any{"extra": {"_type": "targets", "targets": map[string]any{}}}
	s.publish()
	base, root := serve(t, s.dir), filepath.Join(s.dir, "root.json")
	states := map[string]string{}
	for name, refresh := range clients {
		states[name] = t.TempDir()
		t.Run(name+" before", func(t *testing.T) {
			if _, err := refresh(t, base, root, states[name], "hello.txt", filepath.Join(t.TempDir(), "out")); err != nil {
				t.Error(err)
			}
		})
	}
	s.more, s.version = nil, 2
	s.publish()
	for name, refresh := range clients {
		t.Run(name, func(t *testing.T) {
			_, err := refresh(t, base, root, states[name], "hello.txt", filepath.Join(t.TempDir(), "out"))
			if err == nil || !strings.Contains(err.Error(), "extra.json") {
				t.Errorf("it says: %v", err)
			}
		})
	}
	s.each(t, func(t *testing.T, _ string, _ versions, err error) {
		if err != nil {
			t.Error(err)
		}
	})
}

// TestClientsResolveBins: BINS-PORTABLE speaks of what released go-tuf does. It
// finds a target by a succinct bin, and not by the prefix of its hash.
func TestClientsResolveBins(t *testing.T) {
	sum := tufmeta.Digest([]byte("hello.txt"))
	for _, explicit := range []bool{false, true} {
		t.Run(map[bool]string{false: "succinct_roles", true: "path_hash_prefixes"}[explicit], func(t *testing.T) {
			s := newSmall(t)
			s.more = map[string]map[string]any{"bin-" + sum[:1]: {"_type": "targets", "targets": s.hello()}}
			s.changed = func(targets map[string]any) {
				targets["targets"], targets["delegations"] = map[string]any{}, s.bins(explicit)
			}
			s.publish()
			s.each(t, func(t *testing.T, name string, _ versions, err error) {
				if (err != nil) != (explicit && name == "go-tuf") {
					t.Errorf("it says: %v", err)
				}
			})
		})
	}
}

// bins hands all names on to sixteen roles.
func (s *small) bins(explicit bool) map[string]any {
	key := s.public()
	role := map[string]any{"keyids": []any{key.ID}, "threshold": int64(1)}
	delegations := map[string]any{"keys": map[string]any{key.ID: key.Object}}
	if !explicit {
		role["bit_length"], role["name_prefix"] = int64(4), "bin"
		delegations["succinct_roles"] = role
		return delegations
	}
	var roles []any
	for _, digit := range "0123456789abcdef" {
		one := maps.Clone(role)
		one["name"], one["terminating"], one["path_hash_prefixes"] = "bin-"+string(digit), false, []any{string(digit)}
		roles = append(roles, one)
	}
	delegations["roles"] = roles
	return delegations
}

// TestGoTUFMissesPrefixes counts for how many names go-tuf finds the role that
// has the prefix of the name's hash.
func TestGoTUFMissesPrefixes(t *testing.T) {
	data, err := tufmeta.Encode(newSmall(t).bins(true))
	if err != nil {
		t.Fatal(err)
	}
	var delegations metadata.Delegations
	if err := json.Unmarshal(tufmeta.JSON(data), &delegations); err != nil {
		t.Fatal(err)
	}
	const names = 2000
	found := 0
	for i := range names {
		name := fmt.Sprintf("files/%d.txt", i)
		for _, role := range delegations.GetRolesForTarget(name) {
			if strings.TrimPrefix(role.Name, "bin-") == tufmeta.Digest([]byte(name))[:1] {
				found++
			}
		}
	}
	if found > names/20 {
		t.Errorf("it finds %d of %d: BINS-PORTABLE says that it finds next to none", found, names)
	}
	t.Logf("it finds %d of %d", found, names)
}
