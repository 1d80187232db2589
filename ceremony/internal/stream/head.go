package stream

import (
	"crypto"
	"errors"
	"fmt"
	"maps"
	"sync"

	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
)

// Head is what a file says, less its targets: all that is needed to know who
// signs it, whom it delegates to, and whether its signatures are good.
//
// Signed of targets metadata has an empty object in the place of the targets, each of
// which has the form that tufmeta.ParseTargets asks for, and nothing in the places of
// the delegated roles and of their keys, which Parse gives; all else is there.
// Canonical is whole.
type Head struct {
	*tufmeta.Envelope
	Targets int // how many it lists

	parse func() (*tufmeta.Targets, error)
}

// Parse reads what it says as targets metadata, without the targets. It is done
// once, since a role may delegate to half a million others. Nobody changes what it
// gives.
func (h *Head) Parse() (*tufmeta.Targets, error) { return h.parse() }

// ReadEnvelope reads a file as clients fetch it. What is large must have sorted
// members; see Envelope.
func ReadEnvelope(data []byte) (*Head, error) {
	if h := remembered(data, true); h != nil {
		return h, nil
	}
	if len(data) <= MaxUnsorted {
		return readWhole(data)
	}
	return readLarge(newScanner(spool.NewReader(data), outer, chunkSize), data)
}

// ReadPayload reads a payload file.
func ReadPayload(canonical []byte) (*Head, error) {
	if h := remembered(canonical, false); h != nil {
		return h, nil
	}
	if len(canonical) > spool.Held {
		return readLarge(Payload(spool.NewReader(canonical)), canonical)
	}
	signed, err := tufmeta.ParseSigned(canonical)
	if err != nil {
		return nil, err
	}
	return headOf(&tufmeta.Envelope{Signed: signed, Canonical: canonical})
}

// heads are those of large files that were read before, which the stages ask for
// again and again. Nobody changes one.
var heads sync.Map

// form is a large file, and what it was read as.
type form struct {
	file      spool.ID
	published bool
}

func remembered(data []byte, published bool) *Head {
	if id, large := spool.Identify(data); large {
		if h, ok := heads.Load(form{id, published}); ok {
			return h.(*Head)
		}
	}
	return nil
}

func (h *Head) remember(data []byte, published bool) {
	if id, large := spool.Identify(data); large {
		heads.LoadOrStore(form{id, published}, h)
	}
}

// headOf takes the targets out of what was parsed whole, and what is delegated.
func headOf(env *tufmeta.Envelope) (*Head, error) {
	h := &Head{Envelope: env}
	h.parse = sync.OnceValues(func() (*tufmeta.Targets, error) { return tufmeta.ParseTargets(h.Signed) })
	targets, ok := env.Signed["targets"].(map[string]any)
	if !ok || env.Signed["_type"] != "targets" {
		return h, nil // another role, or a fault that ParseTargets names
	}
	parsed, err := tufmeta.ParseTargets(env.Signed)
	if err != nil {
		return nil, err
	}
	parsed.Files = map[string]tufmeta.TargetFile{}
	h.parse = func() (*tufmeta.Targets, error) { return parsed, nil }
	h.Targets = len(targets)
	h.Signed = maps.Clone(env.Signed)
	h.Signed["targets"] = map[string]any{}
	if below, ok := h.Signed["delegations"].(map[string]any); ok {
		h.Signed["delegations"] = tufmeta.Emptied(below)
	}
	return h, nil
}

func readLarge(s *Scanner, data []byte) (*Head, error) {
	s.collect(data)
	h := s.head.Head
	for s.Next() {
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return h, nil
}

func readWhole(data []byte) (*Head, error) {
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		return nil, err
	}
	return headOf(env)
}

// OpenEnvelope is Envelope of a file that spool holds. Whoever reads a large one
// to its end has made its Head as well, which ReadEnvelope then remembers.
func OpenEnvelope(data []byte) (*Scanner, error) {
	if len(data) <= MaxUnsorted {
		return smallEnvelope(data)
	}
	s := newScanner(spool.NewReader(data), outer, chunkSize)
	s.collectOnce(data)
	return s, nil
}

