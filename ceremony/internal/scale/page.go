package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// page makes docs/scale.md: everything in it that is a figure comes from
// docs/scale.json.
func (r *results) page() []byte {
	var b strings.Builder
	b.WriteString(`# What size costs

This page is made by ` + "`scripts/bench-scale`" + ` from [scale.json](scale.json), which it measures.
` + r.when() + `
` + r.who() + `

![How many times as long as SHA-256 alone each work takes, by size and tool](scale.svg)

The scales are logarithmic: a straight line that does not rise is a cost that is linear in the size. A cross on the upper
edge is a run that did not come to its end.

## Goals

` + r.goalTable() + `
The multiples are of SHA-256 alone, by Go, over the bytes that are signed. It uses the processor's own instructions for
that where there are some; a ` + "`sha256sum`" + ` that does not takes a multiple of that time itself, which stands below, and the
table says besides how many times as long as that program a work takes.
A command does more than its goal says: each reads what is published as well, copies and hashes every file whole before it
reads on, and hashes what is signed once more as it is read; ` + "`sign`" + ` shows the review first, and ` + "`verify`" + ` reads a bundle of
twice the payload's size, since both versions are in it, and runs the review too.

Linear means that the dearest byte of the three sizes, of 10,000, 100,000 and 1,000,000 targets, costs at most 20 % more than
the cheapest, beyond what is the same for each size: the signatures, and of a command what it takes with ` + smallest + ` targets. Up to
5,000,000 bytes, as 10,000 targets have, ` + "`seal`" + ` and ` + "`verify`" + ` ask go-tuf for a second opinion, which takes nearly all of
their time there.

## What is measured

Targets are as packages have them, with hash, length and custom metadata; *bins* is a role that hands on to 16,384 bins by
` + "`path_hash_prefixes`" + `, as PEP 458 has it, and *claimed* one that hands on to 500,000 projects, each with a key of its
own, as PEP 480 has it. Of each there is the version that is published, signed by five holders of whom three must, and
the next one, in which one entry of a hundred is another.

| work | engine | ceremony | go-tuf and python-tuf |
|---|---|---|---|
| parse | - | - | read the published file |
| draft | merge the published file with a list of what changes | ` + "`ceremony draft`" + `, which reviews what it makes | read it, change it, write it |
| review | compare the payload with the published file | ` + "`ceremony review`" + ` | read both versions, and compare them entry by entry |
| sign | read the payload, sign its digest | ` + "`ceremony sign`" + `, which reviews first | read it, sign it |
| seal | write the published file | ` + "`ceremony seal`" + `, which verifies as a stranger would | - |
| verify | read the published file, verify five signatures | ` + "`ceremony verify`" + ` of the bundle | read it, verify the threshold |

The engine is package ` + "`ceremony/internal/stream`" + ` by itself: what the commands do with a file, without the ceremony
around it. The commands run on a ceremony folder with software tokens. A plan writes delegations out whole, so in *bins*
and *claimed* the commands draft a version in which they stay as they are. The other two have no draft and no review; what
is measured is the least that a program on top of them would do.

Each row is a process of its own, three times over. It does its work once, which the peak of memory is of, and again for
as long as half a second is not over; the time is that of the shortest run, which was disturbed least. What takes more
than a minute is done once. Of a command, which is a process each time, it is the time from start to end. What takes more than ten minutes or 12,000 MB is
ended. Everything that is read lies in the page cache.

To measure again, on a machine that does nothing else:

` + "```sh\nscripts/bench-scale\nscripts/bench-scale --sizes 10000,bins --only ceremony,engine/verify --keep\n```" + `

The second line measures a part, and keeps the other figures.
`)
	for _, s := range r.Sizes {
		fmt.Fprintf(&b, "\n## %s\n\nThe payload has %s MB.\n\n%s", s.What, figure(float64(s.Bytes)/1e6), r.table(s.Name))
	}
	return []byte(b.String())
}

