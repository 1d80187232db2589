//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/tufmeta"
)

// manyProjects is to how many projects targets delegates, each with a key of its own.
const manyProjects = 40_000

// claimed is a ceremony of a role that delegates to so many, and goes on doing so: it
// adds a target.
func claimed(t *testing.T) *rehearsal {
	t.Helper()
	stepwise(t)
	r := staged(t, (*rehearsal).prepare, (*rehearsal).genesis)
	keys, roles := map[string]any{}, []any{}
	for i := range manyProjects {
		name := fmt.Sprintf("project-%06d", i)
		id := tufmeta.Digest([]byte(name))
		keys[id] = map[string]any{"keytype": "ed25519", "keyval": map[string]any{"public": tufmeta.Digest([]byte(id))}, "scheme": "ed25519"}
		roles = append(roles, map[string]any{"keyids": []any{id}, "name": name, "paths": []any{"packages/" + name + "/*"}, "terminating": true, "threshold": int64(1)})
	}
	signed := map[string]any{"_type": "targets", "spec_version": tufmeta.SpecVersion, "version": int64(2), "expires": tufmeta.Stamp(r.now.AddDate(0, 6, 0)),
		tufmeta.RehearsalField: true, "targets": map[string]any{}, "delegations": map[string]any{"keys": keys, "roles": roles}}
	list := fmt.Sprintf(`{"path":"new.txt","length":3,"hashes":{"sha256":"%s"}}`+"\n", tufmeta.Digest([]byte("new")))
	for _, err := range []error{
		r.forge("2.targets.json", signed, r.stolenToken("holder-1"), r.stolenToken("holder-2"), r.stolenToken("holder-3")),
		durable.Create(filepath.Join(r.dir, "coordinator", "list.jsonl"), []byte(list)),
		r.types("coordinator", "init", "many", "--kind", "targets", "--trusted-root", "../repository/metadata/1.root.json",
			"--trusted-targets", "../repository/metadata/2.targets.json", "--roster", "../genesis.bundle", "--manifest", "list.jsonl"),
		r.edit("many", r.marked),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// Whatever a role delegates, no command holds it.
func TestDelegationsAtSize(t *testing.T) {
	r := claimed(t)
	if err := r.hold("many", []string{"holder-1", "holder-2"}); err != nil {
		t.Fatal(err)
	}
	root := "../repository/root.json"
	for _, args := range [][]string{
		{"draft", "many"}, {"review", "many"}, {"status", "many"}, {"verify", "../many.bundle", "--trusted-root", root},
		{"inspect", root, "../repository/metadata/2.targets.json"}, {"schedule", "../repository", "--margin", "30"},
	} {
		screen, status, peak := measured(t, r, nil, args...)
		if status != done || peak > mostMemory {
			t.Errorf("%s: exit status %d, %d MB, %s", args[0], status, peak, tail(screen))
		}
		if args[0] == "review" && !strings.Contains(screen, fmt.Sprintf("= delegations unchanged new: %d", manyProjects)) {
			t.Errorf("review says %s", tail(screen))
		}
	}
}

// One delegation among many that nobody has planned is found.
func TestDelegationsChangedAtSize(t *testing.T) {
	r := claimed(t)
	if err := r.types("coordinator", "draft", "many"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.dir, "coordinator", "many", "payload", "3.targets.json")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	id := tufmeta.Digest([]byte("project-020000"))
	key := tufmeta.Digest([]byte(id))
	other := string("0123456789abcdef"[(strings.IndexByte("0123456789abcdef", key[0])+1)%16]) + key[1:]
	fingerprint := func(public string) string {
		return tufmeta.ParseKey(id, map[string]any{"keytype": "ed25519", "keyval": map[string]any{"public": public}, "scheme": "ed25519"}).Fingerprint()
	}
	entry := func(name string) string {
		return `{"keyids":["` + tufmeta.Digest([]byte(name)) + `"],"name":"` + name + `","paths":["packages/` + name + `/*"],"terminating":true,"threshold":1}`
	}
	first, second := entry("project-020000"), entry("project-020001")
	for name, row := range map[string]struct{ old, new, want string }{
		"a path":       {`"packages/project-020000/*"`, `"packages/*"`, `~ delegation project-020000`},
		"a key":        {`{"public":"` + key, `{"public":"` + other, `terminating + unknown holder SHA-256 ` + fingerprint(other) + ` - unknown holder SHA-256 ` + fingerprint(key)},
		"a threshold":  {`"name":"project-020000","paths":["packages/project-020000/*"],"terminating":true,"threshold":1`, `"name":"project-020000","paths":["packages/project-020000/*"],"terminating":true,"threshold":2`, `~ delegation project-020000`},
		"a name":       {`"name":"project-020000"`, `"name":"project-030000x"`, `- delegation project-020000`},
		"two in order": {first + "," + second, second + "," + first, `~ delegation project-02000`},
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Replace(good, []byte(row.old), []byte(row.new), 1)
			if bytes.Equal(data, good) {
				t.Fatal("it is not there")
			}
			put(t, file, func(w io.Writer) error { _, err := w.Write(data); return err })
			screen, status, peak := measured(t, r, nil, "review", "many")
			if status != refused || peak > mostMemory || !strings.Contains(screen, row.want) ||
				!strings.Contains(screen, `PLAN-MISMATCH, 3.targets: field "delegations" is not as in the trusted version, and the plan does not change it`) {
				t.Errorf("exit status %d, %d MB, %s", status, peak, tail(screen))
			}
		})
	}
}
