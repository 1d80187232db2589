package tufmeta

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Encode gives the canonical JSON (OLPC form, the one that TUF clients hash)
// of a value as Parse makes it: members sorted by their UTF-8 bytes, no white
// space, integers, and strings raw but for the quote and the backslash. Note
// that the result is not JSON where a string has a control character.
func Encode(v any) ([]byte, error) { return encode(nil, v) }

func encode(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return encode(b, int64(v))
	case int64:
		if v > MaxInteger || v < -MaxInteger {
			return nil, fmt.Errorf("encoding canonical JSON: number %d is beyond 2^53-1", v)
		}
		return strconv.AppendInt(b, v, 10), nil
	case string:
		if !utf8.ValidString(v) {
			return nil, fmt.Errorf("encoding canonical JSON: string %q is not valid UTF-8", v)
		}
		return appendString(b, v), nil
	case []any:
		return encodeArray(b, v)
	case map[string]any:
		return encodeObject(b, v)
	}
	return nil, fmt.Errorf("encoding canonical JSON: no form for a %T", v)
}

var quote = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func appendString(b []byte, s string) []byte {
	return append(append(append(b, '"'), quote.Replace(s)...), '"')
}

func encodeArray(b []byte, array []any) ([]byte, error) {
	b = append(b, '[')
	for i, v := range array {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = encode(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func encodeObject(b []byte, object map[string]any) ([]byte, error) {
	names := make([]string, 0, len(object))
	for name := range object {
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("encoding canonical JSON: member %q is not valid UTF-8", name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		b = append(appendString(b, name), ':')
		if b, err = encode(b, object[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// JSON turns canonical bytes into JSON that any parser reads, by escaping the
// control characters that stand raw in strings. Nothing else changes, so the
// canonical form of the result is the input.
func JSON(canonical []byte) []byte {
	var out bytes.Buffer
	for _, c := range canonical {
		switch {
		case c == '\n':
			out.WriteString(`\n`)
		case c < 0x20:
			fmt.Fprintf(&out, `\u%04x`, c)
		default:
			out.WriteByte(c)
		}
	}
	return out.Bytes()
}
