package stream

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"tufceremony/ceremony/internal/tufmeta"
)

// maxDepth is what tufmeta bounds nesting to.
const maxDepth = 100

// value reads a value of any kind.
func (s *window) value(depth int) error {
	if depth > maxDepth {
		return s.fail("nested deeper than %d levels", maxDepth)
	}
	s.deepest = max(s.deepest, depth)
	switch c := s.token(); {
	case c == '"':
		return s.text()
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.array(depth)
	case c == '-' || c >= '0' && c <= '9':
		return s.integer()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case s.atEnd():
		return s.fail("the text ends where a value should be")
	default:
		return s.fail("it is not JSON: byte 0x%02x cannot begin a value", c)
	}
}

func (s *window) literal(word string) error {
	s.ensure(len(word))
	if !bytes.HasPrefix(s.buf[s.r:], []byte(word)) {
		return s.fail("not a JSON value")
	}
	s.r += len(word)
	return nil
}

func (s *window) object(depth int) error { return s.members(depth, nil) }

// members reads an object. Where each is not nil, it reads the values, after it was
// told the name.
func (s *window) members(depth int, each func(name []byte) error) error {
	s.r++
	if s.token() == '}' {
		s.r++
		return nil
	}
	for first := true; ; first = false {
		err := s.member(first)
		switch {
		case err != nil:
		case each == nil:
			err = s.value(depth + 1)
		default:
			err = each(s.names[s.depth-1])
		}
		if err != nil {
			return err
		}
		s.depth--
		switch s.token() {
		case ',':
			s.r++
		case '}':
			s.r++
			return nil
		default:
			return s.fail("a comma or the end of the object should stand here")
		}
	}
}

// member reads a member's name and the colon, and puts the name on the path.
// The one before it in the object still stands there: names must ascend, by
// their UTF-8 bytes, so none can stand twice.
func (s *window) member(first bool) error {
	if rest := s.buf[s.r:]; len(rest) > 0 && rest[0] == '"' {
		i := 1 + special(rest[1:], s.below)
		if i+1 < len(rest) && rest[i] == '"' && rest[i+1] == ':' && (first || bytes.Compare(s.names[s.depth], rest[1:i]) < 0) {
			s.remember(rest[1:i])
			s.r += i + 2
			return nil
		}
	}
	return s.anyMember(first)
}

// anyMember reads one that has escapes, that does not end in this chunk, or
// that is at fault.
func (s *window) anyMember(first bool) error {
	start, name, err := s.name()
	if err != nil {
		return err
	}
	if !first {
		if order := bytes.Compare(s.names[s.depth], name); order >= 0 {
			return s.disorder(start, name, order == 0)
		}
	}
	return s.colon(name)
}

func (s *window) name() (int64, []byte, error) {
	if s.token() != '"' {
		return 0, nil, s.fail("a member name should stand here")
	}
	s.flush()
	start, at := s.offset(), s.w-s.keep
	if err := s.text(); err != nil {
		return 0, nil, err
	}
	s.flush()
	name := s.buf[s.keep+at+1 : s.w-1]
	if s.escaped {
		name = unescape(name)
	}
	return start, name, nil
}

func (s *window) colon(name []byte) error {
	s.remember(name)
	if s.token() != ':' {
		s.depth--
		return s.fail("a colon should follow the member name")
	}
	s.r++
	return nil
}

func (s *window) disorder(start int64, name []byte, twice bool) error {
	if twice {
		return s.failAt(start, "member \"%s\" stands twice", tufmeta.Printable(shown(name)))
	}
	rest := "so the bytes are not canonical"
	if s.published {
		rest = "or stands twice: a file as large as this is read if its members are sorted"
	}
	return s.failAt(start, "member \"%s\" is out of order, %s", tufmeta.Printable(shown(name)), rest)
}

func (s *window) array(depth int) error {
	s.r++
	if s.token() == ']' {
		s.r++
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		switch s.token() {
		case ',':
			s.r++
		case ']':
			s.r++
			return nil
		default:
			return s.fail("a comma or the end of the array should stand here")
		}
	}
}

// maxDigits is what an integer up to 2^53-1 has.
const maxDigits = 16

func (s *window) integer() error {
	s.ensure(maxDigits + 3)
	rest := s.buf[s.r:]
	i := 0
	if rest[0] == '-' {
		i++
	}
	first := i
	n := int64(0)
	for i < len(rest) && i <= first+maxDigits && rest[i] >= '0' && rest[i] <= '9' {
		n = n*10 + int64(rest[i]-'0')
		i++
	}
	switch {
	case i < len(rest) && (rest[i] == '.' || rest[i] == 'e' || rest[i] == 'E'):
		s.r += i
		return s.fail("numbers must be integers: TUF has no fractions, and clients disagree on their form")
	case i == first:
		s.r += i
		return s.fail("a digit should follow the minus sign")
	case rest[first] == '0' && i > 1:
		return s.fail("number %q must not begin with a zero", rest[:i])
	case n > tufmeta.MaxInteger:
		return s.fail("number is beyond 2^53-1, where clients begin to round")
	}
	s.r += i
	return nil
}

