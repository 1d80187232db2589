package plan

import (
	"fmt"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/manifest"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/tufmeta"
)

// A role with as many delegations as there are projects is not written out: the
// plan names a list of those that are new or change, and those that go.

// projects reads what a role goes on from its delegations with.
func (v *validator) projects(at string, t *targets, out *TargetsPlan, p *Plan) {
	v.list(at+".projects", "lists/claimed.projects.jsonl", t.Projects, t.Manifest, p)
	out.Projects = t.Projects
	seen := map[string]bool{}
	for i, project := range t.Withdraw {
		field, role := fmt.Sprintf("%s.withdraw[%d]", at, i), projects.Role(project)
		v.want(projects.IsName(project), field, fmt.Sprintf("is %q", project), projects.NameRemedy)
		v.want(!seen[role], field, fmt.Sprintf("is %q, which stands twice", project), "withdraw a project once")
		seen[role] = true
		out.Withdraw = append(out.Withdraw, project)
	}
	v.want(!out.Promotes() || !v.at.has(at+".delegations"), at+".delegations", "stands beside projects or withdraw", "write all that the role delegates, or which projects are new and which go: not both")
}

// loadProjects reads a list of projects, and refuses one that is listed and
// withdrawn.
func (p *Plan) loadProjects(t *TargetsPlan, files folder.Files) error {
	if t.Projects == "" {
		return nil
	}
	data, err := p.list(files, t, "projects", t.Projects)
	if err != nil {
		return err
	}
	if t.claimed, err = projects.Parse(t.Projects, data); err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, project := range t.Withdraw {
		gone[projects.Role(project)] = true
	}
	for i, e := range t.claimed {
		if gone[e.Role()] {
			return &manifest.Error{File: t.Projects, Line: i + 1, Problem: fmt.Sprintf("project \"%s\" is one that the plan withdraws", tufmeta.Printable(e.Project)), Remedy: "list or withdraw a project, not both"}
		}
	}
	return nil
}
