package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/inspect"
)

// inspected runs inspect on files of a repository.
func (s *small) inspected(files ...string) (status int, out, refusal string) {
	s.t.Helper()
	var screen, errors bytes.Buffer
	env := rehearsalEnv(&screen)
	env.err = guard{&errors}
	args := []string{"inspect"}
	for _, f := range files {
		args = append(args, filepath.Join(s.dir, "metadata", f))
	}
	status = run(args, env)
	return status, strings.Join(strings.Fields(screen.String()), " "), strings.Join(strings.Fields(errors.String()), " ")
}

// TestInspectSizes: inspect tells what clients refuse for its size, one byte
// beyond the limit, and looks for the length in the file that lists it.
func TestInspectSizes(t *testing.T) {
	for _, row := range []struct {
		file   string
		limit  int64
		length bool
		names  []string
		want   string
	}{
		{"root", inspect.RootLimit, false, []string{"1.root.json", "2.root.json"}, "SIZE-ROOT, root: the file has 512001 bytes, and clients take 512000"},
		{"targets", inspect.TargetsLimit, false, []string{"1.targets.json"}, "SIZE-TARGETS, targets: the file has 5000001 bytes: clients take 5000000, unless snapshot lists its length"},
		{"targets", inspect.TargetsLimit, false, []string{"2.root.json", "1.targets.json", "1.snapshot.json"}, "SIZE-TARGETS, targets: the file has 5000001 bytes, and snapshot lists no length for it: clients take 5000000 then"},
		{"targets", inspect.TargetsLimit, true, []string{"2.root.json", "1.targets.json", "1.snapshot.json"}, ""},
		{"snapshot", inspect.SnapshotLimit, false, []string{"1.snapshot.json"}, "SIZE-SNAPSHOT, snapshot: the file has 2000001 bytes: clients take 2000000, unless timestamp lists its length"},
		{"snapshot", inspect.SnapshotLimit, false, []string{"1.snapshot.json", "timestamp.json"}, "SIZE-SNAPSHOT, snapshot: the file has 2000001 bytes, and timestamp lists no length for it: clients take 2000000 then"},
		{"snapshot", inspect.SnapshotLimit, true, []string{"1.snapshot.json", "timestamp.json"}, ""},
	} {
		for more := range int64(2) {
			s := newSmall(t)
			s.size[row.file], s.length = row.limit+more, row.length
			s.publish()
			status, out, refusal := s.inspected(row.names...)
			want := row.want
			if more == 0 {
				want = ""
			}
			if status != done || strings.Contains(out, "SIZE-") != (want != "") || !strings.Contains(out, want) {
				t.Errorf("%s of %d bytes, with %v: exit status %d\n%s\n%s", row.file, row.limit+more, row.names, status, out, refusal)
			}
		}
	}
}

// TestInspectRotations: a chain that is too long for clients holds, and is told.
func TestInspectRotations(t *testing.T) {
	s := newSmall(t)
	s.roots = 258
	s.publish()
	var names []string
	for v := range s.roots {
		names = append(names, fmt.Sprintf("%d.root.json", v+1))
	}
	const want = "SIZE-ROOT, root: root 258 is 257 after root 1: clients that begin there go no further than root 257"
	if status, out, _ := s.inspected(names...); status != done || strings.Count(out, "SIZE-ROOT") != 1 || !strings.Contains(out, want) {
		t.Errorf("exit status %d, and SIZE-ROOT %d times", status, strings.Count(out, "SIZE-ROOT"))
	}
	if _, out, _ := s.inspected(names[1:]...); strings.Contains(out, "SIZE-ROOT") {
		t.Error("256 roots after the first are told")
	}
}

