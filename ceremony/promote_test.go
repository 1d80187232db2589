package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/tufmeta"
)

// projectNames makes up names that nobody mixes up: what differs in one syllable
// differs in the last one too.
func projectNames(from, n int) []string {
	syllables := strings.Fields("ba ke to so nu ra pe go fa ne wo tu sa he po xu ja ze ko bu")
	var all []string
	for i := from; i < from+n; i++ {
		name, sum := "", 0
		for x, place := i, 1; place <= 4; x, place = x/len(syllables), place+1 {
			name += syllables[x%len(syllables)]
			sum += place * (x % len(syllables))
		}
		all = append(all, name+syllables[sum%len(syllables)])
	}
	return all
}

// claims writes a list of the projects that developers have claimed.
func (r *rehearsal) claims(file string, names ...string) error {
	text, err := r.claimsOf(names...)
	if err != nil {
		return err
	}
	return durable.Create(filepath.Join(r.dir, "coordinator", file), text)
}

func (r *rehearsal) claimsOf(names ...string) ([]byte, error) {
	index := ceremonytest.Index{Scope: projects.Scope{Repository: repositoryName, Role: "claimed", Rehearsal: true}, Until: r.now.AddDate(0, 10, 0).Format(time.DateOnly)}
	var entries []projects.Entry
	for _, name := range names {
		e, err := index.Claim(name, name)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return projects.Text(entries)
}

// index holds the genesis of a repository as PEP 480 has it: root, targets, and
// claimed, which delegates to nobody yet.
func (r *rehearsal) index() error {
	if err := r.genesisFolder(); err != nil {
		return err
	}
	if err := r.edit("genesis", func(text string) (string, error) {
		text, err := replace(text, "  remove: []\n", "  remove: []\n"+indexDelegations)
		return text + fmt.Sprintf(indexDelegated, tufmeta.Stamp(r.now.AddDate(1, 0, 0))), err
	}); err != nil {
		return err
	}
	if err := r.hold("genesis", []string{"holder-1", "holder-2", "holder-4", "holder-5"}); err != nil {
		return err
	}
	return r.publishGenesis()
}

const (
	indexDelegations = `  delegations:
    - name: claimed
      threshold: 2
      keys: [holder-3, holder-4, holder-5]
      paths: ["packages/*/*"]
      terminating: false
`
	indexDelegated = `
delegated:
  - role: claimed
    delegator: targets
    version: 1
    expires: %s
`
)

// promote holds a promotion from the list to the publication.
func (r *rehearsal) promote(version int64, list string) error {
	event := fmt.Sprintf("promotion-%d", version)
	before := fmt.Sprintf("../repository/metadata/%d.claimed.json", version-1)
	return inTurn(
		func() error {
			return r.types("coordinator", "promote", event, "--projects", list, "--roster", "../genesis.bundle",
				"--trusted-root", "../repository/metadata/1.root.json", "--trusted-targets", "../repository/metadata/1.targets.json", "--trusted-targets", before)
		},
		func() error { return r.hold(event, []string{"holder-4", "holder-5"}) },
		func() error {
			return r.types("stranger", "verify", "../"+event+".bundle", "--trusted-root", "../repository/root.json")
		},
		func() error {
			return r.types("publisher", "publish", "../"+event+".bundle", "../repository", "--online-key", "online.pem")
		})
}

// release has a project's developer sign its first metadata, with one file, and
// the repository's own signer list it.
func (r *rehearsal) release(t *testing.T, project string) (target, text string) {
	t.Helper()
	target, text = "packages/"+project+"/"+project+"-1.0.tar.gz", "release 1.0 of "+project+"\n"
	signed := map[string]any{"_type": "targets", "spec_version": tufmeta.SpecVersion, "version": int64(1), "expires": tufmeta.Stamp(r.now.AddDate(0, 6, 0)),
		"targets": map[string]any{target: map[string]any{"length": int64(len(text)), "hashes": map[string]any{"sha256": tufmeta.Digest([]byte(text))}}}}
	private, err := ceremonytest.Developer(project)
	must(t, err)
	key, err := tufmeta.NewListedKey(private.Public())
	must(t, err)
	role := projects.Role(project)
	must(t, r.forge("1."+role+".json", signed, func(payload []byte) (tufmeta.Signature, error) {
		sig, err := ceremonytest.SignAs(private, payload)
		return tufmeta.Signature{KeyID: key.ID, Sig: hex.EncodeToString(sig)}, err
	}))
	file := filepath.Join(r.dir, "repository", "targets", "packages", project, tufmeta.Digest([]byte(text))+"."+filepath.Base(target))
	must(t, durable.Create(file, []byte(text)))
	must(t, r.lists(role))
	return target, text
}

// lists has the online key sign a snapshot with the first version of a role
// besides what the last one has.
func (r *rehearsal) lists(role string) error {
	at := filepath.Join(r.dir, "repository", "metadata")
	meta := func(name string) (map[string]any, error) {
		data, err := os.ReadFile(filepath.Join(at, name))
		if err != nil {
			return nil, err
		}
		env, err := tufmeta.ParseEnvelope(data)
		if err != nil {
			return nil, err
		}
		listed, _ := env.Signed["meta"].(map[string]any)
		return listed, nil
	}
	describe := func(name string, version int64) (map[string]any, error) {
		data, err := os.ReadFile(filepath.Join(at, name))
		return map[string]any{"version": version, "length": int64(len(data)), "hashes": map[string]any{"sha256": tufmeta.Digest(data)}}, err
	}
	timestamp, err := meta("timestamp.json")
	if err != nil {
		return err
	}
	version, _ := timestamp["snapshot.json"].(map[string]any)["version"].(int64)
	list, err := meta(folder.Version{Role: "snapshot", Version: version}.File())
	if err != nil {
		return err
	}
	version++
	name := folder.Version{Role: "snapshot", Version: version}.File()
	if list[role+".json"], err = describe("1."+role+".json", 1); err != nil {
		return err
	}
	if err := r.forgeOnline(r.stolenKey("online"), "snapshot", version, name, list); err != nil {
		return err
	}
	entry, err := describe(name, version)
	if err != nil {
		return err
	}
	return r.forgeOnline(r.stolenKey("online"), "timestamp", version, "timestamp.json", map[string]any{"snapshot.json": entry})
}

// The recurring ceremony on a small scale, with keys of each kind: three clients
// follow it.
func TestClientsFollowPromotion(t *testing.T) {
	formats, err := os.ReadFile(docsDir + "/formats.md")
	must(t, err)
	r := staged(t, (*rehearsal).prepare, (*rehearsal).index)
	long := strings.Repeat("a-long-name-", 5) + "end"
	must(t, r.claims("claimed.jsonl", "requests", "numpy", "zope-interface", "timestamp", long))
	must(t, r.promote(2, "claimed.jsonl"))
	r.asJSON(t, formats)
	r.followed(t, versions{Root: 1, Targets: 1}, []string{"go-tuf", "python-tuf", "tuf-js"}, "requests", "numpy", "timestamp", long)
}

// asJSON wants all that promote writes as JSON to stand in formats.md.
func (r *rehearsal) asJSON(t *testing.T, formats []byte) {
	t.Helper()
	must(t, os.Chdir(filepath.Join(r.dir, "coordinator")))
	var screen bytes.Buffer
	args := []string{"promote", "--dry-run", "--json", "--projects", "claimed.jsonl", "--roster", "../genesis.bundle",
		"--trusted-root", "../repository/metadata/1.root.json", "--trusted-targets", "../repository/metadata/1.targets.json", "--trusted-targets", "../repository/metadata/2.claimed.json"}
	if status := run(args, rehearsalEnv(&screen)); status != done {
		t.Fatal(screen.String())
	}
	documented(t, formats, args, screen.String())
}

// The recurring ceremony, three times running with 5,000 projects each: what is
// published afterwards is followed by clients into projects of each of the three.
func TestPromoteThreeTimes(t *testing.T) {
	const each = 5000
	stepwise(t)
	if testing.Short() {
		t.Skip("three ceremonies of 5,000 projects take minutes")
	}
	r := staged(t, (*rehearsal).prepare, (*rehearsal).index)
	for i := range 3 {
		list := fmt.Sprintf("claimed-%d.jsonl", i+1)
		must(t, r.claims(list, projectNames(i*each, each)...))
		must(t, r.promote(int64(i+2), list))
	}
	claimed := r.delegations(t, "4.claimed.json")
	if len(claimed) != 3*each {
		t.Fatalf("claimed delegates to %d projects", len(claimed))
	}
	r.followed(t, versions{Root: 1, Targets: 1}, []string{"go-tuf", "python-tuf"}, projectNames(17, 1)[0], projectNames(each+each*4/5, 1)[0], projectNames(3*each-1, 1)[0])
}

// delegations are the roles to which a published file delegates.
func (r *rehearsal) delegations(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, "repository", "metadata", file))
	must(t, err)
	var read struct {
		Signed struct {
			Delegations struct{ Roles []struct{ Name string } }
		}
	}
	must(t, json.Unmarshal(data, &read))
	var names []string
	for _, role := range read.Signed.Delegations.Roles {
		names = append(names, role.Name)
	}
	return names
}

