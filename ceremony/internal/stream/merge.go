package stream

import (
	"fmt"
	"iter"

	"tufceremony/ceremony/internal/tufmeta"
)

// Edit makes one entry of the next version from that of the last.
type Edit struct {
	In   Place
	Name string

	// To gets the canonical value that the last version has, nil where it has
	// none, and gives that of the next, nil where it is to have none. What opens
	// a place of its own has no value here, and is replaced with all that is in
	// it; its entries can be edited instead.
	To func(old []byte) ([]byte, error)
}

// Set is for an Edit that gives a value, whatever was there.
func Set(value []byte) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return value, nil }
}

// CompareEdits orders edits as Merge wants them.
func CompareEdits(a, b Edit) int { return compare(a.In, []byte(a.Name), b.In, []byte(b.Name)) }

// Merge writes the next version: the last one, nil where there is none, and
// edits in the order of CompareEdits. Roles have an order and no names of
// their own: where roles is not nil, it gets each delegated role of the last
// version, and nil after the last of them, and gives what stands in its place.
//
// What is written is worth nothing unless Merge and then Close succeed: the
// last version may turn out to be at fault at its end.
func Merge(w *Writer, last *Scanner, edits iter.Seq2[Edit, error], roles func(old []byte) ([][]byte, error)) error {
	if last == nil {
		last = &Scanner{ended: true}
	}
	defer last.Close()
	next, stop := iter.Pull2(edits)
	defer stop()
	m := &merge{w: w, last: last, next: next, roles: roles, gone: outer}
	m.readEdit()
	for there := last.Next(); there && m.err == nil; there = last.Next() {
		e := last.Entry()
		if e.In.inside(m.gone) {
			continue
		}
		m.before(e)
		m.pass(e)
	}
	if m.err == nil {
		m.err = last.Err()
	}
	m.before(Entry{In: outer})
	m.endRoles()
	return m.err
}

type merge struct {
	w     *Writer
	last  *Scanner
	next  func() (Edit, error, bool)
	edit  Edit
	more  bool // there is an edit
	roles func([]byte) ([][]byte, error)
	gone  Place // whose entries were replaced as a whole; outer where there is none
	err   error
}

func (m *merge) readEdit() {
	before, had := m.edit, m.more
	var err error
	m.edit, err, m.more = m.next()
	switch {
	case !m.more || m.err != nil:
	case err != nil:
		m.err = err
	case m.edit.In == Roles:
		m.err = fmt.Errorf("writing metadata: delegated roles are no entries with names")
	case had && CompareEdits(before, m.edit) >= 0:
		m.err = fmt.Errorf("writing metadata: \"%s\" in %s is changed out of order, or twice", tufmeta.Printable(m.edit.Name), m.edit.In)
	}
}

// before makes the edits whose entries the last version does not have. The
// outermost place, which has no entries, stands for its end.
func (m *merge) before(e Entry) {
	for m.err == nil && m.more && (e.In == outer || compare(m.edit.In, []byte(m.edit.Name), e.In, e.Name) < 0) {
		m.leaveRoles(m.edit.In, []byte(m.edit.Name))
		m.apply(nil)
	}
	if e.In != outer {
		m.leaveRoles(e.In, e.Name)
	}
}

func (m *merge) apply(old []byte) {
	if m.err != nil {
		return
	}
	value, err := m.edit.To(old)
	if err != nil {
		m.err = err
		return
	}
	if value != nil {
		m.put(Entry{In: m.edit.In, Name: []byte(m.edit.Name), Value: value})
	}
	m.readEdit()
}

func (m *merge) put(e Entry) {
	if m.err == nil {
		m.err = m.w.Put(e)
	}
}

// pass takes an entry of the last version over, as it is or as it is edited.
func (m *merge) pass(e Entry) {
	switch edited := m.more && m.edit.In == e.In && m.edit.Name == string(e.Name); {
	case m.err != nil:
	case e.In == Roles && m.roles != nil:
		m.putRoles(e.Value)
	case edited:
		m.gone, _ = e.Opens()
		if e.Value != nil {
			m.gone = outer
		}
		m.apply(e.Value)
	default:
		m.err = m.w.copy(e)
	}
}

// leaveRoles appends roles before the first entry that comes after them.
func (m *merge) leaveRoles(in Place, name []byte) {
	if m.roles != nil && in != Roles && compare(in, name, Delegations, []byte("roles")) > 0 {
		m.endRoles()
	}
}

func (m *merge) endRoles() {
	if m.roles != nil {
		m.putRoles(nil)
		m.roles = nil
	}
}

func (m *merge) putRoles(old []byte) {
	if m.err != nil {
		return
	}
	values, err := m.roles(old)
	if err != nil {
		m.err = err
		return
	}
	for _, value := range values {
		m.put(Entry{In: Roles, Value: value})
	}
}
