package review

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// A role may list a million targets, so nothing is kept of those that are of no
// interest: the trusted version and the payload are read side by side.

// compareAll goes through each payload and the newest trusted version of its role,
// before either is asked for anything else: this one pass makes the heads of large
// files as well. What it finds waits until the review comes to the role.
func (r *reviewer) compareAll(payloads []folder.Version) {
	for _, v := range payloads {
		if v.Role == "targets" || !slices.Contains(tufmeta.TopRoles, v.Role) {
			r.entries[v] = r.compare(newDocument(v, r.files[folder.Payload+"/"+v.File()]))
		}
	}
}

// compare judges what is signed of each target, against plan and trusted version,
// and must come to the digest that is signed. Of a small payload it is a second
// reader, beside the one that parses it.
func (r *reviewer) compare(d Document) *entries {
	e := &entries{v: d.Version, found: newListing()}
	if want := r.plan.TargetsRole(d.Role); want != nil {
		if e.fault = e.plan(want); e.fault != nil {
			return e
		}
	}
	var difference *stream.Difference
	if difference, e.fault = sideBySide(r.files, d, e.visit); e.fault != nil {
		e.redelegates = true
		return e
	}
	e.redelegates = e.redelegates || difference.Moved > 0
	e.end()
	e.changes, e.fault = e.found.changes()
	return e
}

// sideBySide goes through the newest trusted version of a role, if there is one, and
// its payload.
func sideBySide(files folder.Files, d Document, visit func(stream.Change) error) (*stream.Difference, error) {
	trusted, err := files.Versions(folder.Trusted)
	if err != nil {
		return nil, err
	}
	var old *stream.Scanner
	for _, v := range slices.Backward(trusted) {
		if v.Role != d.Role {
			continue
		}
		if old, err = stream.OpenEnvelope(files[folder.Trusted+"/"+v.File()]); err != nil {
			return nil, err
		}
		break
	}
	now := stream.OpenPayload(d.Payload)
	difference, err := stream.Compare(old, now, visit)
	if err == nil && now.Digest() != d.Digest {
		err = errDisagree
	}
	return difference, err
}

var errDisagree = errors.New("two readers of this program disagree on its digest: sign nothing, and report it with the file")

// entries is the review of one role's targets.
type entries struct {
	v       folder.Version
	planned bool
	intents []intent       // by path
	next    int            // the first of them that was not come to
	wrong   int            // entries that are not as planned
	odd     int            // entries with odd text
	kept    map[string]any // what publishers said of targets that stay
	found   *listing

	results, trusted []check.Result // about the payload, and about the trusted version
	changes          []Change
	fault            error // why it is not known

	redelegates bool // what it delegates is not as it was
}

// intent is what the plan wants of one path.
type intent struct {
	path  string
	value []byte // canonical; nil where it is removed
}

func (e *entries) plan(want *plan.TargetsPlan) error {
	e.planned = true
	for _, f := range want.Files() {
		value, err := tufmeta.Encode(planned(f))
		if err != nil {
			return err
		}
		e.intents = append(e.intents, intent{f.Path, value})
	}
	for _, path := range want.Remove {
		e.intents = append(e.intents, intent{path: path})
	}
	slices.SortFunc(e.intents, func(a, b intent) int { return strings.Compare(a.path, b.path) })
	return nil
}

func (e *entries) visit(c stream.Change) error {
	switch c.In {
	case stream.Targets:
	case stream.Delegations, stream.Keys, stream.Roles:
		e.redelegates = e.redelegates || c.Kind != stream.Same
		return e.delegated(c)
	default:
		e.redelegates = e.redelegates || c.Kind != stream.Same && string(c.Name) == "delegations"
		return nil
	}
	if e.planned {
		e.asPlanned(c)
	}
	if c.New != nil {
		if err := e.text(c); err != nil {
			return err
		}
	}
	e.found.add(c)
	return nil
}

