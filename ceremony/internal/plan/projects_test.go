package plan_test

import (
	"reflect"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
)

// promotionPlan signs claimed alone, with a list and a project that goes.
func promotionPlan() *plan.Plan {
	p := ceremonytest.DelegatedPlan()
	p.Targets = nil
	p.Delegated = p.Delegated[:1]
	p.Delegated[0].Delegations = nil
	p.Delegated[0].Projects, p.Delegated[0].Withdraw = ceremonytest.ProjectList, []string{"numpy", "Zope.Interface"}
	return p
}

func TestPromotionText(t *testing.T) {
	p := promotionPlan()
	read, err := plan.Parse(p.Text())
	if err != nil || !reflect.DeepEqual(read, p) {
		t.Fatalf("%+v, %v\nis written as\n%s", read, err, p.Text())
	}
	files := folder.Files{"lists/claimed.jsonl": ceremonytest.List, ceremonytest.ProjectList: ceremonytest.Claims(t, "requests", "scrapy")}
	if err := read.LoadLists(files); err != nil || len(read.Delegated[0].Claimed()) != 2 || len(read.Delegated[0].Files()) != 2 {
		t.Errorf("%v", err)
	}
}

// In each row, text of a good plan is replaced once.
func TestPromotionRefuses(t *testing.T) {
	good := string(promotionPlan().Text())
	const projects = "projects: lists/claimed.projects.jsonl"
	for _, row := range []struct{ name, old, new, want string }{
		{"a list elsewhere", projects, "projects: ../claimed.jsonl", `delegated[0].projects: is "../claimed.jsonl"`},
		{"a list of keys", projects, "projects: keys/claimed.jsonl", `delegated[0].projects: is "keys/claimed.jsonl"`},
		{"no name", projects, `projects: ""`, `delegated[0].projects: is ""`},
		{"the list of targets", projects, "projects: lists/claimed.jsonl", `delegated[0].projects: is "lists/claimed.jsonl", which the section names twice`},
		{"delegations besides", "    " + projects, "    delegations: []\n    " + projects, "delegated[0].delegations: stands beside projects or withdraw"},
		{"no project", `"numpy"`, `"num py"`, `delegated[0].withdraw[0]: is "num py"`},
		{"a project twice", `"numpy"`, `"zope_interface"`, `delegated[0].withdraw[1]: is "Zope.Interface", which stands twice`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if strings.Count(good, row.old) != 1 {
				t.Fatalf("the plan does not have %q once:\n%s", row.old, good)
			}
			_, err := plan.Parse([]byte(strings.Replace(good, row.old, row.new, 1)))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %s", err, row.want)
			}
		})
	}
}

func TestLoadProjects(t *testing.T) {
	for _, row := range []struct {
		name, want string
		change     func(p *plan.Plan, files folder.Files)
	}{
		{"no such file", "delegated[0].projects: is \"lists/claimed.projects.jsonl\", and the folder has no such file", func(_ *plan.Plan, files folder.Files) { delete(files, ceremonytest.ProjectList) }},
		{"an empty file", "lists/claimed.projects.jsonl: is empty", func(_ *plan.Plan, files folder.Files) { files[ceremonytest.ProjectList] = []byte{} }},
		{"a file that nobody names", "lists/claimed.projects.jsonl: the plan does not name it", func(p *plan.Plan, _ folder.Files) { p.Delegated[0].Projects = "" }},
		{"listed and withdrawn", `lists/claimed.projects.jsonl, line 1: project "numpy" is one that the plan withdraws`, func(p *plan.Plan, files folder.Files) {
			files[ceremonytest.ProjectList] = ceremonytest.Claims(t, "numpy")
		}},
	} {
		p := promotionPlan()
		files := folder.Files{"lists/claimed.jsonl": ceremonytest.List, ceremonytest.ProjectList: ceremonytest.Claims(t, "requests")}
		row.change(p, files)
		if err := p.LoadLists(files); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}
