package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The chart: a panel for each work, with a line for each tool. It is read as an
// image in a page, so it brings its own background, light or dark as the
// reader's, and no font.
const (
	chartWidth  = 800
	chartHeight = 650
	panelWidth  = 320
	panelHeight = 220
	mostDecades = 4
)

var panels = []struct {
	work string
	goal float64 // times SHA-256 alone
	x, y float64 // of the upper left corner
}{
	{"draft", 0, 68, 90}, {"review", goalReview, 468, 90}, {"sign", goalSign, 68, 390}, {"verify", goalVerify, 468, 390},
}

// lines are what the tools look like: not by colour alone.
var lines = []struct{ tool, class, name string }{
	{engine, "a", "engine"}, {commandT, "b", "ceremony"}, {goTUF, "c", "go-tuf"}, {pyTUF, "d", "python-tuf"},
}

const chartStyle = `
text { font: 12px sans-serif; fill: #1f2328 }
.title { font-weight: bold; font-size: 14px }
.paper { fill: #ffffff }
.grid { stroke: #d0d7de }
.goal { stroke: #57606a; stroke-dasharray: 5 4 }
.line { fill: none; stroke-width: 2 }
.a { stroke: #0550ae; fill: #0550ae } .b { stroke: #8250df; fill: #8250df }
.c { stroke: #1a7f37; fill: #1a7f37 } .d { stroke: #bc4c00; fill: #bc4c00 }
path.line { fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.paper { fill: #0d1117 }
.grid { stroke: #3d444d }
.goal { stroke: #9198a1 }
.a { stroke: #58a6ff; fill: #58a6ff } .b { stroke: #bc8cff; fill: #bc8cff }
.c { stroke: #3fb950; fill: #3fb950 } .d { stroke: #f0883e; fill: #f0883e }
path.line { fill: none }
}
`

// drawing collects the elements of the chart.
type drawing struct{ strings.Builder }

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (r *results) chart() []byte {
	d := &drawing{}
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">`, chartWidth, chartHeight)
	d.add(`<title>How many times as long as SHA-256 alone each work takes, by size and tool</title>`)
	d.add(`<style>%s</style>`, chartStyle)
	d.add(`<rect class="paper" width="%d" height="%d"/>`, chartWidth, chartHeight)
	d.add(`<text class="title" x="20" y="28">Time as a multiple of SHA-256 alone over the same bytes</text>`)
	for i, l := range lines {
		x := float64(30 + 150*i)
		d.add(`<path class="line %s" d="M%g 48h28"/>`, l.class, x-8)
		d.mark(i, x+6, 48)
		d.add(`<text x="%g" y="52">%s</text>`, x+28, l.name)
	}
	for _, p := range panels {
		r.panel(d, p.work, p.goal, p.x, p.y)
	}
	d.add(`</svg>`)
	return []byte(d.String())
}

// mark draws the mark of a tool.
func (d *drawing) mark(i int, x, y float64) {
	shapes := []string{"M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "M-4 -4h8v8h-8z", "M0 -5l5 9h-10z", "M0 -6l5 6l-5 6l-5 -6z"}
	d.add(`<path class="%s" transform="translate(%.1f %.1f)" d="%s"/>`, lines[i].class, x, y, shapes[i])
}

// panel draws one work.
func (r *results) panel(d *drawing, work string, goal, x, y float64) {
	d.add(`<text class="title" x="%g" y="%g">%s</text>`, x, y-10, work)
	for decade := range mostDecades + 1 {
		at := y + height(math.Pow(10, float64(decade)))
		d.add(`<path class="grid" d="M%g %.1fh%d"/>`, x, at, panelWidth)
		d.add(`<text x="%g" y="%.1f" text-anchor="end">%s×</text>`, x-6, at+4, thousands(int(math.Pow(10, float64(decade)))))
	}
	if goal > 0 {
		at := y + height(goal)
		d.add(`<path class="goal" d="M%g %.1fh%d"/>`, x, at, panelWidth)
		d.add(`<text x="%g" y="%.1f" text-anchor="end">goal %g×</text>`, x-6, at+4, goal)
	}
	for i, s := range r.charted() {
		d.add(`<text x="%.1f" y="%g" text-anchor="middle">%s</text>`, x+r.across(i), y+panelHeight+18, short(s))
	}
	for i := range lines {
		r.line(d, i, work, x, y)
	}
}

// short names a size below the panel.
func short(s sized) string {
	switch {
	case s.Name == "bins" || s.Name == "claimed":
		return s.Name
	case s.Entries >= 1_000_000:
		return fmt.Sprintf("%g M", float64(s.Entries)/1e6)
	}
	return fmt.Sprintf("%g k", float64(s.Entries)/1e3)
}

// charted are the sizes that the chart has: the smallest is measured for others.
func (r *results) charted() []sized {
	return slices.DeleteFunc(slices.Clone(r.Sizes), func(s sized) bool { return s.Name == smallest })
}

func (r *results) across(i int) float64 {
	return panelWidth * (float64(i) + 0.5) / float64(len(r.charted()))
}

// height is how far below the upper edge of a panel a multiple stands.
func height(multiple float64) float64 {
	at := math.Log10(max(multiple, 1)) / mostDecades
	return panelHeight * (1 - min(at, 1))
}

// line draws one tool. Only numbers of targets are joined: bins and claimed are
// of another kind.
func (r *results) line(d *drawing, tool int, work string, x, y float64) {
	path, pen := "", "M"
	for i, s := range r.charted() {
		row, ok := r.get(s.Name, lines[tool].tool, work)
		if row.Failure != "" {
			d.add(`<path class="line %s" d="M%.1f %.1fl8 8m0 -8l-8 8"/>`, lines[tool].class, x+r.across(i)-22+12*float64(tool), y-4)
		}
		if !ok || row.Multiple == 0 {
			pen = "M"
			continue
		}
		at, down := x+r.across(i), y+height(row.Multiple)
		d.mark(tool, at, down)
		if s.Name != "bins" && s.Name != "claimed" {
			path += fmt.Sprintf("%s%.1f %.1f", pen, at, down)
			pen = "L"
		}
	}
	if path != "" {
		d.add(`<path class="line %s" d="%s"/>`, lines[tool].class, path)
	}
}
