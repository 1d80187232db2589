package tufmeta

import (
	"bytes"
	"iter"
	"slices"
)

// Members walks an object in canonical bytes that have been read before: names
// without escapes, values as they stand. Of bytes that are no object there are none; a
// part of one may begin with the comma before a member.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if len(object) == 0 || object[0] != '{' && object[0] != ',' {
			return
		}
		for rest := object; len(rest) > 1 && rest[1] == '"'; { // at the brace or a comma
			end := 1 + skip(rest[1:])
			name := Unescape(rest[2 : end-1])
			value := rest[end+1:]
			n := skip(value)
			if !yield(name, value[:n:n]) {
				return
			}
			rest = value[n:]
		}
	}
}

// elements walks an array in such bytes.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rest := array; len(rest) > 1 && rest[1] != ']'; {
			n := skip(rest[1:])
			if !yield(rest[1 : 1+n : 1+n]) {
				return
			}
			rest = rest[1+n:]
		}
	}
}

// skip gives the length of the canonical value that text begins with.
func skip(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i)
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

// endOfString gives the place of the quote that ends the string which begins at a
// place.
func endOfString(text []byte, i int) int {
	if n := bytes.IndexByte(text[i+1:], '"'); n >= 0 && bytes.IndexByte(text[i+1:i+1+n], '\\') < 0 {
		return i + 1 + n
	}
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// Unescape reads the canonical form of a string, given without its quotes.
func Unescape(raw []byte) []byte {
	i := bytes.IndexByte(raw, '\\')
	if i < 0 {
		return raw
	}
	out := slices.Clone(raw[:i])
	for ; i < len(raw); i++ {
		if raw[i] == '\\' {
			i++
		}
		out = append(out, raw[i])
	}
	return out
}