// OpenPayload is Payload in the same way.
func OpenPayload(canonical []byte) *Scanner {
	s := Payload(spool.NewReader(canonical))
	s.collectOnce(canonical)
	return s
}

func (s *Scanner) collectOnce(data []byte) {
	if _, large := spool.Identify(data); large && remembered(data, s.published) == nil {
		s.collect(data)
	}
}

// reading makes a Head beside a pass.
type reading struct {
	*Head
	s        *Scanner
	data     []byte
	extract  *extract // of a published file
	keys     map[string]any
	roles    []any
	below    map[string]any     // the delegations
	gathered *tufmeta.Gathering // of targets metadata
}

// collect has the pass make a Head of data, which is what it reads.
func (s *Scanner) collect(data []byte) {
	s.head = &reading{Head: &Head{Envelope: &tufmeta.Envelope{Signed: map[string]any{}}}, s: s, data: data}
	if s.published {
		s.head.extract = &extract{file: data, scanner: s}
		s.tee = s.head.extract
	}
}

// end has signatures counted over the bytes that were read, and gives what is
// wrong with the file.
func (r *reading) end(fault error) error {
	if fault != nil {
		if r.extract != nil {
			r.extract.copied.Abandon()
		}
		return fault
	}
	r.Canonical, r.Signatures = r.data, r.s.signatures
	if r.extract != nil {
		if r.Canonical, fault = r.extract.bytes(); fault != nil {
			return fault
		}
	}
	if !spool.Agree(crypto.SHA256, r.Canonical, r.s.pipe.sum.Sum(nil)) {
		return errors.New("reading metadata: the file was read twice, and its bytes were not the same: do not use this disk")
	}
	signed, gathered, canonical := r.Signed, r.gathered, r.Canonical
	r.parse = sync.OnceValues(func() (*tufmeta.Targets, error) { return tufmeta.ParseGathered(signed, gathered, canonical) })
	if _, ok := signed["targets"].(map[string]any); ok && signed["_type"] == "targets" { // as headOf
		if _, err := r.parse(); err != nil {
			return err
		}
	}
	r.remember(r.data, r.extract != nil)
	if r.extract != nil { // it is asked for as a payload too
		(&Head{Envelope: &tufmeta.Envelope{Signed: r.Signed, Canonical: r.Canonical}, Targets: r.Targets, parse: r.parse}).remember(r.Canonical, false)
	}
	return nil
}

func (r *reading) take(e Entry) error {
	if place, opens := e.Opens(); opens {
		r.open(place, string(e.Name))
		return nil
	}
	if e.In == Targets && r.Signed["_type"] == "targets" { // which comes first
		r.Targets++
		if e.common {
			return nil
		}
		_, err := ParseTarget(e)
		return err
	}
	if r.gathered != nil && (e.In == Keys || e.In == Roles) {
		r.gather(e)
		return nil
	}
	value, err := tufmeta.ParseCanonical(e.Value)
	if err != nil {
		return fmt.Errorf("reading %s: %w", e.In, err)
	}
	switch e.In {
	case Targets: // a field of another role, of which nothing is known
		r.Signed["targets"].(map[string]any)[string(e.Name)] = value
	case Roles:
		r.roles = append(r.roles, value)
		r.below["roles"] = r.roles
	case Keys:
		r.keys[string(e.Name)] = value
	case Delegations:
		r.below[string(e.Name)] = value
	case Meta:
		r.Signed["meta"].(map[string]any)[string(e.Name)] = value
	default:
		r.Signed[string(e.Name)] = value
	}
	return nil
}

// gather notes where a delegated role or a key lies.
func (r *reading) gather(e Entry) {
	if e.In == Keys {
		r.gathered.Key(e.Name, e.Value, r.s.at(len(e.Value)))
	} else {
		r.gathered.Role(e.Value, r.s.at(len(e.Value)))
	}
}

func (r *reading) open(place Place, name string) {
	object := map[string]any{}
	switch place {
	case Roles:
		r.roles = []any{}
		r.below[name] = r.roles
	case Keys:
		r.keys = object
		r.below[name] = object
	case Delegations:
		r.below = object
		r.Signed[name] = object
		if r.Signed["_type"] == "targets" { // which comes first
			r.gathered = tufmeta.NewGathering()
		}
	default:
		r.Signed[name] = object
	}
}
