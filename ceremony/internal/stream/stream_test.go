package stream_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// full is a document with something in every place, and what is special in
// canonical form.
const full = "{\"\":null,\"_type\":\"targets\",\"delegations\":{\"keys\":{\"k1\":{\"keyid_hash_algorithms\":[\"sha256\"],\"keytype\":\"ecdsa\",\"keyval\":{\"public\":\"-----BEGIN\n\x1f-----\"},\"scheme\":\"x\"},\"k2\":{}}," +
	"\"roles\":[{\"keyids\":[\"k1\"],\"name\":\"b\",\"paths\":[\"a/*\"],\"terminating\":false,\"threshold\":1},{\"keyids\":[],\"name\":\"a\",\"threshold\":-1}],\"succinct_roles\":{\"bit_length\":14}}," +
	"\"expires\":\"2027-01-12T00:00:00Z\",\"meta\":{\"1.json\":{\"version\":1}},\"spec_version\":\"1.0.34\"," +
	"\"targets\":{\"\":{},\"\\\"q\":{\"length\":0},\"A\\\\b\":{\"hashes\":{\"sha256\":\"00\"},\"length\":9007199254740991},\"é\":{\"custom\":{\"x\":[[],{},[1,[true,false,null]]]}},\"😀\":{}},\"version\":7}"

// read runs a pass to its end and gives what it found, in words.
func read(s *stream.Scanner) ([]string, error) {
	defer s.Close()
	var found []string
	for s.Next() {
		e := s.Entry()
		found = append(found, fmt.Sprintf("%s %q %s", e.In, e.Name, e.Value))
	}
	return found, s.Err()
}

func payload(text string) *stream.Scanner { return stream.Payload(strings.NewReader(text)) }

