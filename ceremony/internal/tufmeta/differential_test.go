package tufmeta_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/tufmeta"
)

// The other implementation of canonical JSON in Go, which go-tuf uses, must
// come to the same bytes.
func TestEncodeAsOthersDo(t *testing.T) {
	random := rand.New(rand.NewPCG(20270112, 1))
	for range 5000 {
		v := document(random, 4)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		sameCanonical(t, text)
	}
}

// The same for every JSON file that others have published.
func TestEncodePublishedAsOthersDo(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(filepath.Dir(ceremonytest.Data(t, "README.md")), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json") {
			return err
		}
		seen++
		data, err := os.ReadFile(path)
		if err == nil {
			sameCanonical(t, data)
		}
		return err
	})
	if err != nil || seen < 18 {
		t.Errorf("%d files, %v", seen, err)
	}
}

func sameCanonical(t *testing.T, text []byte) {
	t.Helper()
	v, err := tufmeta.Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	ours, err := tufmeta.Encode(v)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	theirs, err := cjson.EncodeCanonical(tree)
	if err != nil || !bytes.Equal(ours, theirs) {
		t.Fatalf("%q: canonical as\n%q, and cjson says\n%q (%v)", text, ours, theirs, err)
	}
	back, err := tufmeta.ParseCanonical(ours)
	if err != nil {
		t.Fatalf("what Encode wrote is not canonical: %q: %v", ours, err)
	}
	if again, err := tufmeta.Encode(back); err != nil || !bytes.Equal(again, ours) {
		t.Fatalf("%q became %q", ours, again)
	}
}

// document makes a random value that has what matters to a canonical form:
// members whose order differs by bytes and by UTF-16, quotes, controls, large
// numbers, empty things.
func document(random *rand.Rand, depth int) any {
	switch kind := random.IntN(8); {
	case kind < 2 && depth > 0:
		array := []any{}
		for range random.IntN(4) {
			array = append(array, document(random, depth-1))
		}
		return array
	case kind < 5 && depth > 0:
		object := map[string]any{}
		for range random.IntN(6) {
			object[text(random)] = document(random, depth-1)
		}
		return object
	case kind == 5:
		return random.Int64N(2*tufmeta.MaxInteger+1) - tufmeta.MaxInteger
	case kind == 6:
		return []any{nil, true, false, int64(0), int64(tufmeta.MaxInteger)}[random.IntN(5)]
	}
	return text(random)
}

func text(random *rand.Rand) string {
	alphabet := []rune("aAbBzZ09_-.\"\\/\x00\x01\n\r\t\x1f\x7f é\u07ff\u2028\ud7ff\ue000\uffff\U00010000\U0001F600\u202e")
	runes := make([]rune, random.IntN(5))
	for i := range runes {
		runes[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(runes)
}
