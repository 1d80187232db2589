package tufmeta

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unsafe reports text that does not look on a terminal like what it is:
// control characters, bidirectional overrides and other invisible formatting,
// line and paragraph separators, and bytes that are no UTF-8.
func Unsafe(s string) bool {
	for i, r := range s {
		if unsafeRune(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return true
		}
	}
	return false
}

func unsafeRune(r rune) bool {
	if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs) {
		return true
	}
	// Characters that are drawn as nothing, or as a blank that is no space.
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		r != ' ' && unicode.Is(unicode.Zs, r) || r == '\u2800'
}

// Padded reports blanks that a screen swallows or that make one text look like
// several: at either end, or two in a row.
func Padded(s string) bool { return s != strings.Join(strings.Fields(s), " ") }

// Printable gives s with everything that Unsafe reports written as an escape,
// so that it can be shown to a person. Use it on all text that came from
// metadata, a plan or a device.
func Printable(s string) string {
	if !Unsafe(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unsafeRune(r) && r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case unsafeRune(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}