// asPlanned wants an entry to be as it was, or as the plan makes it.
func (e *entries) asPlanned(c stream.Change) {
	wanted := c.Old
	if i := e.intent(c.Name); i != nil {
		wanted = i.value
	}
	switch {
	case bytes.Equal(wanted, c.New):
	case wanted == nil:
		e.mismatch("target \"%s\" is neither in the trusted %s nor in the plan", tufmeta.Printable(string(c.Name)), tufmeta.Printable(e.v.Role))
	default:
		e.mismatch("target \"%s\" is not as the plan makes it", tufmeta.Printable(string(c.Name)))
	}
}

// intent finds what the plan wants of a path, and passes over what it wants of those
// before it: the targets come in the order of their paths.
func (e *entries) intent(path []byte) *intent {
	for ; e.next < len(e.intents); e.next++ {
		i := &e.intents[e.next]
		switch bytes.Compare([]byte(i.path), path) {
		case 0:
			e.next++
			return i
		case 1:
			return nil
		}
		e.absent(i)
	}
	return nil
}

// absent finds what the plan adds and the payload does not have.
func (e *entries) absent(i *intent) {
	if i.value != nil {
		e.mismatch("target \"%s\" is not as the plan makes it", tufmeta.Printable(i.path))
	}
}

// maxMismatches is how many targets that are not as planned are told one by one.
const maxMismatches = 100

func (e *entries) mismatch(format string, args ...any) {
	if e.wrong++; e.wrong <= maxMismatches {
		e.say("PLAN-MISMATCH", format, args...)
	}
}

func (e *entries) say(id, format string, args ...any) {
	e.results = append(e.results, check.New(id, e.v.String(), format, args...))
}

// end says what is left to be said once all were seen.
func (e *entries) end() {
	for ; e.next < len(e.intents); e.next++ {
		e.absent(&e.intents[e.next])
	}
	if more := e.wrong - maxMismatches; more > 0 {
		e.say("PLAN-MISMATCH", "%d more targets are not as the plan makes them", more)
	}
	if more := e.odd - maxMismatches; more > 0 {
		e.say("TEXT-UNSAFE", "%d more targets or delegations have such text", more)
	}
	if len(e.kept) > 0 {
		e.trusted = append(e.trusted, check.Published.Weigh(inspect.Text(e.kept, e.v.String(), false))...)
	}
}

// text judges the text of an entry. What a publisher said of a target in an
// earlier version stays as it was said, so there it is a finding.
func (e *entries) text(c stream.Change) error {
	if inspect.PlainText(c.Name) && inspect.PlainText(c.New) {
		return nil
	}
	value, err := tufmeta.ParseCanonical(c.New)
	if err != nil {
		return err
	}
	path := string(c.Name)
	if object, ok := value.(map[string]any); ok && object["custom"] != nil && c.Kind == stream.Same {
		if odd := map[string]any{path: object["custom"]}; len(inspect.Text(odd, "", false)) > 0 && len(e.kept) < maxMismatches {
			if e.kept == nil {
				e.kept = map[string]any{}
			}
			e.kept[path] = object["custom"]
		}
		value = without(object, true, "custom")
	}
	e.texts(map[string]any{"targets": map[string]any{path: value}})
	return nil
}

// delegated judges the text of what is delegated.
func (e *entries) delegated(c stream.Change) error {
	if c.New == nil || inspect.PlainText(c.Name) && (inspect.PlainText(c.New) || c.In == stream.Keys && inspect.PlainKey(c.New)) {
		return nil
	}
	value, err := tufmeta.ParseCanonical(c.New)
	if err != nil {
		return err
	}
	within := map[string]any{string(c.Name): value}
	switch c.In {
	case stream.Keys:
		within = map[string]any{"keys": within}
	case stream.Roles:
		name, err := stream.RoleName(c.New)
		if err != nil {
			return err
		}
		within = map[string]any{"roles": map[string]any{string(name): value}}
	}
	e.texts(map[string]any{"delegations": within})
	return nil
}

// texts keeps the first of many findings.
func (e *entries) texts(tree map[string]any) {
	results := inspect.Text(tree, e.v.String(), true)
	if len(results) > 0 {
		e.odd++
	}
	if e.odd <= maxMismatches {
		e.results = append(e.results, results...)
	}
}
