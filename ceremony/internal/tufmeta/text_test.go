package tufmeta_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/tufmeta"
)

// The example that is published with the word list.
func TestWords(t *testing.T) {
	data, err := hex.DecodeString("E58294F2E9A227486E8B061B31CC528FD7FA3F19")
	must(t, err)
	want := "topmost istanbul pluto vagabond treadmill pacific brackish dictator goldfish medusa afflict bravado " +
		"chatter revolver dupont midsummer stopwatch whimsical cowbell bottomless"
	if have := tufmeta.Words(data); have != want {
		t.Errorf("%s, want %s", have, want)
	}
	if have := tufmeta.Words(nil); have != "" {
		t.Errorf("nothing is spelled %q", have)
	}
}

// Each byte has a word of its own at even and at odd places, and no word
// stands for two. The lists are in alphabetical order, as they were published,
// with the one exception that they were published with.
func TestWordLists(t *testing.T) {
	seen := map[string]bool{}
	var even, odd []string
	for b := range 256 {
		words := strings.Fields(tufmeta.Words([]byte{byte(b), byte(b)}))
		if len(words) != 2 {
			t.Fatalf("byte %d is spelled %q", b, words)
		}
		even, odd = append(even, words[0]), append(odd, words[1])
		for _, w := range words {
			if seen[w] || w != strings.ToLower(w) {
				t.Errorf("%q stands twice, or is not in lower case", w)
			}
			seen[w] = true
		}
	}
	for i := 1; i < 256; i++ {
		if even[i-1] >= even[i] || odd[i-1] >= odd[i] && odd[i] != "apollo" {
			t.Errorf("%q and %q are out of order", even[i], odd[i])
		}
	}
}

func TestSameWords(t *testing.T) {
	for typed, same := range map[string]bool{
		"topmost istanbul pluto vagabond":           true,
		"  Topmost\tISTANBUL  pluto vagabond\n":     true,
		"topmost istanbul pluto":                    false,
		"topmost istanbul pluto vagabond treadmill": false,
		"istanbul topmost pluto vagabond":           false,
		"topmostistanbulplutovagabond":              false,
		"":                                          false, " ": false,
	} {
		if tufmeta.SameWords(typed, "topmost istanbul pluto vagabond") != same {
			t.Errorf("%q is the same: %t", typed, !same)
		}
	}
	if tufmeta.SameWords("", "") {
		t.Error("nothing typed approves nothing")
	}
}

func TestDigest(t *testing.T) {
	sum := sha256.Sum256([]byte("abc"))
	if have := tufmeta.Digest([]byte("abc")); have != hex.EncodeToString(sum[:]) || have[:8] != "ba7816bf" {
		t.Errorf("digest %s", have)
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain é 漢字 😀":                    "plain é 漢字 😀",
		"":                                "",
		"bell\a":                          `bell\u0007`,
		"esc\x1b[2J":                      `esc\u001b[2J`,
		"tab\tline\nreturn\r":             `tab\u0009line\u000areturn\u000d`,
		"\x7f\u0080\u009b":                `\u007f\u0080\u009b`,
		"abc\u202ednu\u2066x\u200f":       `abc\u202ednu\u2066x\u200f`,
		"zero\u200bwidth\u200d\ufeff":     `zero\u200bwidth\u200d\ufeff`,
		"soft\u00adhyphen":                `soft\u00adhyphen`,
		"\u2028\u2029":                    `\u2028\u2029`,
		"private \ue000 \U000f0000":       `private \ue000 \U000f0000`,
		"tag \U000e0041":                  `tag \U000e0041`,
		"bad \xff\xc3 utf-8":              `bad \xff\xc3 utf-8`,
		"\xed\xa0\x80":                    `\xed\xa0\x80`,
		"replacement \uFFFD is a letter":  "replacement \uFFFD is a letter",
		"replacement \uFFFD but not \xff": "replacement \uFFFD but not " + `\xff`,
	} {
		if have := tufmeta.Printable(text); have != want {
			t.Errorf("%q is shown as %q, want %q", text, have, want)
		}
		if tufmeta.Unsafe(text) != (text != want) {
			t.Errorf("%q is unsafe: %t", text, text == want)
		}
		if tufmeta.Unsafe(tufmeta.Printable(text)) {
			t.Errorf("%q is unsafe even when it is made printable", text)
		}
	}
}
