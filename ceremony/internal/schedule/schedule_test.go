package schedule_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/schedule"
	"tufceremony/ceremony/internal/tufmeta"
)

// signed makes a metadata file of a role that ends on a day of 2027.
func signed(t *testing.T, name, kind string, version int64, day int, fields map[string]any, tokens ...string) inspect.File {
	t.Helper()
	tree := map[string]any{"_type": kind, "spec_version": tufmeta.SpecVersion, "version": version,
		"expires": tufmeta.Stamp(time.Date(2027, 3, day, 9, 0, 0, 0, time.UTC))}
	if kind == "targets" {
		tree["targets"] = map[string]any{}
	} else {
		tree["meta"] = map[string]any{}
	}
	for field, value := range fields {
		tree[field] = value
	}
	payload, err := tufmeta.Encode(tree)
	if err != nil {
		t.Fatal(err)
	}
	var signatures []tufmeta.Signature
	for _, token := range tokens {
		signatures = append(signatures, tufmeta.Signature{KeyID: ceremonytest.Object(t, token).ID, Sig: hex.EncodeToString(ceremonytest.Signature(t, token, payload))})
	}
	data, err := assemble.Envelope(payload, signatures)
	if err != nil {
		t.Fatal(err)
	}
	return inspect.File{Name: name, Data: data}
}

// to delegates to a role of one key.
func to(t *testing.T, name, token string, threshold int64) map[string]any {
	t.Helper()
	key := ceremonytest.Object(t, token)
	return map[string]any{
		"keys":  map[string]any{key.ID: key.Object},
		"roles": []any{map[string]any{"name": name, "keyids": []any{key.ID}, "threshold": threshold, "terminating": false, "paths": []any{"*"}}},
	}
}

func repository(t *testing.T) []inspect.File {
	t.Helper()
	return []inspect.File{
		{Name: "1.root.json", Data: ceremonytest.Root(t)},
		signed(t, "2.targets.json", "targets", 2, 20, map[string]any{"delegations": to(t, "projects", "delegate", 1)}, "holder-1", "holder-2"),
		signed(t, "metadata/5.projects.json", "targets", 5, 15, map[string]any{"delegations": to(t, "nightly", "online", 1)}, "delegate"),
		signed(t, "nightly.json", "targets", 9, 10, nil, "online"),
		signed(t, "timestamp.json", "timestamp", 3, 2, nil, "online"),
	}
}

func lines(s *schedule.Schedule) []string {
	var out []string
	for _, d := range s.Deadlines {
		out = append(out, d.At.Format("01-02 ")+d.State+" "+d.Summary())
	}
	return out
}

