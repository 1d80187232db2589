package verify

import (
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
)

// limits weighs the roots as clients fetch them. Review could only say how
// large they may become. What targets may have depends on snapshot, which no
// bundle has.
func (j *judge) limits() error {
	var results []check.Result
	for _, v := range j.versions {
		if v.Role == "root" {
			size := int64(len(j.given[folder.Metadata+"/"+v.File()]))
			results = append(results, inspect.RootSize("root", v.File(), size)...)
		}
	}
	return check.Refuse(check.WaiveAgain(check.Draft.Weigh(results), j.facts.Report.Plan.Waivers))
}
