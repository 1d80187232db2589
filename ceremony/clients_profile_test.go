package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// TestClientsOfPEP458 holds the whole ceremony of that profile, fills its 16,384
// bins as an online signer does, and has two independent clients take 200 targets
// each.
func TestClientsOfPEP458(t *testing.T) {
	if raceDetector {
		t.Skip("it signs 16,384 files, which scripts/test does without the race detector")
	}
	files := pathsAndTexts(1000)
	r := profiled(t, "pep458", plain)
	fill(t, r, 14, files)
	repository := filepath.Join(r.dir, "repository")
	base := serve(t, repository)
	var sample []string
	for path := range files {
		if sample = append(sample, path); len(sample) == 200 {
			break
		}
	}
	t.Run("go-tuf", func(t *testing.T) {
		taken, err := manyByGoTUF(t, base, filepath.Join(repository, "root.json"), sample)
		compareTargets(t, files, taken, err)
	})
	t.Run("python-tuf", func(t *testing.T) {
		taken, err := manyByPython(t, base, filepath.Join(repository, "root.json"), sample)
		compareTargets(t, files, taken, err)
	})
}

// A small one is the same to three clients, tuf-js among them.
func TestClientsOfSmallPEP458(t *testing.T) {
	files := pathsAndTexts(5)
	r := profiled(t, "pep458", func(text string) (string, error) { return replace(text, "bits: 14", "bits: 4") })
	fill(t, r, 4, files)
	takenByAll(t, r, files)
}

// By PEP 480 a target is found in claimed, in recently-claimed and in unclaimed;
// and what is delegated in claimed is asked of nobody after it, whose keys are a
// machine's.
func TestClientsOfPEP480(t *testing.T) {
	const claimed, listed, recent, unclaimed = "claimed-project/a.txt", "listed/b.txt", "new-project/c.txt", "others/deep/down/d.txt"
	files := map[string]string{claimed: "claimed", listed: "listed in claimed itself", recent: "recently", unclaimed: "not claimed"}
	r := profiled(t, "pep480", func(text string) (string, error) {
		text, err := replace(text, "bits: 14", "bits: 4")
		if err == nil {
			text, err = replace(text, "  - role: claimed\n", "  - role: claimed\n    manifest: lists/claimed.jsonl\n")
		}
		if err == nil {
			text, err = replace(text, "    remove: []\n  - role: unclaimed", claimedProject+"    remove: []\n  - role: unclaimed")
		}
		return text, err
	})
	s := service(t, r)
	s.role("claimed-project", map[string]string{claimed: files[claimed]})
	s.role("recently-claimed", map[string]string{recent: files[recent], "claimed-project/evil.txt": "evil"})
	s.bins(4, map[string]string{unclaimed: files[unclaimed], "claimed-project/evil.txt": "evil"})
	s.finish()
	takenByAll(t, r, files)
	repository := filepath.Join(r.dir, "repository")
	base := serve(t, repository)
	for name, refresh := range clients {
		out := filepath.Join(t.TempDir(), "out")
		if _, err := refresh(t, base, filepath.Join(repository, "root.json"), t.TempDir(), "claimed-project/evil.txt", out); err == nil {
			t.Errorf("%s takes a file of a claimed project from a role that an online key signs", name)
		}
	}
}

// claimedProject is what claimed delegates: the key is that of its developer, whom
// a machine stands for here.
const claimedProject = `    delegations:
      - name: claimed-project
        threshold: 1
        keys: [online]
        paths: ["claimed-project/*"]
        terminating: true
`

func plain(text string) (string, error) { return text, nil }

// profiled holds the ceremony of a profile in one room, from the plan to the
// publication: the one-time keys sign, and are destroyed.
func profiled(t *testing.T, profile string, edit func(string) (string, error)) *rehearsal {
	t.Helper()
	r := staged(t, (*rehearsal).prepare)
	once := profileSigned(t, r, profile, edit)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.refused("coordinator", "seal", "genesis", "-o", "../genesis.bundle"))
	for _, token := range once {
		must(r.types("coordinator", "token", "destroy", "genesis", "--token", token))
	}
	must(r.types("coordinator", "seal", "genesis", "-o", "../genesis.bundle"))
	must(r.types("publisher", "publish", "../genesis.bundle", "../repository", "--online-key", "online.pem", "--targets", "../files/first"))
	return r
}

