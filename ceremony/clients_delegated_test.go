package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/durable"
)

// Targets that delegated roles list are found by three independent clients: in
// one that is asked by paths, and in a succinct bin two steps down. All of them
// are signed in one ceremony, by different people.
func TestClientsFollowDelegations(t *testing.T) {
	r := staged(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.prepare())
	must(r.genesis())
	files := filepath.Join(r.dir, "files", "third")
	targets := map[string]string{"claimed/one.txt": "claimed one\n", "bins/two.txt": "binned two\n"}
	for path, text := range targets {
		must(durable.Create(filepath.Join(files, filepath.FromSlash(path)), []byte(text)))
	}
	must(r.types("coordinator", "init", "next", "--kind", "targets", "--trusted-root", "../repository/metadata/1.root.json",
		"--trusted-targets", "../repository/metadata/1.targets.json", "--roster", "../genesis.bundle"))
	must(r.edit("next", func(text string) (string, error) {
		text, err := r.marked(text)
		if err != nil {
			return "", err
		}
		text, err = replace(text, "  remove: []\n", "  remove: []\n"+delegationsOfClients)
		return text + delegatedOfClients(targets), err
	}))
	must(r.hold("next", []string{"holder-1", "holder-2", "holder-3", "holder-4"}))
	must(r.types("stranger", "verify", "../next.bundle", "--trusted-root", "../repository/root.json"))
	must(r.types("publisher", "publish", "../next.bundle", "../repository", "--online-key", "online.pem", "--targets", "../files/third"))

	repository := filepath.Join(r.dir, "repository")
	base := serve(t, repository)
	for name, refresh := range clients {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			for path, text := range targets {
				out := filepath.Join(t.TempDir(), "out")
				got, err := refresh(t, base, filepath.Join(repository, "root.json"), state, path, out)
				if want := (versions{1, 2, 2, 2}); err != nil || got != want {
					t.Fatalf("%s: trusts %+v, %v; want %+v", path, got, err, want)
				}
				if have, _ := os.ReadFile(out); string(have) != text {
					t.Errorf("%s is %q", path, have)
				}
			}
			if _, err := refresh(t, base, filepath.Join(repository, "root.json"), state, "others/one.txt", filepath.Join(t.TempDir(), "out")); err == nil {
				t.Error("a target that nobody lists is found")
			}
		})
	}
}

const delegationsOfClients = `  delegations:
    - name: claimed
      threshold: 2
      keys: [holder-2, holder-3, holder-4]
      paths: ["claimed/*"]
      terminating: true
    - name: bins
      threshold: 2
      keys: [holder-3, holder-4]
      paths: ["bins/*"]
      terminating: false
`

// delegatedOfClients are the roles below: claimed, bins, and its four succinct
// bins, of which the SHA-256 of a path chooses one.
func delegatedOfClients(targets map[string]string) string {
	role := func(name, delegator, rest string) string {
		return fmt.Sprintf("  - role: %s\n    delegator: %s\n    version: 1\n    expires: 2029-01-31T09:00:00Z\n%s", name, delegator, rest)
	}
	add := func(path string) string {
		return fmt.Sprintf("    add:\n      - {path: %s, length: %d, sha256: \"%x\"}\n", path, len(targets[path]), sha256.Sum256([]byte(targets[path])))
	}
	bins := make([]string, 4)
	for i := range bins {
		bins[i] = role(fmt.Sprintf("bin-%d", i), "bins", "")
	}
	const binned = "bins/two.txt"
	bins[sha256.Sum256([]byte(binned))[0]>>6] += add(binned)
	return "\ndelegated:\n" + role("claimed", "targets", add("claimed/one.txt")) +
		role("bins", "targets", "    delegations:\n      - succinct: {bits: 2, prefix: bin}\n        threshold: 1\n        keys: [holder-1, holder-4]\n") +
		strings.Join(bins, "")
}
