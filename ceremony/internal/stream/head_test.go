package stream_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// spooled is what ReadFile gives of a file with these bytes.
func spooled(t *testing.T, data []byte) []byte {
	t.Helper()
	w := &spool.Writer{}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	out, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wide is the signed part of targets of more than so many bytes.
func wide(t *testing.T, size int, delegations string) []byte {
	t.Helper()
	var b strings.Builder
	b.WriteString(`{"_type":"targets",` + delegations + `"expires":"2027-01-31T09:00:00Z","spec_version":"1.0.34","targets":{`)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `"packages/%08d":{"custom":{"by":"somebody"},"hashes":{"sha256":"%x"},"length":%d},`, i, sha256.Sum256(fmt.Append(nil, i)), i)
	}
	return []byte(strings.TrimSuffix(b.String(), ",") + `},"version":3,"x-more":[1,{"a":"b"}]}`)
}

const delegationsOfWide = "\"delegations\":{\"keys\":{\"aa\":{\"keyval\":{\"public\":\"-----BEGIN\n-----\n\"}}},\"roles\":[{\"keyids\":[\"aa\"],\"name\":\"b\",\"threshold\":1},{\"keyids\":[],\"name\":\"a\",\"threshold\":2}],\"x\":1},"

// A head of a large file has what tufmeta finds, less the targets; its canonical
// bytes are those of the file where they stand there as they are.
func TestHead(t *testing.T) {
	for name, size := range map[string]int{"held": 1000, "large": spool.Held + 1000} {
		for _, delegations := range []string{"", delegationsOfWide} {
			payload := wide(t, size, delegations)
			for form, file := range map[string]string{
				"as sealed":        `{"signatures":[{"keyid":"k","sig":"0a"}],"signed":` + string(tufmeta.JSON(payload)) + "}\n",
				"in other spacing": ` { "signed" : ` + strings.Replace(string(tufmeta.JSON(payload)), `"targets":{`, "\n\"targets\" : { ", 1) + ` , "signatures":[{"keyid":"k","sig":"0a"}]}`,
			} {
				t.Run(fmt.Sprintf("%s, %s, %d", name, form, len(delegations)), func(t *testing.T) {
					data := spooled(t, []byte(file))
					head, err := stream.ReadEnvelope(data)
					if err != nil {
						t.Fatal(err)
					}
					whole, err := tufmeta.ParseEnvelope([]byte(file))
					if err != nil {
						t.Fatal(err)
					}
					tree, err := tufmeta.ParseSigned(payload)
					if err != nil {
						t.Fatal(err)
					}
					asked(t, head, tree)
					targets := whole.Signed["targets"].(map[string]any)
					whole.Signed["targets"] = map[string]any{}
					if d, ok := whole.Signed["delegations"].(map[string]any); ok {
						d["keys"], d["roles"] = map[string]any{}, []any{}
					}
					if !reflect.DeepEqual(head.Signed, whole.Signed) || head.Targets != len(targets) || !reflect.DeepEqual(head.Signatures, whole.Signatures) {
						t.Errorf("%d targets, %v, and the whole has %d, %v", head.Targets, head.Signed, len(targets), whole.Signed)
					}
					if !bytes.Equal(head.Canonical, payload) || !spool.Equal(head.Canonical, payload) {
						t.Error("the canonical bytes are others")
					}
					if size > spool.Held {
						part := form == "as sealed" && delegations == ""
						if shares := within(head.Canonical, data); shares != part {
							t.Errorf("the canonical bytes are a part of the file: %t", shares)
						}
					}
					again, err := stream.ReadPayload(head.Canonical)
					if err == nil {
						asked(t, again, tree)
					}
					if err != nil || !reflect.DeepEqual(again.Signed, head.Signed) || again.Targets != head.Targets {
						t.Error("the payload says something else", err)
					}
				})
			}
		}
	}
}

func within(part, whole []byte) bool {
	at := bytes.Index(whole, part[:64])
	return at >= 0 && &whole[at] == &part[0]
}

// What is no target, or no JSON, is refused in a large file as in a small one.
func TestHeadRefuses(t *testing.T) {
	for _, size := range []int{1000, spool.Held + 1000, stream.MaxUnsorted + 1000} {
		good := string(wide(t, size, ""))
		for name, row := range map[string][2]string{
			"no object":     {`"targets":{`, `"targets":{"a":1,`},
			"no length":     {`"targets":{`, `"targets":{"a":{"hashes":{}},`},
			"no hash":       {`"targets":{`, `"targets":{"a":{"hashes":{"sha256":1},"length":1},`},
			"another case":  {`"targets":{`, `"targets":{"a":{"Length":1,"hashes":{},"length":1},`},
			"out of order":  {`"version":3`, `"version":3,"u":1`},
			"an end before": {`"version":3`, `"version":3}`},
		} {
			bad := strings.Replace(good, row[0], row[1], 1)
			if _, err := stream.ReadPayload(spooled(t, []byte(bad))); err == nil {
				t.Errorf("%s, in %d bytes: it is read", name, size)
			}
			head, err := stream.ReadEnvelope(spooled(t, []byte(`{"signatures":[],"signed":`+bad+`}`)))
			if name == "out of order" && size < stream.MaxUnsorted { // as tools write them that do not sort
				if want := strings.Replace(good, `"version":3`, `"u":1,"version":3`, 1); err != nil || string(head.Canonical) != want {
					t.Errorf("%s, published, in %d bytes: %v, or the canonical bytes are others", name, size, err)
				}
			} else if err == nil {
				t.Errorf("%s, published, in %d bytes: it is read", name, size)
			}
		}
	}
}

// A field that another role happens to have is not taken out.
func TestHeadOfAnotherRole(t *testing.T) {
	for _, size := range []int{10, spool.Held / 2} {
		long := strings.Repeat("b", size)
		payload := []byte(`{"_type":"root","targets":{"a":{"anything":1},"b":"` + long + `"},"z":"` + long + `"}`)
		head, err := stream.ReadPayload(spooled(t, payload))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := tufmeta.ParseSigned(payload)
		if err != nil || !reflect.DeepEqual(head.Signed, whole) || head.Targets != 0 {
			t.Errorf("%d bytes: something was taken out, %v", len(payload), err)
		}
	}
}

// What was read in one form is not taken for the other.
func TestHeadForms(t *testing.T) {
	payload := wide(t, spool.Held+1000, "")
	file := spooled(t, []byte(`{"signatures":[],"signed":`+string(tufmeta.JSON(payload))+"}\n"))
	canonical := spooled(t, payload)
	for range 2 { // the second time they are remembered
		if _, err := stream.ReadEnvelope(file); err != nil {
			t.Error(err)
		}
		if _, err := stream.ReadPayload(canonical); err != nil {
			t.Error(err)
		}
		if _, err := stream.ReadPayload(file); err == nil {
			t.Error("a published file is read as a payload")
		}
		if _, err := stream.ReadEnvelope(canonical); err == nil {
			t.Error("a payload is read as a published file")
		}
	}
}
