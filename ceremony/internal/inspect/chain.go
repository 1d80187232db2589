package inspect

import (
	"fmt"
	"slices"
	"time"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/tufmeta"
)

// File is a file as it was named and read.
type File struct {
	Name string
	Data []byte
}

// Link is one root of a chain. Old is its tally under the root before it, nil
// where that root was not given.
type Link struct {
	Name     string
	Size     int64
	Root     *tufmeta.Root
	Envelope *tufmeta.Envelope
	Old      *tufmeta.Tally
	New      tufmeta.Tally
	Results  []check.Result
}

// Roots are roots in version order. Broken says, in words, each reason why
// they are not a chain; there is none where they are.
type Roots struct {
	Links  []Link
	Broken []check.Result
}

// Valid reports whether there is a root and nothing is broken.
func (r *Roots) Valid() bool { return len(r.Links) > 0 && len(r.Broken) == 0 }

// Last is the newest root.
func (r *Roots) Last() Link { return r.Links[len(r.Links)-1] }

// Chain orders roots by version and checks each under itself and under the one
// before it. An error is a file that cannot be read as a root.
func Chain(files []File, at time.Time) (*Roots, error) {
	roots := &Roots{}
	for _, f := range files {
		env, err := tufmeta.ParseEnvelope(f.Data)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", f.Name, err)
		}
		root, err := tufmeta.ParseRoot(env.Signed)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", f.Name, err)
		}
		roots.Links = append(roots.Links, Link{Name: f.Name, Size: int64(len(f.Data)), Root: root, Envelope: env})
	}
	slices.SortStableFunc(roots.Links, func(a, b Link) int { return int(a.Root.Version - b.Root.Version) })
	for i := range roots.Links {
		var before *Link
		if i > 0 {
			before = &roots.Links[i-1]
		}
		roots.link(&roots.Links[i], before, at)
	}
	if n := len(roots.Links); n > 0 {
		last := &roots.Links[n-1]
		last.Results = append(last.Results, check.Published.Weigh(Rotations("root", roots.Links[0].Root.Version, last.Root.Version))...)
	}
	return roots, nil
}

func (r *Roots) link(l, before *Link, at time.Time) {
	version := l.Root.Version
	l.New = tufmeta.Count(l.Envelope.Canonical, l.Envelope.Signatures, l.Root.Keys, l.Root.Roles["root"])
	if !l.New.Reached() {
		r.breaks("THRESHOLD-NEW", version, "has %d valid signatures of its own keys, and %d are needed", l.New.Valid(), l.New.Threshold)
	}
	if before != nil {
		switch last := before.Root.Version; {
		case last == version:
			r.breaks("VERSION-SEQUENCE", version, "is given twice")
		case last != version-1:
			r.breaks("VERSION-SEQUENCE", version, "does not follow root %d: %s missing", last, gap(last+1, version-1))
			before = nil
		}
	}
	if before != nil {
		old := tufmeta.Count(l.Envelope.Canonical, l.Envelope.Signatures, before.Root.Keys, before.Root.Roles["root"])
		l.Old = &old
		if !old.Reached() {
			r.breaks("THRESHOLD-OLD", version, "has %d valid signatures of root %d, and %d are needed", old.Valid(), before.Root.Version, old.Threshold)
		}
	}
	l.Results = append(Root(l.Root, at), signatures(l, before != nil || version == 1)...)
	l.Results = append(l.Results, Text(l.Envelope.Signed, "root", false)...)
	l.Results = append(l.Results, RootSize("root", "the file", l.Size)...)
	check.Published.Weigh(l.Results)
}

func gap(from, to int64) string {
	if from == to {
		return fmt.Sprintf("root %d is", from)
	}
	return fmt.Sprintf("roots %d to %d are", from, to)
}

func (r *Roots) breaks(id string, version int64, format string, args ...any) {
	r.Broken = append(r.Broken, check.NewRefusal(id, fmt.Sprintf("root %d", version), format, args...))
}

// signatures reports those that do not count. A key of the root before or of
// the root itself is at home; where the root before is not known, a strange
// key may be one of its own, and nothing is said.
func signatures(l *Link, known bool) []check.Result {
	var results []check.Result
	for i, j := range l.New.Judged {
		if l.Old != nil && j.Verdict == tufmeta.Foreign {
			j = l.Old.Judged[i]
		}
		if r, ok := Signature(j); ok && (known || j.Verdict != tufmeta.Foreign) {
			results = append(results, r)
		}
	}
	return results
}

// Signature gives the result for a signature that does not count.
func Signature(j tufmeta.Judged) (check.Result, bool) {
	id := tufmeta.Printable(j.KeyID)
	switch j.Verdict {
	case tufmeta.Empty:
		return check.New("SIG-EMPTY", id, "the signature is an empty string"), true
	case tufmeta.Invalid:
		return check.New("SIG-INVALID", id, "the signature does not belong to this key and these bytes"), true
	case tufmeta.Foreign:
		return check.New("SIG-FOREIGN", id, "the key is none of the role's"), true
	case tufmeta.Duplicate:
		return check.New("SIG-DUPLICATE", id, "the key ID signs a second time"), true
	}
	return check.Result{}, false
}
