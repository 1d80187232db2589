package main

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/tufmeta"
)

// TestStoppedDelegatedPublication stops the publication of a delegated role at
// each of its steps, with consistent snapshots and without: clients go on from what
// is there at any moment, before or after, and the same command again completes.
func TestStoppedDelegatedPublication(t *testing.T) {
	stepwise(t)
	for _, consistent := range []bool{true, false} {
		t.Run(map[bool]string{true: "consistent", false: "not consistent"}[consistent], func(t *testing.T) {
			r := staged(t, (*rehearsal).prepare, (*rehearsal).index)
			if !consistent {
				r.inconsistent(t)
			}
			must(t, r.claims("claimed.jsonl", "requests"))
			must(t, r.types("coordinator", "promote", "promotion", "--projects", "claimed.jsonl", "--roster", "genesis",
				"--trusted-root", "../repository/metadata/1.root.json", "--trusted-targets", "genesis/metadata/1.targets.json", "--trusted-targets", "genesis/metadata/1.claimed.json"))
			must(t, r.hold("promotion", []string{"holder-4", "holder-5"}))
			publish := func() error {
				return r.types("publisher", "publish", "../promotion.bundle", "../repository", "--online-key", "online.pem")
			}
			source := r.dir
			r.dir = copyTree(t, source)
			must(t, publish())
			want := slices.Sorted(maps.Keys(tree(t, filepath.Join(r.dir, "repository"))))
			if slices.Contains(want, "metadata/claimed.json") == consistent {
				t.Fatalf("the repository has %v", want)
			}
			for n := 1; ; n++ {
				r.dir = copyTree(t, source)
				if !stopAt(n, publish) {
					if n < 10 {
						t.Errorf("only %d steps", n)
					}
					return
				}
				if got := r.refreshed(t); got != (versions{1, 1, 1, 1}) && got != (versions{1, 2, 2, 1}) {
					t.Errorf("stopped at step %d: clients trust %+v", n, got)
				}
				if consistent { // without, one name means the old version until snapshot lists the new one
					r.asked(t, n)
				}
				if err := publish(); err != nil {
					t.Fatalf("stopped at step %d, then: %v", n, err)
				}
				if got := r.refreshed(t); got != (versions{1, 2, 2, 1}) {
					t.Errorf("stopped at step %d, and run again: clients trust %+v", n, got)
				}
				r.asked(t, n)
				if have := slices.Sorted(maps.Keys(tree(t, filepath.Join(r.dir, "repository")))); !slices.Equal(have, want) {
					t.Errorf("stopped at step %d, and run again: the repository has %v, want %v", n, have, want)
				}
			}
		})
	}
}

// refreshed is what go-tuf trusts, which takes a file too.
func (r *rehearsal) refreshed(t *testing.T) versions {
	t.Helper()
	repository := filepath.Join(r.dir, "repository")
	got, err := goTUF(t, serve(t, repository), filepath.Join(repository, "root.json"), t.TempDir(), "hello.txt", filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Error(err)
	}
	return got
}

// asked has a client look in claimed, for what nobody lists: it must read that far,
// and find nothing.
func (r *rehearsal) asked(t *testing.T, n int) {
	t.Helper()
	repository := filepath.Join(r.dir, "repository")
	_, err := goTUF(t, serve(t, repository), filepath.Join(repository, "root.json"), t.TempDir(), "packages/other/1.0", filepath.Join(t.TempDir(), "out"))
	if err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("stopped at step %d: looking in claimed ends in %v", n, err)
	}
}

// inconsistent makes the repository one that was begun by other tools, without
// consistent snapshots: files have one name whatever their version.
func (r *rehearsal) inconsistent(t *testing.T) {
	t.Helper()
	repository := filepath.Join(r.dir, "repository")
	data, err := os.ReadFile(filepath.Join(repository, "root.json"))
	must(t, err)
	env, err := tufmeta.ParseEnvelope(data)
	must(t, err)
	env.Signed["consistent_snapshot"] = false
	canonical, err := tufmeta.Encode(env.Signed)
	must(t, err)
	var signatures []any
	for _, holder := range []string{"holder-1", "holder-2", "holder-3"} {
		private, err := r.key("token " + holder)
		must(t, err)
		key, err := tufmeta.NewKey(&private.PublicKey)
		must(t, err)
		digest := sha256.Sum256(canonical)
		sig, err := private.Sign(rand.Reader, digest[:], crypto.SHA256)
		must(t, err)
		signatures = append(signatures, map[string]any{"keyid": key.ID, "sig": hex.EncodeToString(sig)})
	}
	whole, err := tufmeta.Encode(map[string]any{"signed": env.Signed, "signatures": signatures})
	must(t, err)
	for _, name := range []string{"root.json", "metadata/1.root.json"} {
		must(t, os.WriteFile(filepath.Join(repository, filepath.FromSlash(name)), tufmeta.JSON(whole), 0o644))
	}
	for name := range tree(t, repository) {
		dir, file := filepath.Split(filepath.FromSlash(name))
		if _, plain, ok := strings.Cut(file, "."); ok && dir != "" && file != "1.root.json" && file != "timestamp.json" && strings.Contains(plain, ".") {
			must(t, os.Rename(filepath.Join(repository, dir, file), filepath.Join(repository, dir, plain)))
		}
	}
}
