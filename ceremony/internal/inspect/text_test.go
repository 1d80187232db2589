package inspect_test

import (
	"bytes"
	"testing"

	"tufceremony/ceremony/internal/inspect"
)

// Eight bytes are looked at at once, and each of them counts.
func TestPlainText(t *testing.T) {
	for c := range 256 {
		want := c > ' ' && c < 0x7f && c != '\\'
		for at := range 19 {
			b := bytes.Repeat([]byte("~"), 19)
			b[at] = byte(c)
			if got := inspect.PlainText(b); got != want {
				t.Errorf("byte 0x%02x at %d: %v", c, at, got)
			}
		}
	}
}
