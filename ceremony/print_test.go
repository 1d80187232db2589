package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// What a device calls itself comes out of --json as it was, and reaches the
// terminal as JSON's own escapes.
func TestJSONOfOddNames(t *testing.T) {
	for _, name := range []string{"plain", "bell\a", "escape\x1b[2J", "tag\U000E0041", "right-to-left\u202e", "é漢😀", "line\nfeed", "c1\u0085"} {
		var out strings.Builder
		if err := printJSON(guard{&out}, map[string]string{"name": name}); err != nil {
			t.Fatal(err)
		}
		var back map[string]string
		if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back["name"] != name {
			t.Errorf("%q is written as %s, %v", name, out.String(), err)
		}
		if strings.ContainsAny(out.String(), "\a\x1b\u202e\u0085\U000E0041") {
			t.Errorf("%q reaches the terminal raw: %q", name, out.String())
		}
	}
}
