package tufmeta

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxInteger is the largest magnitude that every client reads alike: 2^53-1,
// beyond which JavaScript rounds.
const MaxInteger = 1<<53 - 1

// maxDepth bounds nesting, so that hostile input cannot exhaust the stack.
const maxDepth = 100

// SyntaxError says at which byte, counted from 0, and at which member the
// input is refused.
type SyntaxError struct {
	Offset int
	Path   string // members from the outside in, "signed.keys"
	Reason string
}

func (e *SyntaxError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("reading JSON at byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("reading JSON at byte %d, in %s: %s", e.Offset, Printable(e.Path), e.Reason)
}

// Parse reads strict JSON. Objects become map[string]any, arrays []any,
// integers int64; the rest string, bool and nil. Errors are *SyntaxError.
func Parse(data []byte) (any, error) { return parse(data, false) }

// ParseCanonical reads a payload file: the bytes must be exactly what Encode
// gives for the value, so that what is read and what is hashed are one thing.
func ParseCanonical(data []byte) (any, error) { return parse(data, true) }

func parse(data []byte, canonical bool) (any, error) {
	p := &parser{data: data, canonical: canonical}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos != len(data) {
		return nil, p.fail("text after the end of the value")
	}
	return v, nil
}

type parser struct {
	data      []byte
	pos       int
	canonical bool
	path      []string
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{Offset: p.pos, Path: strings.Join(p.path, "."), Reason: fmt.Sprintf(format, args...)}
}

func (p *parser) peek() byte {
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

// space skips white space, of which canonical JSON has none.
func (p *parser) space() {
	for !p.canonical && p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, p.fail("nested deeper than %d levels", maxDepth)
	}
	if p.pos >= len(p.data) {
		return nil, p.fail("the text ends where a value should be")
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.str()
	case c == '-' || c >= '0' && c <= '9':
		return p.integer()
	case c == 't':
		return true, p.literal("true")
	case c == 'f':
		return false, p.literal("false")
	case c == 'n':
		return nil, p.literal("null")
	}
	return nil, p.fail("it is not JSON: byte 0x%02x cannot begin a value", p.peek())
}

func (p *parser) literal(word string) error {
	if !strings.HasPrefix(string(p.data[p.pos:min(len(p.data), p.pos+len(word))]), word) {
		return p.fail("not a JSON value")
	}
	p.pos += len(word)
	return nil
}

func (p *parser) object(depth int) (any, error) {
	p.pos++
	object := map[string]any{}
	p.space()
	if p.peek() == '}' {
		p.pos++
		return object, nil
	}
	previous := ""
	for {
		p.space()
		if p.peek() != '"' {
			return nil, p.fail("a member name should stand here")
		}
		start := p.pos
		name, err := p.str()
		if err != nil {
			return nil, err
		}
		if err := p.admit(object, name, previous, start); err != nil {
			return nil, err
		}
		previous = name
		p.space()
		if p.peek() != ':' {
			return nil, p.fail("a colon should follow the member name")
		}
		p.pos++
		p.space()
		p.path = append(p.path, name)
		if object[name], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
		case '}':
			p.pos++
			return object, nil
		default:
			return nil, p.fail("a comma or the end of the object should stand here")
		}
	}
}

// admit refuses a member that stands twice, and in canonical form one that is
// out of order. Order is that of the UTF-8 bytes.
func (p *parser) admit(object map[string]any, name, previous string, start int) error {
	if _, twice := object[name]; twice {
		p.pos = start
		return p.fail("member \"%s\" stands twice", Printable(name))
	}
	if p.canonical && len(object) > 0 && name < previous {
		p.pos = start
		return p.fail("member \"%s\" is out of order, so the bytes are not canonical", Printable(name))
	}
	return nil
}

func (p *parser) array(depth int) (any, error) {
	p.pos++
	array := []any{}
	p.space()
	if p.peek() == ']' {
		p.pos++
		return array, nil
	}
	for {
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			return array, nil
		default:
			return nil, p.fail("a comma or the end of the array should stand here")
		}
	}
}

func (p *parser) integer() (any, error) {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	digits := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	text := string(p.data[start:p.pos])
	switch c := p.peek(); {
	case c == '.' || c == 'e' || c == 'E':
		return nil, p.fail("numbers must be integers: TUF has no fractions, and clients disagree on their form")
	case p.pos == digits:
		return nil, p.fail("a digit should follow the minus sign")
	case p.data[digits] == '0' && len(text) > 1:
		p.pos = start
		return nil, p.fail("number %q must not begin with a zero", text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > MaxInteger || n < -MaxInteger {
		p.pos = start
		return nil, p.fail("number is beyond 2^53-1, where clients begin to round")
	}
	return n, nil
}

// str reads a string. Canonical JSON (OLPC) escapes the quote and the
// backslash and nothing else: even a line feed in a PEM key stands raw.
func (p *parser) str() (string, error) {
	start := p.pos
	p.pos++
	var b []byte
	for p.pos < len(p.data) {
		c := p.data[p.pos]
		switch {
		case c == '"':
			p.pos++
			return string(b), nil
		case c == '\\':
			var err error
			if b, err = p.escape(b); err != nil {
				return "", err
			}
		case c < 0x20 && !p.canonical:
			return "", p.fail("control character 0x%02x must be escaped in a string", c)
		case c < utf8.RuneSelf:
			b = append(b, c)
			p.pos++
		default:
			r, size := utf8.DecodeRune(p.data[p.pos:])
			if r == utf8.RuneError && size == 1 {
				return "", p.fail("a string is not valid UTF-8")
			}
			b = append(b, p.data[p.pos:p.pos+size]...)
			p.pos += size
		}
	}
	p.pos = start
	return "", p.fail("a string that begins here does not end")
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) escape(b []byte) ([]byte, error) {
	p.pos++
	c := p.peek()
	if p.canonical && c != '"' && c != '\\' {
		return nil, p.fail("canonical JSON escapes the quote and the backslash only")
	}
	if c == 'u' {
		return p.unicode(b)
	}
	plain, ok := escapes[c]
	if !ok {
		return nil, p.fail("unknown escape in a string")
	}
	p.pos++
	return append(b, plain), nil
}

func (p *parser) unicode(b []byte) ([]byte, error) {
	r, ok := p.hex4()
	if !ok {
		return nil, p.fail("\\u wants four hexadecimal digits")
	}
	if utf16.IsSurrogate(r) {
		var low rune
		if p.peek() == '\\' && p.pos+1 < len(p.data) && p.data[p.pos+1] == 'u' {
			p.pos++
			low, ok = p.hex4()
		}
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return nil, p.fail("half a surrogate pair is no character")
		}
	}
	return utf8.AppendRune(b, r), nil
}

// hex4 reads uXXXX, the position being on the u.
func (p *parser) hex4() (rune, bool) {
	if p.pos+5 > len(p.data) {
		return 0, false
	}
	for _, c := range p.data[p.pos+1 : p.pos+5] {
		if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(p.data[p.pos+1:p.pos+5]), 16, 16)
	p.pos += 5
	return rune(n), err == nil
}
