package plan

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
)

// A project that is hosted elsewhere has a repository of its own, and a root of
// its own that says who signs its targets. A delegation can ask for just these
// keys: they are imported from that root, and nobody types them.

// External is another repository. Its roots lie in external/NAME; the first of
// them is believed because people say so, and leads to the newest. That one stands
// in the plan too: a chain that is cut short is a chain still, and ends with keys
// that were rotated away.
type External struct {
	Name         string
	Root         int64  // the version of the first
	SHA256       string // of the first root's file, in lower-case hex
	NewestRoot   int64  // the version of the last, whose keys are imported
	NewestSHA256 string // of the last root's file, in lower-case hex
	Source       string // where the first file was obtained, in people's words
}

type external struct {
	Name   string   `yaml:"name"`
	Root   whole    `yaml:"root"`
	SHA256 string   `yaml:"sha256"`
	Newest rootFile `yaml:"newest"`
	Source string   `yaml:"source"`
}

type rootFile struct {
	Root   whole  `yaml:"root"`
	SHA256 string `yaml:"sha256"`
}

// maxExternal is how many bytes a root may have for any client to take it.
const maxExternal = 512_000

var (
	externalName   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)
	externalSource = regexp.MustCompile(`^[^"]{1,200}$`)
)

// ExternalName reports whether another repository may have this name: it is
// that of a folder.
func ExternalName(name string) bool {
	return externalName.MatchString(name) && folder.SafeName(name)
}

func (v *validator) readExternals(f *file, p *Plan) {
	v.externals = map[string]bool{}
	for i, x := range f.Externals {
		at := fmt.Sprintf("externals[%d]", i)
		v.want(ExternalName(x.Name), at+".name", fmt.Sprintf("is %q", x.Name), "use lower-case letters, digits, dot, dash and underscore, at most 40: it is the name of a folder in external/")
		v.want(!v.externals[x.Name], at+".name", fmt.Sprintf("is %q, which stands twice", x.Name), "name each other repository once")
		v.want(x.Root >= 1, at+".root", fmt.Sprintf("is %d", x.Root), "write the version of its first root in external/"+x.Name)
		v.want(sha256hex.MatchString(x.SHA256), at+".sha256", fmt.Sprintf("is %q", x.SHA256), "write what sha256sum prints of that root's file, 64 digits in lower case, in quotes")
		v.want(x.Newest.Root >= max(x.Root, 1), at+".newest.root", fmt.Sprintf("is %d, and the first root is %d", x.Newest.Root, x.Root), "write the version of the newest root in external/"+x.Name+", whose keys are imported; `ceremony init --external NAME=FILE` does")
		v.want(sha256hex.MatchString(x.Newest.SHA256), at+".newest.sha256", fmt.Sprintf("is %q", x.Newest.SHA256), "write what sha256sum prints of the newest root's file, 64 digits in lower case, in quotes")
		v.want(len(strings.Fields(x.Source)) >= 3 && externalSource.MatchString(x.Source) && !tufmeta.Padded(x.Source), at+".source", fmt.Sprintf("is %q", x.Source), "write where that root was obtained and how it was compared, in three words or more, so that it stands up when it is read aloud")
		v.externals[x.Name] = true
		p.Externals = append(p.Externals, External{x.Name, int64(x.Root), x.SHA256, int64(x.Newest.Root), x.Newest.SHA256, x.Source})
	}
}

// signers reads who signs a delegated role: keys and threshold, or the name of
// another repository that has both.
func (v *validator) signers(p *Plan, at, name string, d delegation) (Role, string) {
	if d.External == nil {
		v.want(d.Keys != nil || d.Threshold != 0, at, "has neither keys and threshold nor external", "write threshold and keys; or external, with the name of another repository, for those of its targets role")
		return v.keys(p, at, name, roleKeys{d.Threshold, d.Keys}, true), ""
	}
	v.want(d.Keys == nil && d.Threshold == 0, at, "has external, and threshold or keys beside it", "write one of both: the root of the other repository has its threshold and its keys")
	v.want(v.externals[*d.External], at+".external", fmt.Sprintf("is %q, and externals: has no other repository of that name", *d.External), "list it under externals:, with its first root; `ceremony init --external NAME=FILE` does")
	return Role{}, *d.External
}