// TestInspectDrop: two snapshots of one repository, in any order, of which the
// later one drops a file. With a root that vouches for both it is broken.
func TestInspectDrop(t *testing.T) {
	s := newSmall(t)
	s.more = map[string]map[string]any{"extra": {"_type": "targets", "targets": map[string]any{}}}
	s.publish()
	s.more, s.version = nil, 2
	s.publish()
	const want = "SNAPSHOT-DROP, snapshot 2: it no longer lists extra.json, which snapshot 1 lists"
	status, out, refusal := s.inspected("2.snapshot.json", "1.snapshot.json", "2.root.json")
	if status != refused || !strings.Contains(refusal, want) || !strings.Contains(refusal, "hint: clients that have the earlier snapshot stay with it") {
		t.Errorf("exit status %d\n%s\n%s", status, out, refusal)
	}
	if status, out, refusal = s.inspected("1.snapshot.json", "2.snapshot.json"); status != done || !strings.Contains(out, "finding "+want) {
		t.Errorf("without a root: exit status %d\n%s\n%s", status, out, refusal)
	}
	if status, out, refusal = s.inspected("2.snapshot.json", "2.root.json"); status != done || strings.Contains(out, "SNAPSHOT-DROP") {
		t.Errorf("one alone: exit status %d\n%s\n%s", status, out, refusal)
	}
}

// TestInspectDropNewKey: where both online keys were replaced clients begin
// anew, and so may the list and its version.
func TestInspectDropNewKey(t *testing.T) {
	r := beforePublication(t, "other.pem")
	metadata := filepath.Join(r.dir, "repository", "metadata")
	r.signer(t, metadata, 1, map[string]any{"targets.json": map[string]any{"version": int64(1)}, "docs.json": map[string]any{"version": int64(9)}})
	if err := publishRotation(r, "other.pem"); err != nil {
		t.Fatal(err)
	}
	const want = "SNAPSHOT-DROP, snapshot 2: it no longer lists docs.json, which snapshot 1 lists"
	for told, names := range map[bool][]string{true: {"1.snapshot.json", "2.snapshot.json"}, false: {"1.root.json", "2.root.json", "1.snapshot.json", "2.snapshot.json"}} {
		s := &small{t: t, dir: filepath.Dir(metadata)}
		if status, out, refusal := s.inspected(names...); status != done || strings.Contains(out, want) != told {
			t.Errorf("%v: exit status %d\n%s\n%s", names, status, out, refusal)
		}
	}
}

// signer has the rehearsal's online key list what it is told, as a signer of
// the repository's own.
func (r *rehearsal) signer(t *testing.T, metadata string, version int64, meta map[string]any) {
	t.Helper()
	key, err := r.key("online")
	if err != nil {
		t.Fatal(err)
	}
	s := &small{t: t, dir: filepath.Dir(metadata), key: key, length: true}
	entry := s.write(fmt.Sprintf("%d.snapshot.json", version), version, 0, map[string]any{"_type": "snapshot", "meta": meta})
	s.write("timestamp.json", version, 0, map[string]any{"_type": "timestamp", "meta": map[string]any{"snapshot.json": entry}})
}

// TestPublishTellsDrops: what another signer has dropped is shown by publish,
// and the rotation is published all the same. An online key that would drop it
// signs nothing.
func TestPublishTellsDrops(t *testing.T) {
	r := beforePublication(t, "online.pem")
	repository := filepath.Join(r.dir, "repository")
	metadata := filepath.Join(repository, "metadata")
	targets := map[string]any{"version": int64(1)}
	r.signer(t, metadata, 2, map[string]any{"targets.json": targets, "docs.json": targets})
	r.signer(t, metadata, 3, map[string]any{"targets.json": map[string]any{"version": int64(4)}})
	before := tree(t, repository)
	var screen bytes.Buffer
	r.env = rehearsalEnv(&screen)
	if err := publishRotation(r, "online.pem"); err == nil {
		t.Error("a snapshot was signed that goes back")
	}
	wantOnScreen(t, &screen, "SNAPSHOT-DROP, snapshot 4: it lists a lower version than snapshot 3: targets.json (2, and 4 before)")
	if after := tree(t, repository); len(after) != len(before) || after["metadata/timestamp.json"] != before["metadata/timestamp.json"] {
		t.Error("something was written")
	}
	screen.Reset()
	r.signer(t, metadata, 3, map[string]any{"targets.json": targets})
	if err := r.types("publisher", "publish", "../rotation.bundle", "../repository", "--targets", "../files/second"); err != nil {
		t.Error(errors.New("it is not published"), err)
	}
	wantOnScreen(t, &screen, "finding SNAPSHOT-DROP, snapshot 3: it no longer lists docs.json, which snapshot 2 lists")
}