func digest(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

func TestEntries(t *testing.T) {
	s := payload(full)
	found, err := read(s)
	want := []string{
		`signed "" null`,
		`signed "_type" "targets"`,
		`signed "delegations" `,
		`signed.delegations "keys" `,
		"signed.delegations.keys \"k1\" {\"keyid_hash_algorithms\":[\"sha256\"],\"keytype\":\"ecdsa\",\"keyval\":{\"public\":\"-----BEGIN\n\x1f-----\"},\"scheme\":\"x\"}",
		`signed.delegations.keys "k2" {}`,
		`signed.delegations "roles" `,
		`signed.delegations.roles "" {"keyids":["k1"],"name":"b","paths":["a/*"],"terminating":false,"threshold":1}`,
		`signed.delegations.roles "" {"keyids":[],"name":"a","threshold":-1}`,
		`signed.delegations "succinct_roles" {"bit_length":14}`,
		`signed "expires" "2027-01-12T00:00:00Z"`,
		`signed "meta" `,
		`signed.meta "1.json" {"version":1}`,
		`signed "spec_version" "1.0.34"`,
		`signed "targets" `,
		`signed.targets "" {}`,
		`signed.targets "\"q" {"length":0}`,
		`signed.targets "A\\b" {"hashes":{"sha256":"00"},"length":9007199254740991}`,
		`signed.targets "é" {"custom":{"x":[[],{},[1,[true,false,null]]]}}`,
		`signed.targets "😀" {}`,
		`signed "version" 7`,
	}
	if err != nil || !slices.Equal(found, want) {
		t.Fatalf("%v\n%s\nwant\n%s", err, strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
	common, err := s.Common()
	if err != nil || common != (tufmeta.Common{Type: "targets", Spec: "1.0.34", Version: 7, Expires: "2027-01-12T00:00:00Z"}) {
		t.Errorf("%+v, %v", common, err)
	}
	if s.Digest() != digest([]byte(full)) || s.Size() != int64(len(full)) {
		t.Errorf("digest %s of %d bytes", s.Digest(), s.Size())
	}
	if s.Count(stream.Targets) != 5 || s.Count(stream.Keys) != 2 || s.Count(stream.Roles) != 2 || s.Count(stream.Meta) != 1 {
		t.Error("the counts are wrong")
	}
}

// Wherever a chunk ends, the pass finds the same.
func TestBorders(t *testing.T) {
	want, err := read(payload(full))
	if err != nil {
		t.Fatal(err)
	}
	published := pretty(t, full)
	for size := 1; size < 90; size++ {
		s := stream.PayloadBy(iotest.OneByteReader(strings.NewReader(full)), size)
		if found, err := read(s); err != nil || !slices.Equal(found, want) || s.Digest() != digest([]byte(full)) {
			t.Fatalf("in chunks of %d: %v\n%s", size, err, strings.Join(found, "\n"))
		}
		s = stream.EnvelopeBy(bytes.NewReader(published), size)
		if found, err := read(s); err != nil || !slices.Equal(found, want) || s.Digest() != digest([]byte(full)) {
			t.Fatalf("published, in chunks of %d: %v\n%s", size, err, strings.Join(found, "\n"))
		}
	}
}

// pretty makes a published file of canonical bytes, with white space and
// escapes wherever there may be any.
func pretty(t *testing.T, canonical string) []byte {
	t.Helper()
	var b bytes.Buffer
	text := `{"signatures":[{"keyid":"k1","sig":"00"},{"keyid":"k2","sig":""}],"signed":` + string(tufmeta.JSON([]byte(canonical))) + "}"
	if err := json.Indent(&b, []byte(text), "\r\n", " \t"); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer("é", `\u00e9`, "😀", `\uD83d\ude00`, "/", `\/`, "q", `\u0071`, `\"`, `\u0022`, `b`, "b").Replace(b.String()))
}

func TestEnvelope(t *testing.T) {
	s, err := stream.Envelope(bytes.NewReader(pretty(t, full)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(s); err != nil {
		t.Fatal(err)
	}
	want := []tufmeta.Signature{{KeyID: "k1", Sig: "00"}, {KeyID: "k2", Sig: ""}}
	if !slices.Equal(s.Signatures(), want) {
		t.Errorf("signatures %v", s.Signatures())
	}
}

// A small file need not be sorted, and the envelope's members never.
func TestUnsorted(t *testing.T) {
	const text = `{"signed":{"version":1,"_type":"root","b":{"y":1,"x":2}},"signatures":[]}`
	s, err := stream.Envelope(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	const canonical = `{"_type":"root","b":{"x":2,"y":1},"version":1}`
	if found, err := read(s); err != nil || len(found) != 3 || s.Digest() != digest([]byte(canonical)) {
		t.Errorf("%q, %v", found, err)
	}
	large := `{"signed":{"version":1,"_type":"root"},"signatures":[]}` + strings.Repeat(" ", stream.MaxUnsorted)
	if s, err = stream.Envelope(strings.NewReader(large)); err != nil {
		t.Fatal(err)
	}
	_, err = read(s)
	wantSyntaxError(t, large[:60], err, 23, "signed", `member "_type" is out of order`)
}

// The digest is the one that package tufmeta and cjson, which go-tuf uses, come
// to, from canonical bytes and from the published form alike.
func TestDigestAsOthersDo(t *testing.T) {
	random := rand.New(rand.NewPCG(20270112, 6))
	for range many(50_000) {
		text, err := json.Marshal(document(random))
		if err != nil {
			t.Fatal(err)
		}
		sameDigest(t, text)
	}
}

func sameDigest(t *testing.T, signed []byte) {
	t.Helper()
	v, err := tufmeta.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := tufmeta.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(signed))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	theirs, err := cjson.EncodeCanonical(tree)
	if err != nil {
		t.Fatal(err)
	}
	s := stream.Payload(bytes.NewReader(ours))
	if _, err := read(s); err != nil || s.Digest() != digest(theirs) {
		t.Fatalf("%q: %v, %s; cjson has %q", ours, err, s.Digest(), theirs)
	}
	s = stream.EnvelopeBy(bytes.NewReader(slices.Concat([]byte(`{"signatures":[],"signed":`), signed, []byte("}"))), 1<<10)
	if _, err := read(s); err != nil || s.Digest() != digest(theirs) {
		t.Fatalf("published: %q: %v, %s", signed, err, s.Digest())
	}
}

// The same for every published file.
func TestPublishedDigestAsOthersDo(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(filepath.Dir(ceremonytest.Data(t, "README.md")), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json") {
			return err
		}
		seen++
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s := stream.EnvelopeBy(bytes.NewReader(data), 1<<10)
		_, err = read(s)
		if unsorted(err) {
			if s, err = stream.Envelope(bytes.NewReader(data)); err == nil {
				_, err = read(s)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		env, err := tufmeta.ParseEnvelope(data)
		if err != nil || !slices.Equal(env.Signatures, s.Signatures()) {
			t.Errorf("%s: signatures %v, %v", path, s.Signatures(), err)
		}
		var published struct{ Signed json.RawMessage }
		if err := json.Unmarshal(data, &published); err != nil {
			return err
		}
		var tree any
		d := json.NewDecoder(bytes.NewReader(published.Signed))
		d.UseNumber()
		if err := d.Decode(&tree); err != nil {
			return err
		}
		if theirs, err := cjson.EncodeCanonical(tree); err != nil || s.Digest() != digest(theirs) {
			t.Errorf("%s: digest %s, and cjson has %s (%v)", path, s.Digest(), digest(theirs), err)
		}
		return nil
	})
	if err != nil || seen < 18 {
		t.Errorf("%d files, %v", seen, err)
	}
}

func wantSyntaxError(t *testing.T, text string, err error, offset int, path, reason string) {
	t.Helper()
	var s *tufmeta.SyntaxError
	if !errors.As(err, &s) {
		t.Errorf("%.80q: %v, want a SyntaxError", text, err)
		return
	}
	if s.Offset != offset || s.Path != path || !strings.Contains(s.Reason, reason) {
		t.Errorf("%.80q: at %d in %q: %s; want at %d in %q: %s", text, s.Offset, s.Path, s.Reason, offset, path, reason)
	}
}

// An Err that is asked too early must not pass for success.
func TestErrBeforeTheEnd(t *testing.T) {
	s := payload(full)
	if s.Err() == nil || s.Digest() != "" {
		t.Error("nothing was read, and there is no error")
	}
	s.Next()
	if _, err := s.Common(); s.Err() == nil || s.Digest() != "" || err == nil {
		t.Error("one entry was read, and there is no error")
	}
	s.Close()
	if s.Next() || s.Err() == nil || s.Digest() != "" {
		t.Error("closed in the middle, and there is no error")
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("input/output error")
	s := stream.Payload(io.MultiReader(strings.NewReader(full[:100]), iotest.ErrReader(broken)))
	if _, err := read(s); !errors.Is(err, broken) || !strings.Contains(err.Error(), "reading at byte 100:") {
		t.Errorf("%v", err)
	}
}