// profileSigned is profiled until all that is needed is signed. It gives the
// one-time tokens, whose keys are still there.
func profileSigned(t *testing.T, r *rehearsal, profile string, edit func(string) (string, error)) (once []string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.types("coordinator", "init", "genesis", "--kind", "genesis", "--profile", profile))
	online, err := r.onlineKey("online")
	must(err)
	must(r.send("genesis", "online.pem", online))
	must(r.edit("genesis", edit))
	room := filepath.Join(r.dir, "coordinator")
	must(r.issued(filepath.Join(room, "genesis"), func(string) string { return "coordinator" }))
	if profile == string(plan.PEP480) {
		sum := sha256.Sum256([]byte("listed in claimed itself"))
		line := fmt.Sprintf("{\"path\":\"listed/b.txt\",\"length\":24,\"hashes\":{\"sha256\":\"%x\"}}\n", sum)
		must(durable.Create(filepath.Join(room, "genesis", "lists", "claimed.jsonl"), []byte(line)))
		must(durable.Create(filepath.Join(r.dir, "files", "first", "listed", "b.txt"), []byte("listed in claimed itself")))
	}
	must(r.types("coordinator", "draft", "genesis"))
	data, err := os.ReadFile(filepath.Join(room, "genesis", "plan.yaml"))
	must(err)
	p, err := plan.Parse(data)
	must(err)
	for _, token := range p.Roster.Tokens() {
		if token.Holder == "" || token.Name == "holder-4" || token.Name == "holder-5" || token.Name == "claimed-3" {
			continue
		}
		must(r.types("coordinator", "sign", "genesis", "--token", token.Name))
		if token.OneTime {
			once = append(once, token.Name)
		}
	}
	return once
}

// pathsAndTexts are files with paths of two to four parts.
func pathsAndTexts(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		sum := sha256.Sum256(fmt.Append(nil, i))
		path := fmt.Sprintf("%x/project-%d.whl", sum[:1], i)
		for range i % 3 {
			path = fmt.Sprintf("%x/%s", sum[1:2], path)
		}
		files[path] = fmt.Sprintf("target %d\n", i)
	}
	return files
}

func fill(t *testing.T, r *rehearsal, bits int, files map[string]string) {
	t.Helper()
	s := service(t, r)
	s.bins(bits, files)
	s.finish()
}

// onlineSigner is a repository's own signer, which has one key for all that machines
// sign.
type onlineSigner struct {
	t          *testing.T
	repository string
	private    *ecdsa.PrivateKey
	keyID      string
	now        time.Time
	meta       map[string]any // of the snapshot
}

func service(t *testing.T, r *rehearsal) *onlineSigner {
	t.Helper()
	private, err := r.key("online")
	if err != nil {
		t.Fatal(err)
	}
	key, err := tufmeta.NewKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	s := &onlineSigner{t: t, repository: filepath.Join(r.dir, "repository"), private: private, keyID: key.ID, now: r.now}
	env, err := tufmeta.ParseEnvelope(s.read("1.snapshot.json"))
	if err != nil {
		t.Fatal(err)
	}
	s.meta = env.Signed["meta"].(map[string]any)
	return s
}

