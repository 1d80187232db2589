package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/record"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
)

func mergeCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "merge DIR FROM...",
		Short: "take signatures and records from other copies of the folder",
		Long: `merge takes over what is new in other copies of the ceremony folder. A signature
that is empty, invalid, a duplicate, by a stranger or of another event is left
out, and merge says why. The order in which copies are named does not matter.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return eachStandby(env.out, args[0], func(dir string) error { return runMerge(env, dir, copiesOf(args[0], dir, args[1:])) })
		},
	}
}

// copiesOf finds, in other copies of a standby folder, those of one folder in
// it.
func copiesOf(whole, dir string, from []string) []string {
	if whole == dir {
		return from
	}
	var copies []string
	for _, other := range from {
		copies = append(copies, filepath.Join(other, filepath.Base(dir)))
	}
	return copies
}

func runMerge(env *environment, dir string, from []string) error {
	files, p, c, err := collect(dir)
	if err != nil {
		return err
	}
	m := &merging{files: files, c: c, plan: p, take: map[string][]byte{}}
	for _, other := range from {
		theirs, err := readFolder(other)
		if err != nil {
			return err
		}
		origin := copied{name: other, outdated: theirs.Event() != c.Event}
		if !origin.outdated && len(aborted(theirs)) > len(aborted(files)) {
			origin.news, origin.aborted = []string{"the event was given up there"}, true
		}
		m.copies = append(m.copies, origin)
		m.signatures(other, theirs)
		m.destroyed(other, theirs)
		m.records(other, theirs)
	}
	if err := m.write(env, dir); err != nil {
		return err
	}
	return m.givenUp(dir)
}

// givenUp refuses to go on quietly where a copy says that the event was given
// up, in a record that was left out.
func (m *merging) givenUp(dir string) error {
	i := slices.IndexFunc(m.copies, func(c copied) bool { return c.aborted })
	if i < 0 || len(aborted(m.merged())) > 0 {
		return nil
	}
	return hint(fmt.Errorf("merging: by %q the event was given up, and the record that says so was left out: ABORTED", m.copies[i].name),
		"sign and seal nothing; ask who gave it up, and if it was: ceremony abort %s --reason TEXT", dir)
}

func (m *merging) merged() folder.Files {
	merged := maps.Clone(m.files)
	maps.Copy(merged, m.take)
	return merged
}

// copied is what came of one copy of the folder.
type copied struct {
	name     string
	outdated bool     // it is of another event
	aborted  bool     // it has more to say of why the event was given up
	news     []string // "holder-1 signed 1.root"
}

type merging struct {
	files   folder.Files
	c       *assemble.Collection
	plan    *plan.Plan
	copies  []copied
	take    map[string][]byte // by path; order has the paths as they came
	order   []string
	dropped []check.Result
}

func (m *merging) add(name string, data []byte) {
	if _, ok := m.take[name]; !ok {
		m.order = append(m.order, name)
	}
	m.take[name] = data
}

func (m *merging) drop(other string, r check.Result) {
	r.Subject = filepath.ToSlash(other) + "/" + r.Subject
	r.Level = check.Draft.Level(r)
	m.dropped = append(m.dropped, r)
}

func (m *merging) signatures(other string, theirs folder.Files) {
	for _, name := range theirs.Names(folder.Signatures) {
		data := theirs[name]
		have, ok := m.files[name]
		if !ok {
			have, ok = m.take[name]
		}
		switch bad := m.c.Judge(name, data); {
		case bad != nil:
			m.drop(other, m.superseded(*bad, name, data))
		case !ok:
			m.add(name, data)
			here := &m.copies[len(m.copies)-1]
			here.news = append(here.news, m.who(name, data))
		case string(have) != string(data) && m.c.Judge(name, have) != nil:
			m.drop("this folder", check.New("SIG-INVALID", name, "it is damaged or planted, and stands in the way of a good one from %s: remove it, and merge again", tufmeta.Printable(other)))
		case string(have) != string(data):
			m.drop(other, check.New("SIG-DUPLICATE", name, "the key has signed this payload already, and one signature is kept"))
		}
	}
}

// destroyed takes over what says that a one-time key is gone, where nothing here
// says so yet, and it holds.
func (m *merging) destroyed(other string, theirs folder.Files) {
	for _, name := range theirs.Names(folder.Destroyed) {
		token, ok := evidence.DestroyedToken(name)
		if !ok || name != evidence.DestructionFile(token) {
			continue // it comes with that one, or says nothing yet
		}
		if _, here := m.merged()[name]; here {
			continue
		}
		tried := m.merged()
		files := []string{evidence.AttestationFile(token), evidence.BegunFile(token), name}
		for _, name := range files {
			if data, ok := theirs[name]; ok && tried[name] == nil {
				tried[name] = data
			}
		}
		_, results := evidence.Destroyed(m.plan, tried, m.c.Event)
		if i := slices.IndexFunc(results, func(r check.Result) bool { return r.Subject == token || r.Subject == name }); i >= 0 {
			bad := results[i]
			bad.Subject = name
			m.drop(other, bad)
			continue
		}
		for _, name := range files {
			if data, ok := tried[name]; ok && m.files[name] == nil {
				m.add(name, data)
			}
		}
		here := &m.copies[len(m.copies)-1]
		here.news = append(here.news, "the key of "+token+" was destroyed")
	}
}

// who says in people's words what a signature is.
func (m *merging) who(name string, data []byte) string {
	f, _ := sign.Parse(name, data) // it has been judged
	v := folder.Version{Role: f.Role, Version: f.Version}
	for _, d := range m.c.Demands {
		if key := d.Keys[f.KeyID]; key != nil && d.Payload == v {
			if t, ok := m.plan.Roster.ByFingerprint(key.Fingerprint()); ok {
				return t.Name + " signed " + v.String()
			}
		}
	}
	return "key ID " + f.KeyID[:16] + "… signed " + v.String()
}

func (m *merging) records(other string, theirs folder.Files) {
	for _, name := range theirs.Names(folder.Record) {
		known := folder.Files{}
		if data, ok := m.files[name]; ok {
			known[name] = data
		}
		if data, ok := m.take[name]; ok {
			known[name] = data
		}
		as, err := record.Merge(known, name, theirs[name])
		event, foreign := m.foreign(theirs[name])
		switch {
		case err != nil:
			m.drop(other, check.New("RECORD-BROKEN", name, "%v", err))
		case foreign:
			m.drop(other, check.New("EVENT-MISMATCH", name, "it is the record of event %s…, and this is event %s…", tufmeta.Printable(event[:min(16, len(event))]), m.c.Event.String()[:16]))
		case as != "" && string(m.files[as]) != string(theirs[name]):
			m.add(as, theirs[name])
		}
	}
}

// superseded says of a signature of an event that was given up that it is one.
func (m *merging) superseded(bad check.Result, name string, data []byte) check.Result {
	f, err := sign.Parse(name, data)
	reason, named := m.plan.Superseded(f.Event)
	if err != nil || !named || bad.Check != "EVENT-MISMATCH" {
		return bad
	}
	return check.New("SUPERSEDES", name, "it is of event %s…, which this one supersedes: %s", f.Event[:16], tufmeta.Printable(reason))
}

// foreign finds a line of another event in a chain, and of none that this one
// supersedes. One such chain, taken over
// with the stick of another ceremony, would have this folder refused from then
// on, as one in which something else was drafted.
func (m *merging) foreign(chain []byte) (event string, found bool) {
	chains, _ := record.Read(folder.Files{folder.Record + "/theirs": chain})
	for _, c := range chains {
		for _, l := range c.Lines {
			if _, earlier := m.plan.Superseded(l.Event); l.Event != m.c.Event.String() && !earlier {
				return l.Event, true
			}
		}
	}
	return "", false
}

func (m *merging) write(env *environment, dir string) error {
	var taken []string
	for _, name := range m.order {
		path := filepath.Join(dir, filepath.FromSlash(name))
		put := durable.Create
		if _, grown := m.files[name]; grown {
			put = durable.Replace // a chain of the record, to which lines were added
		}
		if err := put(path, m.take[name]); err != nil {
			return err
		}
		if f, err := sign.Parse(name, m.take[name]); err == nil {
			taken = append(taken, f.Name())
		}
	}
	if len(taken) > 0 {
		binary, err := env.binary()
		if err != nil {
			return err
		}
		line := record.Line{Act: "merge", At: env.today().Format(tufmeta.TimeFormat), Binary: binary, Event: m.c.Event.String(), Taken: taken}
		if err := record.Append(dir, env.sitting(dir), line); err != nil {
			return err
		}
	}
	m.print(env, dir, taken)
	return nil
}

func (m *merging) print(env *environment, dir string, taken []string) {
	for _, c := range m.copies {
		news := strings.Join(c.news, ", ")
		switch {
		case news == "" && c.outdated:
			news = "a copy of another event; its holder must sign a fresh one"
		case news == "":
			news = "nothing new"
		}
		wrapTo(env.out, "From "+filepath.ToSlash(c.name)+": ", "  ", news)
	}
	if n := len(m.order) - len(taken); n > 0 {
		fmt.Fprintf(env.out, "Took %s of the record.\n", plural(n, "chain"))
	}
	printAborted(env.out, aborted(m.merged()))
	if len(m.dropped) > 0 {
		fmt.Fprintf(env.out, "Left out %s:\n", plural(len(m.dropped), "file"))
		for _, r := range m.dropped {
			wrapTo(env.out, "  "+r.Check+", ", "    ", shorten(r.Subject)+": "+r.Detail)
		}
	}
	fmt.Fprintf(env.out, "Next: ceremony status %s\n", dir)
}

// shorten cuts a key ID in a signature's path to what fits on a line.
func shorten(name string) string {
	base := filepath.Base(name)
	if id, ok := strings.CutSuffix(base, ".json"); ok && len(id) == 64 {
		return strings.TrimSuffix(name, base) + id[:16] + "….json"
	}
	return name
}