// text reads a string. In canonical form the quote and the backslash are
// escaped and nothing else is: even a line feed in a PEM key stands raw.
func (s *window) text() error {
	s.escaped = false
	rest := s.buf[s.r+1:]
	if i := special(rest, s.below); i < len(rest) && rest[i] == '"' {
		s.r += i + 2
		return nil
	}
	return s.special(s.offset())
}

// special reads a string that has more in it than plain ASCII, or that does not
// end in this chunk.
func (s *window) special(start int64) error {
	for s.r++; ; {
		s.r += special(s.buf[s.r:], s.below)
		if s.r == len(s.buf) {
			if !s.more() {
				return s.failAt(start, "a string that begins here does not end")
			}
			continue
		}
		var err error
		switch c := s.buf[s.r]; {
		case c == '"':
			s.r++
			return nil
		case c == '\\':
			err = s.escape()
		case c < ' ':
			err = s.fail("control character 0x%02x must be escaped in a string", c)
		default:
			err = s.runes()
		}
		if err != nil {
			return err
		}
	}
}

const (
	each = 0x0101010101010101 // times a byte: that byte in all eight places
	high = 0x80 * each
)

// special finds the first byte of a string that is more than itself: a quote,
// a backslash, one beyond ASCII, and one below those of below, which has the
// same byte eight times. It looks at eight bytes at once: the highest bit of
// (x-n)&^x is set in each byte of x that is less than n, and perhaps in some
// that stand after such a byte, so the first one is always right.
func special(b []byte, below uint64) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^'"'*each, x^'\\'*each
		if found := ((quote-each)&^quote | (slash-each)&^slash | (x-below)&^x | x) & high; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c >= utf8.RuneSelf || c < ' ' && below != 0 {
			return i
		}
	}
	return i
}

// runes reads characters beyond ASCII.
func (s *window) runes() error {
	for {
		if !utf8.FullRune(s.buf[s.r:]) {
			s.ensure(utf8.UTFMax)
		}
		r, size := utf8.DecodeRune(s.buf[s.r:])
		switch {
		case size == 0 || r < utf8.RuneSelf:
			return nil
		case r == utf8.RuneError && size == 1:
			return s.fail("a string is not valid UTF-8")
		}
		s.r += size
	}
}

// escape reads one escape. In a published file any of JSON may stand, and its
// canonical form takes its place.
func (s *window) escape() error {
	s.escaped = true
	s.ensure(len(`\ud83d\ude00`))
	rest := s.buf[s.r:min(len(s.buf), s.r+len(`\ud83d\ude00`))]
	if len(rest) > 1 && (rest[1] == '"' || rest[1] == '\\') {
		s.r += 2
		return nil
	}
	if !s.published {
		s.r++
		return s.fail("canonical JSON escapes the quote and the backslash only")
	}
	c, size, reason := decodeEscape(rest)
	if reason != "" {
		s.r += size
		return s.fail("%s", reason)
	}
	s.flush()
	if c == '"' || c == '\\' {
		s.buf[s.w] = '\\'
		s.w++
	}
	s.w += utf8.EncodeRune(s.buf[s.w:], c)
	s.r += size
	s.run = s.r
	return nil
}

var escapes = map[byte]rune{'/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// decodeEscape gives a character, and how many bytes stand for it. With a
// reason there is none, and size says where the fault is.
func decodeEscape(text []byte) (c rune, size int, reason string) {
	if len(text) < 2 {
		return 0, 1, "unknown escape in a string"
	}
	if plain, ok := escapes[text[1]]; ok {
		return plain, 2, ""
	}
	if text[1] != 'u' {
		return 0, 1, "unknown escape in a string"
	}
	c, ok := hex4(text)
	switch {
	case !ok:
		return 0, 1, "\\u wants four hexadecimal digits"
	case !utf16.IsSurrogate(c):
		return c, 6, ""
	}
	low, ok := hex4(text[6:])
	if c = utf16.DecodeRune(c, low); !ok || c == utf8.RuneError {
		return 0, 6, "half a surrogate pair is no character"
	}
	return c, 12, ""
}

// hex4 reads \uXXXX.
func hex4(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, c := range text[2:6] {
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}
