package stream

import (
	"bytes"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"tufceremony/ceremony/internal/tufmeta"
)

// Target is what is signed of one target. Custom is canonical bytes, and nil
// where there is none.
type Target struct {
	tufmeta.TargetFile
	Custom []byte
}

// ParseTarget reads an entry of Targets as tufmeta.ParseTargets does.
func ParseTarget(e Entry) (Target, error) {
	at := func() string { return Targets.String() + "." + shown(e.Name) }
	if !bytes.HasPrefix(e.Value, []byte("{")) {
		return Target{}, wrong(at(), "is not an object")
	}
	t := Target{TargetFile: tufmeta.TargetFile{Hashes: map[string]string{}}}
	length, hashes := false, false
	for name, value := range Members(e.Value) {
		var err error
		switch string(name) {
		case "length":
			if t.Length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return Target{}, wrong(at()+".length", "is not an integer")
			}
			length = true
		case "hashes":
			if err := t.hashes(at()+".hashes", value); err != nil {
				return Target{}, err
			}
			hashes = true
		case "custom":
			t.Custom = value
		default:
			if err := known(at, name, "length", "hashes", "custom"); err != nil {
				return Target{}, err
			}
		}
	}
	switch {
	case !length:
		return Target{}, wrong(at()+".length", "is not an integer")
	case !hashes:
		return Target{}, wrong(at()+".hashes", "is not an object")
	}
	return t, nil
}

func (t *Target) hashes(at string, value []byte) error {
	if value[0] != '{' {
		return wrong(at, "is not an object")
	}
	for name, hash := range Members(value) {
		if hash[0] != '"' {
			return wrong(at+"."+shown(name), "is not a string")
		}
		t.Hashes[string(name)] = string(unescape(hash[1 : len(hash)-1]))
	}
	return nil
}

func wrong(at, what string) error {
	return fmt.Errorf("reading metadata: %s %s", tufmeta.Printable(at), what)
}

// known refuses a member that differs in case only from a known one, as
// tufmeta does: some clients would read it as that.
func known(at func() string, member []byte, names ...string) error {
	for _, name := range names {
		if string(member) != name && strings.EqualFold(string(member), name) {
			return wrong(at(), fmt.Sprintf("has a member %q, which some clients read as %q", tufmeta.Printable(shown(member)), name))
		}
	}
	return nil
}

// Members walks an object in canonical bytes that a pass has read: names
// without escapes, values as they stand.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for rest := object; len(rest) > 1 && rest[1] == '"'; { // at the brace or a comma
			end := 1 + skip(rest[1:])
			name := unescape(rest[2 : end-1])
			value := rest[end+1:]
			n := skip(value)
			if !yield(name, value[:n:n]) {
				return
			}
			rest = value[n:]
		}
	}
}

// skip gives the length of the canonical value that text begins with.
func skip(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return i // a number or a word ended before
			}
		case ',':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return min(i+1, len(text))
		}
	}
	return len(text)
}

// target reads the value of a target, and notes whether it has the form that all
// but few have: they are looked at while they are read, since there are a million
// of them. Of the others ParseTarget says what they are.
func (s *Scanner) target(depth int) error {
	if s.token() != '{' {
		return s.value(depth)
	}
	length, hashes, more := false, false, false
	err := s.members(depth, func(name []byte) error {
		switch string(name) {
		case "length":
			c := s.token()
			length = '0' <= c && c <= '9'
		case "hashes":
			var err error
			hashes, err = s.texts(depth + 1)
			return err
		case "custom":
		default:
			more = true
		}
		return s.value(depth + 1)
	})
	s.entry.common = length && hashes && !more
	return err
}

// texts reads a value, and reports whether it is an object of strings.
func (s *window) texts(depth int) (bool, error) {
	if s.token() != '{' {
		return false, s.value(depth)
	}
	all := true
	err := s.members(depth, func([]byte) error {
		all = all && s.token() == '"'
		return s.value(depth + 1)
	})
	return all, err
}
