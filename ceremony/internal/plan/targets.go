package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/manifest"
	"tufceremony/ceremony/internal/tufmeta"
)

// Beside targets, a ceremony may sign any role that targets delegates to, in
// one step or several: each with what is added and removed, and with what it
// delegates itself.

var sha256hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// targets reads the section of targets or of a delegated role, which stands at
// a place.
func (v *validator) targets(at string, t *targets, p *Plan) *TargetsPlan {
	if at == "targets" {
		v.want(t.Role == "" && t.Delegator == "", at, "has a role or a delegator", "take them out: the root says who signs targets; other roles stand under delegated:")
	}
	v.want(t.Version >= 1, at+".version", fmt.Sprintf("is %d", t.Version), "write the version that is to be made, one more than the trusted one")
	out := &TargetsPlan{Role: t.Role, Delegator: t.Delegator, Version: int64(t.Version), Expires: v.time(at+".expires", t.Expires), Manifest: t.Manifest}
	seen := map[string]bool{}
	for i, a := range t.Add {
		at := fmt.Sprintf("%s.add[%d]", at, i)
		v.path(at+".path", a.Path, seen)
		v.want(a.Length >= 0 && a.Length <= tufmeta.MaxInteger, at+".length", fmt.Sprintf("is %d", a.Length), "write the file's length in bytes")
		v.want(sha256hex.MatchString(a.SHA256), at+".sha256", fmt.Sprintf("is %q", a.SHA256), "write the 64 digits that sha256sum prints, in lower case")
		out.Add = append(out.Add, File{Path: a.Path, Length: int64(a.Length), SHA256: a.SHA256})
	}
	for i, path := range t.Remove {
		v.path(fmt.Sprintf("%s.remove[%d]", at, i), path, seen)
		out.Remove = append(out.Remove, path)
	}
	v.list(at+".manifest", "lists/targets.jsonl", t.Manifest, "", p)
	v.projects(at, t, out, p)
	if v.at.has(at + ".delegations") {
		out.Delegations = v.delegations(at, out.Name(), t.Delegations, p)
	}
	return out
}

func (v *validator) path(field, path string, seen map[string]bool) {
	v.want(manifest.Plain(path), field, fmt.Sprintf("is %q", path), manifest.PathRemedy)
	v.want(!seen[path], field, fmt.Sprintf("is %q, which stands twice", path), "add or remove a path once")
	seen[path] = true
}

// list reads the name of a file in lists/, which no other field has.
func (v *validator) list(field, like, name, taken string, p *Plan) {
	if name == "" && !v.at.has(field) {
		return
	}
	base, inside := strings.CutPrefix(name, folder.Lists+"/")
	v.want(inside && folder.SafeName(base), field, fmt.Sprintf("is %q", name), "name a file of the folder, like "+like)
	v.want(name != taken, field, fmt.Sprintf("is %q, which the section names twice", name), "targets and projects stand in lists of their own")
	for _, other := range p.TargetsRoles() {
		v.want(other.Manifest != name && other.Projects != name, field, fmt.Sprintf("is %q, which %s has too", name, other.Name()), "give each role a list of its own")
	}
}

