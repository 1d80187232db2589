package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/tufmeta"
)

// A target that another project has signed, with the keys that its own root
// names, is found by three independent clients; after that project has rotated
// its keys, and another ceremony has imported the new ones, again; and with the
// old ones no more.
func TestClientsFollowExternal(t *testing.T) {
	x := &externalStage{t: t, rehearsal: staged(t, (*rehearsal).prepare, (*rehearsal).genesis)}
	x.root(ceremonytest.OtherRoot{Version: 1})
	x.root(ceremonytest.OtherRoot{Version: 2, Threshold: 3, Targets: []string{"theirs-2", "theirs-3", "theirs-4"}})

	x.ceremony("first", 2, "--roster", "../genesis.bundle", "--external", "theirs=theirs/1.root.json")
	x.publish(2, "theirs-1", "theirs-3")
	x.clients("finds the first", 2, true)

	x.ceremony("second", 3, "--roster", "../first.bundle", "--delegations", "--external", "theirs=theirs/2.root.json")
	x.publish(3, "theirs-2", "theirs-3", "theirs-4")
	x.clients("finds the second", 3, true)

	plan, err := os.ReadFile(filepath.Join(x.dir, "coordinator", "second", "plan.yaml"))
	x.must(err)
	if !strings.Contains(string(plan), `source: "handed over by their own people"`) || !strings.Contains(string(plan), "root: 1 ") {
		t.Errorf("what is believed is not what it was:\n%s", plan)
	}
	x.publish(3, "theirs-1", "theirs-2", "theirs-3") // 2 of the new keys, and one that is gone
	x.clients("refuses an old key", 3, false)
}

// externalStage is a rehearsal with another repository beside it.
type externalStage struct {
	*rehearsal
	t *testing.T
}

func (x *externalStage) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// root is a root of the other repository, in the coordinator's hands.
func (x *externalStage) root(root ceremonytest.OtherRoot) {
	x.t.Helper()
	x.must(durable.Create(filepath.Join(x.dir, "coordinator", "theirs", fmt.Sprintf("%d.root.json", root.Version)), root.File(x.t)))
}

// ceremony makes and publishes a version of targets, from what init is told.
func (x *externalStage) ceremony(dir string, version int64, args ...string) {
	x.t.Helper()
	x.must(x.types("coordinator", append([]string{"init", dir, "--kind", "targets", "--trusted-root", "../repository/metadata/1.root.json",
		"--trusted-targets", fmt.Sprintf("../repository/metadata/%d.targets.json", version-1)}, args...)...))
	x.must(x.edit(dir, func(text string) (string, error) {
		text, err := x.marked(text)
		if err != nil || strings.Contains(text, "external: theirs") {
			return text, err
		}
		text = strings.Replace(text, `source: ""`, `source: "handed over by their own people"`, 1)
		return replace(text, "  remove: []\n", "  remove: []\n"+delegationToTheirs)
	}))
	x.must(x.hold(dir, []string{"holder-1", "holder-2"}))
	x.must(x.types("stranger", "verify", "../"+dir+".bundle", "--trusted-root", "../repository/root.json"))
	x.must(x.types("publisher", "publish", "../"+dir+".bundle", "../repository", "--online-key", "online.pem"))
}

const delegationToTheirs = `  delegations:
    - name: theirs
      external: theirs
      paths: ["theirs/*"]
      terminating: true
`

// publish puts what the other project has signed into the repository, whose own
// signer lists it.
func (x *externalStage) publish(version int64, by ...string) {
	x.t.Helper()
	text := fmt.Sprintf("theirs %d\n", version)
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	signed := map[string]any{"_type": "targets", "spec_version": tufmeta.SpecVersion, "version": version, "expires": tufmeta.Stamp(x.now.AddDate(1, 0, 0)),
		"targets": map[string]any{"theirs/one.txt": map[string]any{"length": int64(len(text)), "hashes": map[string]any{"sha256": sum}}}}
	repository := filepath.Join(x.dir, "repository")
	x.must(durable.Replace(filepath.Join(repository, "targets", "theirs", sum+".one.txt"), []byte(text)))
	x.must(durable.Replace(filepath.Join(repository, "metadata", fmt.Sprintf("%d.theirs.json", version)), ceremonytest.OtherSigned(x.t, signed, by...)))
	x.signer(x.t, filepath.Join(repository, "metadata"), 10*version, map[string]any{"targets.json": map[string]any{"version": version}, "theirs.json": map[string]any{"version": version}})
}

// clients look for the target.
func (x *externalStage) clients(what string, version int64, found bool) {
	x.t.Helper()
	repository := filepath.Join(x.dir, "repository")
	base := serve(x.t, repository)
	for name, refresh := range clients {
		x.t.Run(name+" "+what, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			got, err := refresh(t, base, filepath.Join(repository, "root.json"), t.TempDir(), "theirs/one.txt", out)
			text, _ := os.ReadFile(out)
			switch want := (versions{1, 10 * version, 10 * version, version}); {
			case !found && (err == nil || len(text) > 0):
				t.Errorf("it is taken: %q", text)
			case found && (err != nil || got != want || string(text) != fmt.Sprintf("theirs %d\n", version)):
				t.Errorf("trusts %+v, %v; want %+v; the target is %q", got, err, want, text)
			}
		})
	}
}

// otherRootCmd writes a root of another repository: its root and its targets are
// signed by two of three, where nothing else is said.
func otherRootCmd(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: otherroot FILE VERSION [expires=TIME] [threshold=N] [root=KEYS] [targets=KEYS] [by=KEYS]")
		}
		var root ceremonytest.OtherRoot
		var err error
		root.Version, err = strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
		for _, arg := range args[2:] {
			name, value, _ := strings.Cut(arg, "=")
			switch name {
			case "expires":
				root.Expires, err = time.Parse(tufmeta.TimeFormat, value)
			case "threshold":
				root.Threshold, err = strconv.Atoi(value)
			case "root":
				root.Root = strings.Split(value, ",")
			case "targets":
				root.Targets = strings.Split(value, ",")
			case "by":
				root.By = strings.Split(value, ",")
			default:
				ts.Fatalf("unknown field %q", name)
			}
			ts.Check(err)
		}
		ts.Check(durable.Replace(ts.MkAbs(args[0]), root.File(t)))
	}
}