func (s *onlineSigner) read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(s.repository, "metadata", name))
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// write signs a role, as it signs everything: for a day.
func (s *onlineSigner) write(name, kind string, version int64, fields map[string]any) []byte {
	s.t.Helper()
	signed := map[string]any{"_type": kind, "spec_version": "1.0.34", "version": version, "expires": s.now.AddDate(0, 0, 1).UTC().Format(tufmeta.TimeFormat)}
	for field, value := range fields {
		signed[field] = value
	}
	payload, err := tufmeta.Encode(signed)
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256(payload)
	sig, err := ecdsa.SignASN1(rand.Reader, s.private, sum[:])
	if err != nil {
		s.t.Fatal(err)
	}
	data, err := assemble.Envelope(payload, []tufmeta.Signature{{KeyID: s.keyID, Sig: hex.EncodeToString(sig)}})
	if err == nil {
		err = os.WriteFile(filepath.Join(s.repository, "metadata", name), data, 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// role writes the first version of a delegated role, and its files.
func (s *onlineSigner) role(name string, files map[string]string) {
	targets := map[string]any{}
	for path, text := range files {
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
		targets[path] = map[string]any{"length": int64(len(text)), "hashes": map[string]any{"sha256": sum}}
		place := filepath.Join(s.repository, "targets", filepath.FromSlash(filepath.Dir(path)), sum+"."+filepath.Base(path))
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(place, []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	s.write("1."+name+".json", "targets", 1, map[string]any{"targets": targets})
	s.meta[name+".json"] = map[string]any{"version": int64(1)}
}

// bins writes all bins, the empty ones too, as PEP 458 has them.
func (s *onlineSigner) bins(bits int, files map[string]string) {
	of := map[int64]map[string]string{}
	for path, text := range files {
		sum := sha256.Sum256([]byte(path))
		bin := (int64(sum[0])<<24 | int64(sum[1])<<16 | int64(sum[2])<<8 | int64(sum[3])) >> (32 - bits)
		if of[bin] == nil {
			of[bin] = map[string]string{}
		}
		of[bin][path] = text
	}
	for bin := range int64(1) << bits {
		s.role(tufmeta.BinName("bin", bits, bin), of[bin])
	}
}

// finish writes the snapshot and the timestamp that list all of it.
func (s *onlineSigner) finish() {
	snapshot := s.write("2.snapshot.json", "snapshot", 2, map[string]any{"meta": s.meta})
	s.write("timestamp.json", "timestamp", 2, map[string]any{"meta": map[string]any{
		"snapshot.json": map[string]any{"version": int64(2), "length": int64(len(snapshot))},
	}})
}

// takenByAll has each client take each file.
func takenByAll(t *testing.T, r *rehearsal, files map[string]string) {
	t.Helper()
	repository := filepath.Join(r.dir, "repository")
	base := serve(t, repository)
	for name, refresh := range clients {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			for path, text := range files {
				out := filepath.Join(t.TempDir(), "out")
				got, err := refresh(t, base, filepath.Join(repository, "root.json"), state, path, out)
				if want := (versions{1, 2, 2, 1}); err != nil || got != want {
					t.Fatalf("%s: trusts %+v, %v; want %+v", path, got, err, want)
				}
				if have, _ := os.ReadFile(out); string(have) != text {
					t.Errorf("%s is %q", path, have)
				}
			}
		})
	}
}

// manyByGoTUF takes many targets with one updater, as package managers do.
func manyByGoTUF(t *testing.T, base, root string, paths []string) (map[string]string, error) {
	t.Helper()
	trusted, err := os.ReadFile(root)
	if err != nil {
		return nil, err
	}
	c, err := config.New(base+"/metadata", trusted)
	if err != nil {
		return nil, err
	}
	state := t.TempDir()
	c.LocalMetadataDir, c.LocalTargetsDir, c.RemoteTargetsURL = state, state, base+"/targets"
	u, err := updater.New(c)
	if err != nil {
		return nil, err
	}
	if err := u.Refresh(); err != nil {
		return nil, err
	}
	taken := map[string]string{}
	for i, path := range paths {
		info, err := u.GetTargetInfo(path)
		if err != nil {
			return nil, err
		}
		_, data, err := u.DownloadTarget(info, filepath.Join(state, fmt.Sprint(i)), "")
		if err != nil {
			return nil, err
		}
		taken[path] = string(data)
	}
	return taken, nil
}

func manyByPython(t *testing.T, base, root string, paths []string) (map[string]string, error) {
	t.Helper()
	const python = "../.peers/python/bin/python"
	interpreter, script := peer(python), peer("testdata/peers/client.py")
	if _, err := exec.LookPath(interpreter); err != nil {
		t.Skipf("%s is not there; scripts/test installs the clients", python)
	}
	dir := t.TempDir()
	args := []string{script, base + "/metadata", base + "/targets", root, t.TempDir()}
	for i, path := range paths {
		args = append(args, path, filepath.Join(dir, fmt.Sprint(i)))
	}
	if text, err := exec.Command(interpreter, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(text)))
	}
	taken := map[string]string{}
	for i, path := range paths {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return nil, err
		}
		taken[path] = string(data)
	}
	return taken, nil
}

func compareTargets(t *testing.T, files, taken map[string]string, err error) {
	t.Helper()
	if err != nil || len(taken) != 200 {
		t.Fatalf("%d targets were taken: %v", len(taken), err)
	}
	for path, text := range taken {
		if files[path] != text {
			t.Errorf("%s is %q", path, text)
		}
	}
}
