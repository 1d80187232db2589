package plan

import (
	"strings"

	"tufceremony/ceremony/internal/tufmeta"
)

// list writes the elements of a list in one line.
func list(elements []string, write func(string) string) string {
	written := make([]string, len(elements))
	for i, e := range elements {
		written[i] = write(e)
	}
	return strings.Join(written, ", ")
}

func (w *writer) delegated(roles []*TargetsPlan) {
	if len(roles) == 0 {
		return
	}
	w.line("")
	w.line("delegated:  # further roles that are signed, under the keys that their delegator names")
	for _, t := range roles {
		w.line("  - role: %s", named(t.Role))
		w.line("    delegator: %s", named(t.Delegator))
		w.targets("    ", t)
	}
}

// targets writes the fields of targets or of a delegated role.
func (w *writer) targets(in string, t *TargetsPlan) {
	w.line("%sversion: %d", in, t.Version)
	w.line("%sexpires: %s", in, tufmeta.Stamp(t.Expires))
	if len(t.Add) > 0 {
		w.line("%sadd:  # new, or in the place of the same path", in)
		for _, f := range t.Add {
			w.line("%s  - path: %s", in, quoted(f.Path))
			w.line("%s    length: %d", in, f.Length)
			w.line("%s    sha256: %s", in, quoted(f.SHA256))
		}
	} else {
		w.line("%sadd: []  # each with path, length in bytes and sha256", in)
	}
	if t.Manifest != "" {
		w.line("%smanifest: %s  # further targets to add, a line each", in, t.Manifest)
	}
	if len(t.Remove) == 0 {
		w.line("%sremove: []", in)
	} else {
		w.line("%sremove:", in)
		for _, path := range t.Remove {
			w.line("%s  - %s", in, quoted(path))
		}
	}
	if t.Projects != "" {
		w.line("%sprojects: %s  # to delegate to, a line each; all others stay as they are", in, t.Projects)
	}
	if len(t.Withdraw) > 0 {
		w.line("%swithdraw:  # projects that are delegated to no more", in)
		for _, project := range t.Withdraw {
			w.line("%s  - %s", in, quoted(project))
		}
	}
	if t.Delegations != nil {
		w.delegations(in, t.Delegations)
	}
}

func (w *writer) delegations(in string, d *Delegations) {
	if len(d.Roles) == 0 {
		w.line("%sdelegations: []  # all of them; without this field they stay as they are", in)
		return
	}
	w.line("%sdelegations:  # all of them, in the order in which clients ask; a role that is not here is delegated to no more", in)
	for _, x := range d.Roles {
		if x.Bits > 0 {
			w.line("%s  - succinct: {bits: %d, prefix: %s}", in, x.Bits, named(x.Name))
		} else {
			w.line("%s  - name: %s", in, named(x.Name))
		}
		w.signers(in, x)
		switch {
		case len(x.Paths) > 0:
			w.line("%s    paths: [%s]", in, list(x.Paths, quoted))
		case len(x.Prefixes) > 0:
			w.line("%s    path-hash-prefixes: [%s]", in, list(x.Prefixes, quoted))
		}
		if x.Bits == 0 {
			w.line("%s    terminating: %t  # true: clients ask no role after this one", in, x.Terminating)
		}
	}
}

// signers writes who signs a delegated role.
func (w *writer) signers(in string, x Delegation) {
	switch {
	case x.External != "":
		w.line("%s    external: %s  # keys and threshold of its targets role, as its newest root has them", in, named(x.External))
		return
	case x.Threshold == 0:
		w.line("%s    threshold: 0  # decide", in)
	default:
		w.line("%s    threshold: %d", in, x.Threshold)
	}
	w.line("%s    keys: [%s]", in, list(x.Tokens, named))
}