var (
	delegatedName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,59}$`)
	versionedName = regexp.MustCompile(`^[0-9]+\.`)
)

// roleName judges the name of a delegated role: it is the name of a file, and
// part of a URL.
func (v *validator) roleName(field, name string) {
	v.want(!slices.Contains(tufmeta.TopRoles, name), field, fmt.Sprintf("is %q, which the root names", name), "give the delegated role a name of its own")
	v.want(delegatedName.MatchString(name), field, fmt.Sprintf("is %q", name), "use lower-case letters, digits, dot, dash and underscore, at most 60: clients fetch VERSION.ROLE.json")
	v.want(!versionedName.MatchString(name), field, fmt.Sprintf("is %q, which looks like a version and a role", name), "begin the name with a letter, or put a dash after the number")
}

// delegated reads the further roles. Whether their delegators name them is
// known here only where the plan writes the delegators' delegations.
func (v *validator) delegated(list []targets, p *Plan) {
	roles := map[string]bool{}
	for i, t := range list {
		at := fmt.Sprintf("delegated[%d]", i)
		v.roleName(at+".role", t.Role)
		v.want(!roles[t.Role], at+".role", fmt.Sprintf("is %q, which stands twice", t.Role), "sign each role once")
		v.want(t.Delegator != "", at+".delegator", "is missing", "write which role delegates to it: targets, or another delegated one")
		v.want(t.Delegator != t.Role, at+".delegator", fmt.Sprintf("is %q, the role itself", t.Delegator), "write which role delegates to it: targets, or another delegated one")
		if t.Delegator != "" && t.Delegator != "targets" {
			v.roleName(at+".delegator", t.Delegator)
		}
		roles[t.Role] = true
		p.Delegated = append(p.Delegated, v.targets(at, &list[i], p))
	}
	for i, t := range p.Delegated {
		by := p.TargetsRole(t.Delegator)
		if by == nil || by.Delegations == nil {
			continue
		}
		field := fmt.Sprintf("delegated[%d].delegator", i)
		d := by.Delegations.Find(t.Role)
		v.want(d == nil || d.External == "", fmt.Sprintf("delegated[%d].role", i), fmt.Sprintf("is %q, which %s hands on to another repository", t.Role, t.Delegator), "take the section out: those sign it whose keys the other repository names, and not this ceremony")
		v.want(d != nil, field, fmt.Sprintf("is %q, whose delegations have no role %q", t.Delegator, t.Role), fmt.Sprintf("list %s under %s.delegations, with its keys and threshold", t.Role, p.section(t.Delegator)))
	}
}

// LoadLists reads the lists that the plan names from the folder's lists/. One
// that it does not name is an error: it would travel with the event, and mean
// nothing.
func (p *Plan) LoadLists(files folder.Files) error {
	named := map[string]bool{}
	for _, t := range p.TargetsRoles() {
		named[t.Manifest], named[t.Projects] = true, true
		for _, load := range []func(*TargetsPlan, folder.Files) error{p.loadManifest, p.loadProjects} {
			if err := load(t, files); err != nil {
				return err
			}
		}
	}
	for _, name := range files.Names(folder.Lists) {
		if !named[name] {
			return &manifest.Error{File: name, Problem: "the plan does not name it", Remedy: "write `manifest: " + name + "` into the section of the role whose targets it lists, or `projects: " + name + "` into that of the role that is to delegate to them, or remove the file"}
		}
	}
	return nil
}

func (p *Plan) loadManifest(t *TargetsPlan, files folder.Files) error {
	if t.Manifest == "" {
		return nil
	}
	data, err := p.list(files, t, "manifest", t.Manifest)
	if err != nil {
		return err
	}
	if t.listed, err = manifest.Parse(t.Manifest, data); err != nil {
		return err
	}
	return t.once()
}

// list gives the file that a field of a role names.
func (p *Plan) list(files folder.Files, t *TargetsPlan, field, name string) ([]byte, error) {
	data, ok := files[name]
	if !ok {
		return nil, &Error{Field: p.section(t.Name()) + "." + field, Problem: fmt.Sprintf("is %q, and the folder has no such file", name), Remedy: "put the list there, or take the field out"}
	}
	return data, nil
}

// once refuses a path that the list has and the plan too.
func (t *TargetsPlan) once() error {
	planned := map[string]string{}
	for _, f := range t.Add {
		planned[f.Path] = "adds"
	}
	for _, path := range t.Remove {
		planned[path] = "removes"
	}
	for i, f := range t.listed {
		if does := planned[f.Path]; does != "" {
			return &manifest.Error{File: t.Manifest, Line: i + 1, Problem: fmt.Sprintf("path \"%s\" is one that the plan %s as well", tufmeta.Printable(f.Path), does), Remedy: "add or remove a path once"}
		}
	}
	return nil
}
