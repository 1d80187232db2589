package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// asProgram has this test binary be the program: it starts itself for each row.
const asProgram = "SCALE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	// A program that is built with the race detector sleeps for a second when
	// it ends, and dozens are started here.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const docs = "../../../docs"

// What stands in docs was made from figures that were measured.
func TestPage(t *testing.T) {
	r, err := readResults(filepath.Join(docs, "scale.json"), true)
	if err != nil || len(r.Rows) == 0 {
		t.Fatalf("%d rows, %v", len(r.Rows), err)
	}
	written := r.multiplied(t)
	for name, want := range map[string][]byte{"scale.json": written, "scale.md": r.page(), "scale.svg": r.chart()} {
		have, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil || !bytes.Equal(have, want) {
			t.Errorf("docs/%s is not what scale.json comes to (%v): scripts/bench-scale --page writes it anew", name, err)
		}
	}
}

// The chart is well-formed, has a mark for each figure, and its text can be
// read.
func TestChart(t *testing.T) {
	r, err := readResults(filepath.Join(docs, "scale.json"), true)
	if err != nil {
		t.Fatal(err)
	}
	chart := r.chart()
	d := xml.NewDecoder(bytes.NewReader(chart))
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	marks := len(lines) // of the legend
	for _, s := range r.charted() {
		for _, p := range panels {
			for _, l := range lines {
				if row, ok := r.get(s.Name, l.tool, p.work); ok || row.Failure != "" {
					marks++
				}
			}
		}
	}
	if have := bytes.Count(chart, []byte(" transform=")) + bytes.Count(chart, []byte("l8 8m0 -8l-8 8")); have != marks {
		t.Errorf("%d marks for %d figures", have, marks)
	}
	for _, m := range regexp.MustCompile(`([0-9]+)px`).FindAllSubmatch(chart, -1) {
		if size, _ := strconv.Atoi(string(m[1])); size < 11 {
			t.Errorf("text of %s px", m[1])
		}
	}
}

// A page of figures from a busy machine says so.
func TestBusy(t *testing.T) {
	for load, busy := range map[float64]bool{0: false, 0.9: false, 3: true} {
		r := &results{Machine: machine{Cores: 2, Load: load}}
		if bytes.Contains(r.page(), []byte("These figures are provisional")) != busy {
			t.Errorf("with a load of %g", load)
		}
	}
}

