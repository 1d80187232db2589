package schedule

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// found is what lies there: roots, each version once, and other metadata.
type found struct {
	roots   []inspect.File
	others  []*file
	ignored []Ignored
}

type file struct {
	name   string
	role   string // by its name, as clients ask for it
	head   *stream.Head
	env    *tufmeta.Envelope
	common tufmeta.Common
	used   bool
}

func read(files []inspect.File) (*found, error) {
	f := &found{}
	for _, given := range files {
		head, err := stream.ReadEnvelope(given.Data)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", given.Name, err)
		}
		env := head.Envelope
		common, err := tufmeta.ParseCommon(env.Signed)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", given.Name, err)
		}
		if common.Type == "root" {
			f.root(given, env)
			continue
		}
		f.others = append(f.others, &file{name: given.Name, role: roleIn(given.Name, common), head: head, env: env, common: common})
	}
	return f, nil
}

// root keeps the first of several copies that say the same: a repository has
// its first root twice.
func (f *found) root(given inspect.File, env *tufmeta.Envelope) {
	for _, have := range f.roots {
		if before, err := tufmeta.ParseEnvelope(have.Data); err == nil && bytes.Equal(before.Canonical, env.Canonical) {
			return
		}
	}
	f.roots = append(f.roots, given)
}

// roleIn is the role that a file's name gives: 3.targets.json and targets.json
// are targets.
func roleIn(name string, c tufmeta.Common) string {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	if v, err := folder.ParseVersion(base); err == nil && v.Version == c.Version {
		return v.Role
	}
	return strings.TrimSuffix(base, ".json")
}

// top looks for the roles that the root names. In a repository it goes the way
// that clients go: timestamp.json says which snapshot counts, and that one says
// which targets.
func (m *maker) top(whole bool) {
	for _, name := range []string{"timestamp", "snapshot", "targets"} {
		is := func(f *file) bool { return f.common.Type == name && (name != "targets" || f.role == name) }
		there := slices.IndexFunc(m.found.others, func(f *file) bool {
			return is(f) && (name != "timestamp" || path.Base(f.name) == "timestamp.json")
		})
		switch {
		case whole && there < 0:
			m.s.Unsigned = append(m.s.Unsigned, Ignored{name, "none lies in this repository"})
		case whole && name == "timestamp":
			m.shown[name] = m.found.others[there].common.Version
		}
		shown := m.newest(name, m.root.Keys, m.root.Roles[name], is)
		if whole && shown != nil {
			m.shows(shown)
		}
	}
}

// shows takes in what a timestamp or a snapshot lists.
func (m *maker) shows(by *file) {
	list, err := tufmeta.ParseSnapshot(by.env.Signed, by.common.Type)
	if err != nil {
		return // targets, which list no versions
	}
	for name, entry := range list.Meta {
		m.shown[strings.TrimSuffix(name, ".json")] = entry.Version
	}
}

// newest finds, among the files of a role, the newest that reaches its
// threshold. A newer one that does not is told: somebody put it there. Where
// clients are still shown an earlier one, that one's expiry is theirs, and it is
// given instead.
func (m *maker) newest(name string, keys map[string]*tufmeta.Key, role *tufmeta.Role, is func(*file) bool) *file {
	var best, shown *file
	var short []*file
	version, listed := m.shown[name]
	for _, f := range m.found.others {
		if !is(f) {
			continue
		}
		f.used = true
		if !tufmeta.Count(f.env.Canonical, f.env.Signatures, keys, role).Reached() {
			short = append(short, f)
			continue
		}
		if best == nil || f.common.Version > best.common.Version {
			best = f
		}
		if listed && f.common.Version == version {
			shown = f
		}
	}
	for _, f := range short {
		if best == nil || f.common.Version > best.common.Version {
			why := fmt.Sprintf("%s %d does not reach the threshold of the keys that may sign it: it is not counted", tufmeta.Printable(name), f.common.Version)
			m.s.Unsigned = append(m.s.Unsigned, Ignored{f.name, why})
		}
	}
	if best != nil {
		m.role(name, best.common, best.env, keys, role)
	}
	if !listed || shown == best {
		return best
	}
	if shown == nil {
		m.s.Unsigned = append(m.s.Unsigned, Ignored{name, fmt.Sprintf("clients are told to fetch %s %d, and no such file that counts lies here", tufmeta.Printable(name), version)})
		return best
	}
	m.expires(name, shown.common, shown.env, m.offline(name, m.members(keys, role)))
	return shown
}

// delegated goes from targets to the roles that it delegates to, and on.
func (m *maker) delegated() {
	for _, f := range m.found.others {
		if f.used && f.role == "targets" {
			m.below(f)
		}
	}
}

// most bounds the roles that are looked at: repositories with thousands of bins
// sign them with a machine.
const most = 1000

func (m *maker) below(from *file) {
	t, err := from.head.Parse()
	if err != nil || t.Delegations == nil || !m.counts(from) {
		return
	}
	for _, d := range t.Delegations.All() {
		if len(m.walked) >= most {
			return
		}
		if slices.Contains(m.walked, d.Name) || slices.Contains(tufmeta.TopRoles, d.Name) {
			continue
		}
		m.walked = append(m.walked, d.Name)
		next := m.newest(d.Name, t.Delegations.KeysOf(d.KeyIDs), &d.Role, func(f *file) bool { return f.common.Type == "targets" && f.role == d.Name })
		if next != nil {
			m.below(next)
		}
	}
}

// counts reports whether a file is the one whose deadlines were taken.
func (m *maker) counts(f *file) bool {
	digest := tufmeta.Digest(f.env.Canonical)
	return slices.ContainsFunc(m.s.Deadlines, func(d Deadline) bool { return d.digest == digest })
}

// unused lists the files that no role claims.
func (m *maker) unused() {
	for _, f := range m.found.others {
		if !f.used {
			m.s.Ignored = append(m.s.Ignored, Ignored{f.name, "no role of this name is in the root or delegated to"})
		}
	}
}
