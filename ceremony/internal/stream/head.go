package stream

import (
	"bytes"
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
// Signed has an empty object in the place of the targets, each of which has the
// form that tufmeta.ParseTargets asks for; all else is there. Canonical is whole.
type Head struct {
	*tufmeta.Envelope
	Targets int // how many it lists

	once   sync.Once
	parsed *tufmeta.Targets
	fault  error
}

// Parse reads what it says as targets metadata, without the targets. It is done
// once, since a role may delegate to half a million others. Nobody changes what it
// gives.
func (h *Head) Parse() (*tufmeta.Targets, error) {
	h.once.Do(func() { h.parsed, h.fault = tufmeta.ParseTargets(h.Signed) })
	return h.parsed, h.fault
}

// ReadEnvelope reads a file as clients fetch it. What is large must have sorted
// members; see Envelope.
func ReadEnvelope(data []byte) (*Head, error) {
	return remembered(data, func() (*Head, error) {
		if len(data) > spool.Held {
			return readLarge(data)
		}
		return readWhole(data)
	})
}

// ReadPayload reads a payload file.
func ReadPayload(canonical []byte) (*Head, error) {
	return remembered(canonical, func() (*Head, error) {
		if len(canonical) > spool.Held {
			h := newHead(Payload(spool.NewReader(canonical)))
			h.Canonical = canonical
			if _, err := h.read(); err != nil {
				return nil, err
			}
			return h.Head, h.sameBytes()
		}
		signed, err := tufmeta.ParseSigned(canonical)
		if err != nil {
			return nil, err
		}
		return headOf(&tufmeta.Envelope{Signed: signed, Canonical: canonical})
	})
}

// heads are those of large files that were read before, which the stages ask for
// again and again. Nobody changes one.
var heads sync.Map

func remembered(data []byte, read func() (*Head, error)) (*Head, error) {
	id, large := spool.Identify(data)
	if !large {
		return read()
	}
	if h, ok := heads.Load(id); ok {
		return h.(*Head), nil
	}
	h, err := read()
	if err != nil {
		return nil, err
	}
	heads.Store(id, h)
	if canonical, large := spool.Identify(h.Canonical); large && canonical != id { // which it was read as
		heads.Store(canonical, &Head{Envelope: &tufmeta.Envelope{Signed: h.Signed, Canonical: h.Canonical}, Targets: h.Targets})
	}
	return h, nil
}

// headOf takes the targets out of what was parsed whole.
func headOf(env *tufmeta.Envelope) (*Head, error) {
	h := &Head{Envelope: env}
	targets, ok := env.Signed["targets"].(map[string]any)
	if !ok || env.Signed["_type"] != "targets" {
		return h, nil // another role, or a fault that ParseTargets names
	}
	if _, err := tufmeta.ParseTargets(env.Signed); err != nil {
		return nil, err
	}
	h.Targets = len(targets)
	h.Signed = maps.Clone(env.Signed)
	h.Signed["targets"] = map[string]any{}
	return h, nil
}

func readLarge(data []byte) (*Head, error) {
	s := newScanner(spool.NewReader(data), outer, chunkSize)
	h := newHead(s)
	canonical := &extract{file: data, scanner: s}
	s.tee = canonical
	_, err := h.read()
	switch {
	case s.sorted != nil && len(data) <= MaxUnsorted:
		canonical.copied.Abandon()
		return readWhole(data)
	case err != nil:
		canonical.copied.Abandon()
		return nil, err
	}
	h.Signatures = s.Signatures()
	if h.Canonical, err = canonical.bytes(); err != nil {
		return nil, err
	}
	return h.Head, h.sameBytes()
}

func readWhole(data []byte) (*Head, error) {
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		return nil, err
	}
	return headOf(env)
}

// reading makes a Head of a pass.
type reading struct {
	*Head
	s     *Scanner
	keys  map[string]any
	roles []any
	below map[string]any // the delegations
}

func newHead(s *Scanner) *reading {
	return &reading{Head: &Head{Envelope: &tufmeta.Envelope{Signed: map[string]any{}}}, s: s}
}

func (r *reading) read() (*Head, error) {
	defer r.s.Close()
	for r.s.Next() {
		if err := r.take(r.s.Entry()); err != nil {
			return nil, err
		}
	}
	if err := r.s.Err(); err != nil {
		return nil, err
	}
	return r.Head, nil
}

// sameBytes has signatures counted over the bytes that were read.
func (r *reading) sameBytes() error {
	if !spool.Agree(crypto.SHA256, r.Canonical, r.s.pipe.sum.Sum(nil)) {
		return errors.New("reading metadata: the file was read twice, and its bytes were not the same: do not use this disk")
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
		return checkTarget(e)
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
	default:
		r.Signed[name] = object
	}
}

// checkTarget refuses what ParseTarget does, and makes nothing of the others: a
// million of them are looked at.
func checkTarget(e Entry) error {
	if commonTarget(e.Value) || plainTarget(e.Value) {
		return nil
	}
	_, err := ParseTarget(e)
	return err
}

// What nearly every target says: one hash and a length.
const (
	beforeHash   = `{"hashes":{"sha256":"`
	hashDigits   = 64
	beforeLength = `"},"length":`
)

func commonTarget(value []byte) bool {
	rest, ok := bytes.CutPrefix(value, []byte(beforeHash))
	if !ok || len(rest) < hashDigits || bytes.ContainsAny(rest[:hashDigits], `"\`) {
		return false
	}
	digits, ok := bytes.CutPrefix(rest[hashDigits:], []byte(beforeLength))
	if !ok || len(digits) < 2 || digits[len(digits)-1] != '}' {
		return false
	}
	for _, c := range digits[:len(digits)-1] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func plainTarget(value []byte) bool {
	length, hashes := false, false
	if value[0] != '{' {
		return false
	}
	for name, v := range Members(value) {
		switch string(name) {
		case "length":
			length = '0' <= v[0] && v[0] <= '9'
		case "hashes":
			if v[0] != '{' {
				return false
			}
			for _, hash := range Members(v) {
				if hash[0] != '"' {
					return false
				}
			}
			hashes = true
		case "custom":
		default:
			return false
		}
	}
	return length && hashes
}
