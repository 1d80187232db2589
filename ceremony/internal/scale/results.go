package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// results are docs/scale.json.
type results struct {
	Machine  machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Sizes    []sized           `json:"sizes"`
	Rows     []row             `json:"rows"`
}

type machine struct {
	System string `json:"system"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`

	// Load is the highest that Linux gave when a run began: how many processes
	// wanted a core in the minute before.
	Load float64 `json:"load"`
}

type sized struct {
	Name    string `json:"name"`
	What    string `json:"what"`
	Entries int    `json:"entries"`
	Bytes   int64  `json:"bytes"` // of the payload
}

// row is one measurement.
type row struct {
	Size     string  `json:"size"`
	Tool     string  `json:"tool"`
	Work     string  `json:"work"`
	Seconds  float64 `json:"seconds,omitempty"`  // the shortest run
	Multiple float64 `json:"multiple,omitempty"` // of SHA-256 alone over the payload
	PeakMB   float64 `json:"peak_mb,omitempty"`
	Runs     int     `json:"runs,omitempty"`
	Failure  string  `json:"failure,omitempty"`
	Run      string  `json:"run"` // when the run that it is of began
}

func (r row) String() string {
	if r.Failure != "" {
		return fmt.Sprintf("%-10s %-10s %s", r.Tool, r.Work, r.Failure)
	}
	return fmt.Sprintf("%-10s %-10s %9s s %8s MB", r.Tool, r.Work, figure(r.Seconds), figure(r.PeakMB))
}

// readResults reads what is there, or begins anew.
func readResults(file string, keep bool) (*results, error) {
	r := &results{Versions: map[string]string{}}
	if !keep {
		return r, nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(data, r)
	}
	return r, err
}

// describe says what was measured, and on what.
func (r *results) describe(o options) {
	r.Machine = machine{runtime.GOOS + "/" + runtime.GOARCH, cpu(), runtime.NumCPU(), max(r.Machine.Load, load())}
	r.Versions = map[string]string{"Go": strings.TrimPrefix(runtime.Version(), "go")}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/theupdateframework/go-tuf/v2" {
				r.Versions[goTUF] = strings.TrimPrefix(m.Version, "v")
			}
		}
	}
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(o.python), "../lib/python*/site-packages/tuf-*.dist-info"))
	if len(found) == 1 {
		version := strings.TrimPrefix(filepath.Base(found[0]), "tuf-")
		r.Versions[pyTUF] = strings.TrimSuffix(version, ".dist-info")
	}
}

// cpu is the processor's name, where the system tells.
func cpu() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, "\t :\n")
		}
	}
	return "unknown"
}

// load is 0 where the system does not tell.
func load() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseFloat(first, 64)
	return n
}

func (r *results) addSize(s sized) {
	i := slices.IndexFunc(r.Sizes, func(have sized) bool { return have.Name == s.Name })
	if i < 0 {
		r.Sizes = append(r.Sizes, s)
	} else {
		r.Sizes[i] = s
	}
	slices.SortStableFunc(r.Sizes, func(a, b sized) int {
		return cmp.Or(cmp.Compare(a.order(), b.order()), cmp.Compare(a.Entries, b.Entries))
	})
}

// order is that of the tables: targets by their number, then the others.
func (s sized) order() int { return slices.Index([]string{"bins", "claimed"}, s.Name) }

// set puts a row in, in the place of an earlier one.
func (r *results) set(n row) {
	i := slices.IndexFunc(r.Rows, func(have row) bool {
		return have.Size == n.Size && have.Tool == n.Tool && have.Work == n.Work
	})
	if i < 0 {
		r.Rows = append(r.Rows, n)
		return
	}
	r.Rows[i] = n
}

func (r *results) get(size, tool, work string) (row, bool) {
	for _, have := range r.Rows {
		if have.Size == size && have.Tool == tool && have.Work == work {
			return have, have.Failure == "" && have.Seconds > 0
		}
	}
	return row{}, false
}

// multiply divides by SHA-256 alone.
func (r *results) multiply() {
	for i := range r.Rows {
		alone, ok := r.get(r.Rows[i].Size, limit, "sha256")
		r.Rows[i].Multiple = 0
		if ok && r.Rows[i].Seconds > 0 {
			r.Rows[i].Multiple = significant(r.Rows[i].Seconds / alone.Seconds)
		}
	}
}

// place is where a row stands among others.
func (r *results) place(n row) []int {
	size := slices.IndexFunc(r.Sizes, func(s sized) bool { return s.Name == n.Size })
	for i, of := range rows {
		if of.tool == n.Tool {
			return []int{size, i, slices.Index(of.works, n.Work)}
		}
	}
	return []int{size}
}

// write writes the figures, and what is made of them.
func (r *results) write(dir string) error {
	r.multiply()
	slices.SortStableFunc(r.Rows, func(a, b row) int { return slices.Compare(r.place(a), r.place(b)) })
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "scale.json"), append(data, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, "scale.svg"), r.chart(), 0o644),
		os.WriteFile(filepath.Join(dir, "scale.md"), r.page(), 0o644))
}

func megabytes(bytes int64) float64 { return significant(float64(bytes) / 1e6) }

// significant leaves three digits.
func significant(x float64) float64 {
	if x == 0 {
		return 0
	}
	digits := math.Pow(10, 2-math.Floor(math.Log10(x)))
	return math.Round(x*digits) / digits
}

// figure writes three digits as people do.
func figure(x float64) string {
	switch {
	case x == 0:
		return "-"
	case x >= 100:
		return thousands(int(math.Round(x)))
	}
	return strconv.FormatFloat(x, 'f', int(2-math.Floor(math.Log10(x))), 64)
}