// CheckExternals wants external/ to have roots of each other repository that the
// plan names, and nothing besides: they would travel with the event, and mean
// nothing. What the roots say is for review to judge.
func (p *Plan) CheckExternals(files folder.Files) error {
	there, err := files.Externals()
	if err != nil {
		return &Error{Field: "externals", Problem: err.Error(), Remedy: "remove the file, or give it the name of the version that it has"}
	}
	for i, x := range p.Externals {
		if len(there[x.Name]) == 0 {
			return &Error{Field: fmt.Sprintf("externals[%d].name", i), Problem: fmt.Sprintf("is %q, and the folder has no external/%s", x.Name, x.Name),
				Remedy: fmt.Sprintf("put its roots there, as VERSION.root.json, from the one that was obtained to the newest: `ceremony init --external %s=FILE` does", x.Name)}
		}
		for _, v := range there[x.Name] {
			if file := folder.ExternalFile(x.Name, v.Version); len(files[file]) > maxExternal {
				return &Error{Field: fmt.Sprintf("externals[%d].name", i), Problem: fmt.Sprintf("is %q, and %s has %d bytes: clients take no root above %d", x.Name, file, len(files[file]), maxExternal), Remedy: "get the file again from where it is published"}
			}
		}
		delete(there, x.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		return &Error{Field: "externals", Problem: fmt.Sprintf("does not have \"%s\", and the folder has roots in external/%s", tufmeta.Printable(name), tufmeta.Printable(name)), Remedy: "list it, with its first root, or remove the folder"}
	}
	return nil
}

// ExternalRoots reads the roots of other repositories, by name and in ascending
// order of version. It believes what it reads: whether they are a chain from the
// root that the plan names is for review to say.
func ExternalRoots(files folder.Files) (map[string][]*tufmeta.Root, error) {
	there, err := files.Externals()
	if err != nil {
		return nil, err
	}
	roots := map[string][]*tufmeta.Root{}
	for name, versions := range there {
		for _, v := range versions {
			file := folder.ExternalFile(name, v.Version)
			env, err := tufmeta.ParseEnvelope(files[file])
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", tufmeta.Printable(file), err)
			}
			root, err := tufmeta.ParseRoot(env.Signed)
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", tufmeta.Printable(file), err)
			}
			roots[name] = append(roots[name], root)
		}
	}
	return roots, nil
}

// Importers finds of which other repository's targets, in whichever of its
// roots, a role has just the keys and the threshold.
type Importers map[string]string // name by tufmeta.SignersText

// Importers of the other repositories that the plan names.
func (p *Plan) Importers(files folder.Files) (Importers, error) {
	roots, err := ExternalRoots(files)
	if err != nil {
		return nil, err
	}
	found := Importers{}
	for _, x := range p.Externals {
		for _, root := range roots[x.Name] {
			if role := root.Roles["targets"]; role != nil {
				found[tufmeta.SignersText(root.Keys, role)] = x.Name
			}
		}
	}
	return found, nil
}

// Of gives the name of the other repository, or nothing.
func (i Importers) Of(keys map[string]*tufmeta.Key, role *tufmeta.Role) string {
	if len(i) == 0 {
		return ""
	}
	return i[tufmeta.SignersText(keys, role)]
}

func (w *writer) externals(given []External) {
	if len(given) == 0 {
		return
	}
	w.line("")
	w.line("externals:  # other repositories, whose own roots say who signs what is delegated to them")
	for _, x := range given {
		w.line("  - name: %s", named(x.Name))
		w.line("    root: %d  # from which on its chain in external/%s is believed", x.Root, x.Name)
		w.line("    sha256: %s  # of that root's file", quoted(x.SHA256))
		w.line("    newest: {root: %d, sha256: %s}  # the last of the chain, whose keys are imported", x.NewestRoot, quoted(x.NewestSHA256))
		if x.Source == "" {
			w.line("    source: \"\"  # decide: where that file was obtained, and how it was compared")
		} else {
			w.line("    source: %s", quoted(x.Source))
		}
	}
}
