package stream_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// A payload is read exactly if package tufmeta reads it, wherever chunks end,
// but for the form of the places that have entries. What is read can be
// written, compared and sealed, and comes back as it was.
func FuzzPayload(f *testing.F) {
	f.Add([]byte(full), uint8(16))
	f.Add([]byte(`{"targets":{"\"":{},"a":{"length":-1}}}`), uint8(1))
	f.Add([]byte(`{"delegations":{"roles":[{"name":"a"},{"name":"a"}]}}`), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		v, theirs := tufmeta.ParseCanonical(data)
		s := stream.PayloadBy(bytes.NewReader(data), 1+int(size))
		_, ours := read(s)
		if theirs != nil {
			if ours == nil {
				t.Fatalf("%q is read, and tufmeta says %v", data, theirs)
			}
			return
		}
		if ours != nil {
			if _, object := v.(map[string]any); object && !formal(ours) {
				t.Fatalf("%q is canonical, and refused: %v", data, ours)
			}
			return
		}
		if s.Digest() != digest(data) {
			t.Fatalf("%q has digest %s", data, s.Digest())
		}
		again(t, string(data))
	})
}

// unsorted reports the one fault that a large published file has and a small one has
// not.
func unsorted(err error) bool { return err != nil && strings.Contains(err.Error(), "is out of order") }

// formal reports an error that is not about the bytes.
func formal(err error) bool {
	var syntax *tufmeta.SyntaxError
	return !errors.As(err, &syntax)
}

func again(t *testing.T, text string) {
	if have, err := merge(text, nil); err != nil || have != text {
		t.Fatalf("%q became %q: %v", text, have, err)
	}
	told, _, err := compare(text, text)
	if err != nil && !strings.Contains(err.Error(), "one name") && !strings.Contains(err.Error(), "without a name") {
		t.Fatal(err)
	}
	for _, line := range told {
		if err == nil && line[0] != '=' {
			t.Fatalf("%q differs from itself: %s", text, line)
		}
	}
	var sealed bytes.Buffer
	if err := stream.Seal(&sealed, strings.NewReader(text), digest([]byte(text)), nil); err != nil {
		t.Fatal(err)
	}
	env, err := tufmeta.ParseEnvelope(sealed.Bytes())
	if err != nil || string(env.Canonical) != text {
		t.Fatalf("%q is sealed as %q: %v", text, sealed.Bytes(), err)
	}
}

// A published file is read exactly if package tufmeta reads it, and its digest
// is that of the canonical form there.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"signatures":[{"keyid":"a","sig":"00"}],"signed":{"a":"\u00e9\n\ud83d\ude00\/","targets":{"a" : { } } } } `), uint8(16))
	f.Add([]byte(`{"signed":{"b":1,"a":[2, -3]},"x":{"y":null},"signatures":[]}`), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		env, theirs := tufmeta.ParseEnvelope(data)
		s := stream.EnvelopeBy(bytes.NewReader(data), 1+int(size))
		_, ours := read(s)
		switch {
		case theirs != nil && ours == nil:
			t.Fatalf("%q is read, and tufmeta says %v", data, theirs)
		case theirs == nil && ours != nil && !formal(ours) && !unsorted(ours):
			t.Fatalf("%q is refused: %v", data, ours)
		case ours == nil && s.Digest() != digest(env.Canonical):
			t.Fatalf("%q has digest %s, and %q is its canonical form", data, s.Digest(), env.Canonical)
		}
	})
}