// followed wants clients to take a release of each project, and nothing that its
// developers have not signed. Of versions, root and targets are compared.
func (r *rehearsal) followed(t *testing.T, want versions, by []string, names ...string) {
	t.Helper()
	base, root := serve(t, filepath.Join(r.dir, "repository")), filepath.Join(r.dir, "repository", "root.json")
	released := map[string]string{}
	for _, name := range names {
		target, text := r.release(t, name)
		released[target] = text
	}
	for _, name := range by {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			for target, text := range released {
				out := filepath.Join(t.TempDir(), "out")
				got, err := clients[name](t, base, root, state, target, out)
				if err != nil || got.Root != want.Root || got.Targets != want.Targets {
					t.Fatalf("%s: trusts %+v, %v", target, got, err)
				}
				if have, _ := os.ReadFile(out); !bytes.Equal(have, []byte(text)) {
					t.Errorf("%s is %q", target, have)
				}
			}
			other := strings.Replace(slices.Sorted(maps.Keys(released))[0], "-1.0", "-2.0", 1)
			if _, err := clients[name](t, base, root, state, other, filepath.Join(t.TempDir(), "out")); err == nil {
				t.Errorf("%s is found, which nobody has signed", other)
			}
		})
	}
}

// The repository that `init --profile pep480` lays out is one that promote goes on
// from: claimed is signed alone, without the one-time keys, which are gone.
func TestPromoteAfterProfile(t *testing.T) {
	r := profiled(t, "pep480", func(text string) (string, error) {
		text, err := replace(text, "bits: 14", "bits: 4")
		if err != nil {
			return "", err
		}
		return replace(text, "  - role: claimed\n", "  - role: claimed\n    manifest: lists/claimed.jsonl\n")
	})
	must(t, r.claims("claimed.jsonl", "requests", "numpy"))
	must(t, r.types("coordinator", "promote", "promotion", "--projects", "claimed.jsonl", "--roster", "../genesis.bundle", "--trusted-root", "../repository/metadata/1.root.json",
		"--trusted-targets", "../repository/metadata/1.targets.json", "--trusted-targets", "../repository/metadata/1.claimed.json"))
	must(t, r.types("coordinator", "review", "promotion"))
	data, err := os.ReadFile(filepath.Join(r.dir, "coordinator", "promotion", "payload", "2.claimed.json"))
	must(t, err)
	signed, err := tufmeta.ParseSigned(data)
	must(t, err)
	claimed, err := tufmeta.ParseTargets(signed)
	must(t, err)
	if claimed.Delegations.Find("project.numpy") == nil || claimed.Delegations.Find("project.requests") == nil {
		t.Errorf("claimed delegates to %+v", claimed.Delegations)
	}
}
