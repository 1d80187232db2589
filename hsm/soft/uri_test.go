package soft

import (
	"strings"
	"testing"
)

var uris = []struct{ text, name, pinSource, refusal string }{
	{"soft:holder-1", "holder-1", "", ""},
	{"soft:A_b.9", "A_b.9", "", ""},
	{"soft:a?pin-source=file:/run/pin", "a", "/run/pin", ""},
	{"soft:a?pin-source=file:/run/my%20pin", "a", "/run/my pin", ""},
	{"", "", "", "does not begin"},
	{"holder-1", "", "", "does not begin"},
	{"SOFT:a", "", "", "does not begin"},
	{"soft:", "", "", "name is empty"},
	{"soft:.a", "", "", "full stop"},
	{"soft:..", "", "", "full stop"},
	{"soft:../a", "", "", "full stop"},
	{"soft:a/b", "", "", "letters, digits"},
	{`soft:a\b`, "", "", "letters, digits"},
	{"soft:a%41", "", "", "letters, digits"},
	{"soft:a b", "", "", "letters, digits"},
	{"soft://a", "", "", "letters, digits"},
	{"soft:a?", "", "", "only attribute is pin-source"},
	{"soft:a?31415926", "", "", "only attribute is pin-source"},
	{"soft:a?pin-value=31415926", "", "", "a PIN must not stand in a URI"},
	{"soft:a?pin-source=", "", "", "file:/absolute/path"},
	{"soft:a?pin-source=/31415926", "", "", "file:/absolute/path"},
	{"soft:a?pin-source=file:31415926", "", "", "file:/absolute/path"},
	{"soft:a?pin-source=file://host/31415926", "", "", "file:/absolute/path"},
	{"soft:a?pin-source=|31415926", "", "", "must be percent-encoded"},
	{"soft:a?pin-source=%7C31415926", "", "", "commands are not run"},
	{"soft:a?pin-source=file:/a&pin-source=file:/b", "", "", "must be percent-encoded"},
	{"soft:a?pin-source=file:/a%0Ab", "", "", "control character"},
	{"soft:a?pin-source=file:/a%2", "", "", "cut short"},
	{"soft:a?pin-source=file:/a#b", "", "", "must be percent-encoded"},
}

func TestParseURI(t *testing.T) {
	for _, c := range uris {
		name, pinSource, err := ParseURI(c.text)
		if name != c.name || pinSource != c.pinSource || (err == nil) != (c.refusal == "") {
			t.Errorf("%q is %q, %q, %v", c.text, name, pinSource, err)
			continue
		}
		if err == nil {
			if printed := formatURI(name, pinSource); printed != c.text {
				t.Errorf("%q is printed %q", c.text, printed)
			}
		} else if !strings.Contains(err.Error(), c.refusal) || strings.Contains(err.Error(), "31415926") {
			t.Errorf("%q: error is %q, want %q in it", c.text, err, c.refusal)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, c := range uris {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, pinSource, err := ParseURI(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(name, "/\\:\x00") || name[0] == '.' {
			t.Fatalf("accepted name %q", name)
		}
		printed := formatURI(name, pinSource)
		again, againSource, err := ParseURI(printed)
		if err != nil || again != name || againSource != pinSource {
			t.Fatalf("printed %q, which is read as %q, %q, %v", printed, again, againSource, err)
		}
	})
}