// multiplied is the file with its figures, once the multiples were taken anew.
func (r *results) multiplied(t *testing.T) []byte {
	t.Helper()
	r.multiply()
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// bench runs the program at a size, in a process of its own, and gives what it
// wrote.
func benchAt(t *testing.T, size string, args ...string) (*results, string) {
	t.Helper()
	t.Setenv(asProgram, "1")
	out := t.TempDir()
	args = append([]string{"-sizes", size, "-output", out, "-starts", "1", "-again", "0s", "-python", "../../../.peers/python/bin/python"}, args...)
	log, err := exec.Command(os.Args[0], args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	r, err := readResults(filepath.Join(out, "scale.json"), true)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(log)
}

func buildCommand(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "ceremony")
	c := exec.Command("go", "build", "-o", program, "../..")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return program
}

// Every row can be measured: all tools take the files, verify the signatures,
// and find what differs. What the command drafts is what was made without it.
func TestRows(t *testing.T) {
	dir := t.TempDir()
	r, log := benchAt(t, "1000", "-dir", dir, "-ceremony", buildCommand(t))
	_, python := os.Stat("../../../.peers/python/bin/python")
	for _, order := range rows {
		for _, work := range order.works {
			row, ok := r.get("1000", order.tool, work)
			switch {
			case order.tool == pyTUF && python != nil:
				if !strings.Contains(row.Failure, "scripts/peers installs it") {
					t.Errorf("without python-tuf: %s", row)
				}
			case !ok:
				t.Errorf("%s", row)
			case !strings.Contains(log, order.tool+" "+work):
				t.Errorf("%s %s is not in the table", order.tool, work)
			}
		}
	}
	if t.Failed() {
		t.Log(log)
	}
	made, err := os.ReadFile(filepath.Join(dir, "1000", payloadFile))
	if err != nil {
		t.Fatal(err)
	}
	drafted, err := os.ReadFile(filepath.Join(dir, "1000", "ceremony", "payload", nextFile))
	if err != nil || !bytes.Equal(made, drafted) {
		t.Errorf("the command drafts something else: %v", err)
	}
	if python != nil {
		t.Skip("python-tuf is not there; scripts/peers installs it")
	}
}

// What takes too long, or too much, is ended and says so, and so does what
// builds upon it.
func TestLimits(t *testing.T) {
	long := "#!/bin/sh\nexec sleep 60\n"
	slow := filepath.Join(t.TempDir(), "slow")
	if err := os.WriteFile(slow, []byte(long), 0o755); err != nil {
		t.Fatal(err)
	}
	r, _ := benchAt(t, "100", "-only", "ceremony/draft,ceremony/seal,ceremony/verify", "-ceremony", slow, "-time", "100ms")
	for work, want := range map[string]string{"draft": "not done after 0.1 s", "seal": "`ceremony draft` before it: not done after 0.1 s", "verify": "`ceremony draft` before it"} {
		if row, ok := r.get("100", commandT, work); ok || !strings.HasPrefix(row.Failure, want) {
			t.Errorf("%s: %q", work, row.Failure)
		}
	}
	if peakHere() == 0 {
		t.Skip("this system does not tell how much memory a process takes")
	}
	r, _ = benchAt(t, "20000", "-only", "go-tuf/parse", "-memory", "20")
	if row, ok := r.get("20000", goTUF, "parse"); ok || row.Failure != "more than 20 MB" {
		t.Errorf("%s", row)
	}
}

// A later run replaces its own rows and keeps the others.
func TestKeep(t *testing.T) {
	t.Setenv(asProgram, "1")
	out := t.TempDir()
	for _, args := range [][]string{{"-only", "limit,engine/sign"}, {"-only", "engine/sign,engine/verify", "-keep"}} {
		args = append([]string{"-sizes", "100", "-output", out, "-again", "0s"}, args...)
		if log, err := exec.Command(os.Args[0], args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
	}
	r, err := readResults(filepath.Join(out, "scale.json"), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, work := range []string{"sign", "verify"} {
		if row, ok := r.get("100", engine, work); !ok || row.Multiple == 0 {
			t.Errorf("%s: %s", work, row)
		}
	}
	if len(r.Rows) != 6 || len(r.Sizes) != 1 {
		t.Errorf("%d rows, %d sizes", len(r.Rows), len(r.Sizes))
	}
	page, err := os.ReadFile(filepath.Join(out, "scale.md"))
	if err != nil || !bytes.Contains(page, []byte("## 100 targets")) {
		t.Errorf("the page: %v", err)
	}
}

// Delegations differ in one of a hundred, in each tool's own words.
func TestDelegations(t *testing.T) {
	for _, s := range []size{{bins: 300}, {projects: 300}} {
		all, err := s.delegations(true)
		if err != nil {
			t.Fatal(err)
		}
		changes, err := s.changes()
		if err != nil {
			t.Fatal(err)
		}
		before, err := s.delegations(false)
		if err != nil || len(all) != 300 || len(changes) != 3 || len(before) < 297 {
			t.Errorf("%+v: %d, of which %d are changed, and %d before, %v", s, len(all), len(changes), len(before), err)
		}
		if p, err := publicKey("project 0"); s.projects > 0 && (err != nil || p.ID != all[0].KeyID) {
			t.Errorf("the key of a project has the ID %s: %v", all[0].KeyID, err)
		}
	}
}

func TestNoSuchSize(t *testing.T) {
	for _, name := range []string{"", "99", "many", "-5", "1e6"} {
		var log bytes.Buffer
		if status := run([]string{"make", name, t.TempDir()}, &log, &log); status != 1 || !strings.Contains(log.String(), "there is no size") {
			t.Errorf("%q: exit status %d: %s", name, status, log.String())
		}
	}
}

// The goals are judged by the figures, and what is not known is not met.
func TestGoals(t *testing.T) {
	r := &results{}
	verdicts := func() (all []string) {
		for _, g := range goals {
			all = append(all, g.verdict(r, engine).String())
		}
		return all
	}
	if slices.ContainsFunc(verdicts(), func(v string) bool { return v != "not measured" }) {
		t.Errorf("of nothing: %q", verdicts())
	}
	for i, size := range linearSizes {
		bytes := []float64{2e6, 20e6, 200e6}[i]
		r.addSize(sized{Name: size, Bytes: int64(bytes)})
		r.set(row{Size: size, Tool: limit, Work: "sha256", Seconds: bytes / 1e9})
		r.set(row{Size: size, Tool: limit, Work: "signature", Seconds: 0.1})
		r.set(row{Size: size, Tool: limit, Work: "signatures", Seconds: 0.2})
		for _, work := range linearWork {
			r.set(row{Size: size, Tool: engine, Work: work, Seconds: bytes/1e9*3 + r.constant(size, engine, work), PeakMB: 99})
		}
	}
	r.set(row{Size: "10000", Tool: engine, Work: "seal", Seconds: 0.01, PeakMB: 99})
	r.set(row{Size: goalSize, Tool: engine, Work: "verify", Failure: "not done after 10 min"})
	want := []string{
		"**missed**: 2.33 ×", "**missed**: not done after 10 min", "met: 3.00 ×", "**missed**: verify: not done after 10 min",
		"met: 0 % (3.00, 3.00, 3.00 ns a byte)", "met: 0 % (3.00, 3.00, 3.00 ns a byte)", "met: 0 % (3.00, 3.00, 3.00 ns a byte)",
		"**missed**: 67 % (5.00, 3.00, 3.00 ns a byte)", "**missed**: not done after 10 min",
	}
	if have := verdicts(); !slices.Equal(have, want) {
		t.Errorf("%q", have)
	}
	r.set(row{Size: goalSize, Tool: limit, Work: "sha256sum", Seconds: 0.4})
	if have := verdicts()[2]; have != "met: 3.00 ×; 1.50 × `sha256sum`" {
		t.Errorf("%q", have)
	}
	r.set(row{Size: goalSize, Tool: engine, Work: "draft", Seconds: 0.9, PeakMB: 101})
	if have := verdicts()[3]; have != "**missed**: 101 MB (draft)" {
		t.Errorf("%q", have)
	}
}