// when says how many runs the figures are of.
func (r *results) when() string {
	runs := map[string]bool{}
	for _, row := range r.Rows {
		runs[row.Run] = true
	}
	all := slices.Sorted(maps.Keys(runs))
	switch len(all) {
	case 0:
		return "Nothing was measured yet."
	case 1:
		return "All figures are of one run, on " + all[0][:10] + "."
	}
	if first, last := all[0][:10], all[len(all)-1][:10]; first != last {
		return fmt.Sprintf("The figures are of %d runs, from %s to %s.", len(all), first, last)
	}
	return fmt.Sprintf("The figures are of %d runs, on %s.", len(all), all[0][:10])
}

// who names machine and versions.
func (r *results) who() string {
	var versions []string
	for _, name := range []string{"Go", goTUF, pyTUF} {
		if v := r.Versions[name]; v != "" {
			versions = append(versions, name+" "+v)
		}
	}
	who := fmt.Sprintf("The machine: %s, %s, %d cores. %s.", r.Machine.System, r.Machine.CPU, r.Machine.Cores, strings.Join(versions, ", "))
	if r.busy() {
		who += fmt.Sprintf("\n**It was busy with something else: its load was %s when a run began. These figures are provisional, and so is what\nthey say of the goals.**", figure(r.Machine.Load))
	}
	return who
}

// busy reports whether others used the machine when it was to be idle.
func (r *results) busy() bool { return r.Machine.Load > float64(r.Machine.Cores)/2 }

// table has what was measured of a size.
func (r *results) table(size string) string {
	var b strings.Builder
	b.WriteString("| work | engine | ceremony | go-tuf | python-tuf |\n|---|---|---|---|---|\n")
	for _, work := range []string{"parse", "draft", "review", "sign", "seal", "verify"} {
		line, any := "| "+work, false
		for _, tool := range []string{engine, commandT, goTUF, pyTUF} {
			cell, ok := r.cell(size, tool, work)
			line, any = line+" | "+cell, any || ok
		}
		if any {
			b.WriteString(line + " |\n")
		}
	}
	b.WriteString("\n")
	for _, alone := range []struct{ tool, work, what string }{
		{limit, "sha256", "SHA-256 alone, by Go"}, {limit, "sha256sum", "`sha256sum`, from start to end"},
		{limit, "signature", "one signature"}, {limit, "signatures", "five signatures verified"}, {commandT, "start", "`ceremony --version`"},
	} {
		if cell, ok := r.cell(size, alone.tool, alone.work); ok {
			b.WriteString("- " + alone.what + ": " + cell + "\n")
		}
	}
	return b.String()
}

func (r *results) cell(size, tool, work string) (string, bool) {
	row, ok := r.get(size, tool, work)
	switch {
	case row.Failure != "":
		return row.Failure, true
	case !ok:
		return "-", false
	case tool == limit && work != "sha256sum":
		return figure(row.Seconds) + " s", true
	}
	text := fmt.Sprintf("%s s, %s ×", figure(row.Seconds), figure(row.Multiple))
	if row.PeakMB > 0 { // which a system need not tell
		text += fmt.Sprintf(", %s MB", figure(row.PeakMB))
	}
	return text, true
}

// tables are for a terminal.
func (r *results) tables() string {
	var b strings.Builder
	for _, s := range r.Sizes {
		fmt.Fprintf(&b, "\n%s, %s MB\n  %-22s %11s %12s %10s\n", s.What, figure(float64(s.Bytes)/1e6), "", "seconds", "x SHA-256", "peak MB")
		for _, order := range rows {
			for _, work := range order.works {
				row, ok := r.get(s.Name, order.tool, work)
				switch name := order.tool + " " + work; {
				case row.Failure != "":
					fmt.Fprintf(&b, "  %-22s   %s\n", name, row.Failure)
				case ok:
					fmt.Fprintf(&b, "  %-22s %11s %12s %10s\n", name, figure(row.Seconds), figure(row.Multiple), figure(row.PeakMB))
				}
			}
		}
	}
	return b.String()
}
