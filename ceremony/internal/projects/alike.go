package projects

import "strings"

// What people mix up when they read or type the name of a project.

// lookalike takes out of a name what eyes pass over: signs between letters, and
// which of several similar letters it is. Two names that are left the same look
// the same. (The index that most projects are on compares dashes, 0 and o, and 1,
// i and l when a name is registered, and has older names that do not keep to it.)
func lookalike(name string) string {
	return similar.Replace(single.Replace(name))
}

var (
	single  = strings.NewReplacer("-", "", "0", "o", "1", "l", "i", "l")
	similar = strings.NewReplacer("rn", "m", "vv", "w", "cl", "d")
)

// shortest is from how many letters on names are looked at that are one letter
// apart. Shorter ones nearly all are.
const shortest = 5

// slips finds names that are one letter apart, without comparing each with each:
// what is left of the two when the right letter is taken out is the same. Only
// hashes are kept, of names by their place; a name that is found is compared.
type slips struct {
	last  map[uint64]int32 // hash: place in links, from 1
	links []link
}

type link struct{ place, before int32 }

func (s *slips) add(name string, place int) {
	if s.last == nil {
		s.last = map[uint64]int32{}
	}
	for _, h := range shorter(name) {
		s.links = append(s.links, link{int32(place), s.last[h]})
		s.last[h] = int32(len(s.links))
	}
}

// find visits the places of names that may be one letter apart, some twice.
func (s *slips) find(name string, visit func(place int)) {
	for _, h := range shorter(name) {
		for at := s.last[h]; at > 0; at = s.links[at-1].before {
			visit(int(s.links[at-1].place))
		}
	}
}

// shorter hashes a name, and what is left of it with any one letter taken out.
func shorter(name string) []uint64 {
	all := []uint64{hash(name, "")}
	for i := range len(name) {
		if i == 0 || name[i] != name[i-1] { // of two equal neighbours either may go
			all = append(all, hash(name[:i], name[i+1:]))
		}
	}
	return all
}

// hash is FNV-1a.
func hash(a, b string) uint64 {
	h := uint64(14695981039346656037)
	for _, text := range [2]string{a, b} {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * 1099511628211
		}
	}
	return h
}

// near reports whether two names that differ are one slip apart: a letter more,
// less or another one, or two neighbours exchanged.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		if i == len(a) {
			return false
		}
		if a[i+1:] == b[i+1:] {
			return true
		}
		return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}
