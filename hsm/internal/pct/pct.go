// Package pct decodes and encodes percent-encoded values strictly (RFC 3986).
//
// It is not net/url: there a plus sign may become a space, and characters that
// the grammar forbids are let through. A token's URI that means two things to
// two readers is worse than one that is refused. Errors name the position and
// never the text, which may be a PIN that somebody put in the wrong place.
package pct

import (
	"fmt"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// Decode decodes s. Besides unreserved characters, those in allowed may stand
// for themselves; all others must be encoded.
func Decode(s, allowed string) ([]byte, error) {
	decoded := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			if !plain(s[i], allowed) {
				return nil, fmt.Errorf("character %d must be percent-encoded", i+1)
			}
			decoded = append(decoded, s[i])
			continue
		}
		if len(s)-i < 3 {
			return nil, fmt.Errorf("percent-encoding at character %d is cut short", i+1)
		}
		high, low := nibble(s[i+1]), nibble(s[i+2])
		if high < 0 || low < 0 {
			return nil, fmt.Errorf("percent-encoding at character %d is not two hex digits", i+1)
		}
		decoded = append(decoded, byte(high<<4|low))
		i += 2
	}
	return decoded, nil
}

// Encode encodes every byte of s but unreserved ones and those in allowed.
func Encode(s, allowed string) string {
	var b strings.Builder
	for i := range len(s) {
		if plain(s[i], allowed) {
			b.WriteByte(s[i])
		} else {
			writeByte(&b, s[i])
		}
	}
	return b.String()
}

// EncodeAll encodes every byte, as RFC 7512 advises for binary values.
func EncodeAll(value []byte) string {
	var b strings.Builder
	for _, c := range value {
		writeByte(&b, c)
	}
	return b.String()
}

func writeByte(b *strings.Builder, c byte) {
	b.WriteByte('%')
	b.WriteByte(upperHex[c>>4])
	b.WriteByte(upperHex[c&15])
}

func plain(c byte, allowed string) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-._~", c) >= 0 || strings.IndexByte(allowed, c) >= 0
}

func nibble(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
