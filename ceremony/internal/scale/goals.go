package main

import (
	"fmt"
	"strings"
)

// What the figures should be, on the machine that they are of.
const (
	goalSign     = 2.0 // times SHA-256 alone and the signature
	goalVerify   = 2.0 // times SHA-256 alone and the signatures
	goalReview   = 4.0 // times SHA-256 alone
	goalMemoryMB = 100.0
	goalSpread   = 0.20 // how far the cost of a byte may be from that at another size
	goalSize     = "1000000"
)

// linearSizes are those between which the cost of a byte is compared.
var linearSizes = []string{"10000", "100000", goalSize}

// smallest is the number of targets that costs nothing itself: a ceremony of so many
// shows what a command takes whatever the size.
const smallest = "200"

// ours are the tools that the goals are for, and theirs what they do.
var (
	ours       = []string{engine, commandT}
	linearWork = []string{"draft", "review", "sign", "seal", "verify"}
)

// goal is one, and what became of it with one tool.
type goal struct {
	what    string
	verdict func(r *results, tool string) verdict
}

// verdict is a figure, and whether it is good enough. Nothing is known without
// a figure.
type verdict struct {
	figure string
	met    bool
}

func (v verdict) String() string {
	switch {
	case v.figure == "":
		return "not measured"
	case v.met:
		return "met: " + v.figure
	}
	return "**missed**: " + v.figure
}

var goals = append([]goal{
	{"sign: at most 2 × SHA-256 alone and the signature", ratio("sign", goalSign, "signature")},
	{"verify: at most 2 × SHA-256 alone and the signatures", ratio("verify", goalVerify, "signatures")},
	{"review of 1 % changed: at most 4 × SHA-256 alone", ratio("review", goalReview, "")},
	{"memory: at most 100 MB", memory},
}, linear()...)

// ratio compares work with SHA-256 alone and what else nobody can do without.
func ratio(work string, most float64, besides string) func(*results, string) verdict {
	return func(r *results, tool string) verdict {
		took, known := r.get(goalSize, tool, work)
		least, ok := r.get(goalSize, limit, "sha256")
		own, own_ok := r.get(goalSize, limit, besides)
		switch {
		case took.Failure != "":
			return verdict{took.Failure, false}
		case !known || !ok || besides != "" && !own_ok:
			return verdict{}
		}
		times := took.Seconds / (least.Seconds + own.Seconds)
		text := fmt.Sprintf("%s ×", figure(times))
		if other, ok := r.get(goalSize, limit, "sha256sum"); ok {
			text += fmt.Sprintf("; %s × `sha256sum`", figure(took.Seconds/other.Seconds))
		}
		return verdict{text, times <= most}
	}
}

func memory(r *results, tool string) verdict {
	most, at, failed := 0.0, "", ""
	for _, work := range linearWork {
		row, ok := r.get(goalSize, tool, work)
		if row.Failure != "" {
			failed = work + ": " + row.Failure
		}
		if ok && row.PeakMB > most {
			most, at = row.PeakMB, work
		}
	}
	switch {
	case most > goalMemoryMB || failed == "" && most > 0:
		return verdict{fmt.Sprintf("%s MB (%s)", figure(most), at), most <= goalMemoryMB}
	case failed != "":
		return verdict{failed, false}
	}
	return verdict{}
}

// linear gives a goal for each work: that a byte costs as much in a small file
// as in a large one.
func linear() []goal {
	var all []goal
	for _, work := range linearWork {
		all = append(all, goal{work + ": linear from 10,000 to 1,000,000 targets within 20 %", func(r *results, tool string) verdict {
			return spread(r, tool, work)
		}})
	}
	return all
}

// spread compares the dearest byte with the cheapest.
func spread(r *results, tool, work string) verdict {
	least, most := 0.0, 0.0
	var each []string
	for _, size := range linearSizes {
		row, ok := r.get(size, tool, work)
		bytes := r.bytes(size)
		switch {
		case row.Failure != "":
			return verdict{row.Failure, false}
		case !ok || bytes == 0:
			return verdict{}
		}
		cost := (row.Seconds - r.constant(size, tool, work)) * 1e9 / float64(bytes)
		if least == 0 || cost < least {
			least = cost
		}
		most = max(most, cost)
		each = append(each, figure(cost))
	}
	apart := most/least - 1
	return verdict{fmt.Sprintf("%.0f %% (%s ns a byte)", 100*apart, strings.Join(each, ", ")), apart <= goalSpread}
}

// constant is what work takes whatever the size: its signatures, and of a command
// what it takes with hardly any targets.
func (r *results) constant(size, tool, work string) float64 {
	own := row{}
	switch {
	case tool == commandT:
		own, _ = r.get(smallest, tool, work)
	case work == "sign":
		own, _ = r.get(size, limit, "signature")
	case work == "verify":
		own, _ = r.get(size, limit, "signatures")
	}
	return own.Seconds
}

func (r *results) bytes(size string) int64 {
	for _, s := range r.Sizes {
		if s.Name == size {
			return s.Bytes
		}
	}
	return 0
}

func (r *results) goalTable() string {
	var b strings.Builder
	b.WriteString("| goal, at 1,000,000 targets | the engine | the commands |\n|---|---|---|\n")
	for _, g := range goals {
		b.WriteString("| " + g.what)
		for _, tool := range ours {
			b.WriteString(" | " + g.verdict(r, tool).String())
		}
		b.WriteString(" |\n")
	}
	return b.String()
}
