package review

import (
	"fmt"
	"slices"

	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/quorum"
)

// limits says what clients would not take for its size. The snapshot that will
// list new targets is signed later and by others, so of targets more than a
// finding cannot be said here.
func (r *reviewer) limits() {
	for _, d := range r.report.Documents {
		demands := slices.DeleteFunc(slices.Clone(r.report.Demands), func(q quorum.Demand) bool { return q.Payload != d.Version })
		name := fmt.Sprintf("%s, signed by all who may,", d.Version)
		size := quorum.LargestFile(d.Payload, demands)
		if d.Role != "root" {
			r.results = append(r.results, inspect.TargetsSize(d.Role, name, size, inspect.NotSeen)...)
			continue
		}
		r.results = append(r.results, inspect.RootSize("root", name, size)...)
	}
}