func made(t *testing.T, files []inspect.File, margin int, people *roster.Roster) *schedule.Schedule {
	t.Helper()
	s, err := schedule.Make(schedule.Sources{Metadata: files}, time.Date(2027, 2, 28, 9, 0, 0, 0, time.UTC), margin, people)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Roles to which targets delegates are there, and those to which these do.
// Keys that sign timestamp too are a machine's: nobody meets for them.
func TestDelegated(t *testing.T) {
	want := []string{
		"03-02 ahead timestamp 3 expires",
		"03-05 ahead hold the ceremony for projects 6",
		"03-10 ahead nightly 9 expires",
		"03-10 ahead hold the ceremony for targets 3",
		"03-15 ahead projects 5 expires",
		"03-20 ahead targets 2 expires",
		"12-31 ahead hold the ceremony for root 2",
		"01-10 ahead root 1 expires",
	}
	s := made(t, repository(t), 10, nil)
	if have := lines(s); !slices.Equal(have, want) || s.Due() {
		t.Errorf("%s\nwanted\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	for _, d := range s.Deadlines {
		if d.What == schedule.Ceremony && d.Role == "projects" && d.People() != "1 of these 1 must sign: key "+roster.Short(ceremonytest.Object(t, "delegate").Fingerprint()) {
			t.Error(d.People())
		}
	}
}

// A roster that has a delegate's key as a machine's is believed.
func TestOnlineByRoster(t *testing.T) {
	people := &roster.Roster{Online: []*roster.Token{{Name: "signer", Key: ceremonytest.Object(t, "delegate")}}}
	for _, line := range lines(made(t, repository(t), 10, people)) {
		if strings.Contains(line, "ceremony for projects") {
			t.Error(line)
		}
	}
}

// What nobody signed who may is not counted: as a role's newest, or in its place.
func TestNotCounted(t *testing.T) {
	for _, row := range []struct {
		name  string
		files []inspect.File
		want  string
	}{
		{"a newer delegated role of a stranger", append(repository(t), signed(t, "6.projects.json", "targets", 6, 30, nil, "stranger")), "6.projects.json"},
		{"targets of too few", append(repository(t), signed(t, "3.targets.json", "targets", 3, 30, nil, "holder-1")), "3.targets.json"},
		{"a timestamp by one who signs targets", append(repository(t), signed(t, "other.json", "timestamp", 4, 30, nil, "holder-1")), "other.json"},
		{"all there is of a role", append(repository(t), signed(t, "snapshot.json", "snapshot", 1, 30, nil)), "snapshot.json"},
	} {
		s := made(t, row.files, 10, nil)
		if len(s.Unsigned) != 1 || s.Unsigned[0].File != row.want || !s.Due() {
			t.Errorf("%s: %v", row.name, s.Unsigned)
		}
		for _, d := range s.Deadlines {
			if d.At.Equal(time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)) {
				t.Errorf("%s: it is counted: %s", row.name, d.Summary())
			}
		}
	}
}

// An older version that lies beside the newest is no matter, whoever signed it.
func TestOlderVersions(t *testing.T) {
	files := append(repository(t), signed(t, "1.targets.json", "targets", 1, 1, nil, "holder-1"), signed(t, "4.projects.json", "targets", 4, 1, nil))
	if s := made(t, files, 10, nil); s.Due() || len(s.Unsigned) > 0 {
		t.Error(s.Unsigned)
	}
}

// The margin is to the second, and only for what people sign.
func TestMargin(t *testing.T) {
	s := made(t, repository(t), 15, nil)
	if have := lines(s)[0]; have != "02-28 due hold the ceremony for projects 6" || !s.Due() {
		t.Error(have)
	}
	files := []inspect.File{repository(t)[0], repository(t)[4]}
	if s := made(t, files, 300, nil); s.Due() {
		t.Error(lines(s))
	}
}

// What seals no root, or another's, does not stand by.
func TestStandForeign(t *testing.T) {
	c := ceremonytest.Rotation(t)
	c.Draft()
	c.Sign("holder-1", "holder-2-new", "holder-3", "holder-2")
	chain, err := inspect.Chain(repository(t)[:1], ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	stand := func(change func(files folder.Files)) schedule.Standing {
		files := c.Seal()
		change(files)
		return schedule.Stand(schedule.Sealed{Name: "b", Files: files}, chain, repository(t)[:1], ceremonytest.Now)
	}
	for _, row := range []struct {
		name, state, why string
		change           func(files folder.Files)
	}{
		{"as it was sealed", schedule.Live, "lapses when root 2 is published, and on 2028-01-10", func(folder.Files) {}},
		{"no root", schedule.Foreign, "makes no root", func(f folder.Files) { delete(f, "metadata/2.root.json") }},
		{"no plan", schedule.Foreign, "does not verify", func(f folder.Files) { delete(f, "plan.yaml") }},
		{"a signature taken out", schedule.Foreign, "does not verify", func(f folder.Files) { delete(f, f.Names("signatures")[0]) }},
		{"metadata that cannot be read", schedule.Foreign, "", func(f folder.Files) { f["metadata/2.root.json"] = []byte("{}") }},
	} {
		if s := stand(row.change); s.State != row.state || !strings.Contains(s.Why, row.why) {
			t.Errorf("%s: %s, %s", row.name, s.State, s.Why)
		}
	}
}

// In a repository clients fetch what timestamp.json and the snapshot list. Newer
// files that lie beside that, signed as they are, keep no client going.
func TestWhatClientsAreShown(t *testing.T) {
	lists := func(name string, version int64) map[string]any {
		return map[string]any{"meta": map[string]any{name: map[string]any{"version": version}}}
	}
	files := []inspect.File{
		{Name: "root.json", Data: ceremonytest.Root(t)},
		signed(t, "metadata/timestamp.json", "timestamp", 3, 12, lists("snapshot.json", 4), "online"),
		signed(t, "metadata/4.timestamp.json", "timestamp", 4, 31, lists("snapshot.json", 5), "online"),
		signed(t, "metadata/4.snapshot.json", "snapshot", 4, 11, lists("targets.json", 2), "online"),
		signed(t, "metadata/5.snapshot.json", "snapshot", 5, 30, lists("targets.json", 3), "online"),
		signed(t, "metadata/2.targets.json", "targets", 2, 10, nil, "holder-1", "holder-2"),
		signed(t, "metadata/3.targets.json", "targets", 3, 29, nil, "holder-1", "holder-2"),
	}
	at := time.Date(2027, 3, 10, 9, 0, 0, 0, time.UTC)
	s, err := schedule.Make(schedule.Sources{Metadata: files, Whole: true}, at, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Join(lines(s), "\n")
	for _, want := range []string{"03-10 past targets 2 expires", "03-11 ahead snapshot 4 expires", "03-12 ahead timestamp 3 expires", "03-28 ahead hold the ceremony for targets 4"} {
		if !strings.Contains(have, want) {
			t.Errorf("no %q in\n%s", want, have)
		}
	}
	if !s.Due() || strings.Contains(have, "ceremony for targets 3") {
		t.Errorf("due: %t, with\n%s", s.Due(), have)
	}
	for _, missing := range []string{"metadata/4.snapshot.json", "metadata/2.targets.json"} {
		some := slices.DeleteFunc(slices.Clone(files), func(f inspect.File) bool { return f.Name == missing })
		s, err := schedule.Make(schedule.Sources{Metadata: some, Whole: true}, at.AddDate(0, 0, -5), 1, nil)
		if err != nil || !s.Due() || len(s.Unsigned) != 1 || !strings.HasPrefix(s.Unsigned[0].Why, "clients are told to fetch ") {
			t.Errorf("without %s: %v, %v", missing, s, err)
		}
	}
}
