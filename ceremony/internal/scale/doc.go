// Scale measures what metadata of many sizes costs, in ceremony and in two
// other implementations of TUF, side by side on the same files. It is what
// scripts/bench-scale runs:
//
//	scale [-sizes LIST] [-only LIST] [-keep]   # measures, and writes docs/scale.*
//	scale -page                                # writes the page and the chart anew from docs/scale.json
//
// Each row is a process of its own, so that its peak of memory is its
// own. It does its work once, which the peak is taken from, and again for as
// long as is left of half a second; three such processes are started, and the
// shortest run counts: whatever else a machine does makes a run longer, and none
// shorter. What takes too long or too much memory is ended,
// and its row says so.
//
// The files are made here and always the same, but for the days in plan.yaml,
// since signing has a window. The keys are made from fixed seeds: they are
// public knowledge. It is a program so that no other can import it. It is no
// part of ceremony, starts other programs, and judges nothing but figures.
package main
