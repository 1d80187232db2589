package inspect

import (
	"bytes"
	"encoding/binary"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// maxTexts is how many targets with odd text are told one by one.
const maxTexts = 100

// TargetTexts finds odd text in the targets of a published file, as Text does in
// all else. A file that cannot be read has none.
func TargetTexts(file []byte, subject string) []check.Result {
	s, err := stream.OpenEnvelope(file)
	if err != nil {
		return nil
	}
	defer s.Close()
	var results []check.Result
	odd := 0
	for s.Next() {
		e := s.Entry()
		if e.In != stream.Targets || PlainText(e.Name) && PlainText(e.Value) {
			continue
		}
		value, err := tufmeta.ParseCanonical(e.Value)
		if err != nil {
			return nil
		}
		found := Text(map[string]any{"targets": map[string]any{string(e.Name): value}}, subject, false)
		if len(found) > 0 {
			odd++
		}
		if odd <= maxTexts {
			results = append(results, found...)
		}
	}
	if s.Err() != nil {
		return nil
	}
	if odd > maxTexts {
		results = append(results, check.New("TEXT-UNSAFE", subject, "%d more targets have such text", odd-maxTexts))
	}
	return results
}

// PlainText reports quickly that canonical bytes are of no interest to Text: ASCII,
// without blanks, escapes and control characters. Of others it says nothing.
func PlainText(b []byte) bool {
	const (
		each = 0x0101010101010101 // times a byte: that byte in all eight places
		high = 0x80 * each
	)
	for ; len(b) >= 8; b = b[8:] { // the highest bit of (x-n)&^x is set in a byte of x that is less than n
		x := binary.LittleEndian.Uint64(b)
		slash := x ^ '\\'*each
		if (x|(x+each)|(x-'!'*each)&^x|(slash-each)&^slash)&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

// PlainKey reports the same of a key object with one PEM key, whose line feeds and
// blanks Text passes over.
func PlainKey(b []byte) bool {
	before, rest, found := bytes.Cut(b, []byte(`:"-----BEGIN `))
	pem, after, ends := bytes.Cut(rest, []byte(`"`))
	if !found || !ends || !PlainText(before) || !PlainText(after) {
		return false
	}
	for _, c := range pem {
		if c != '\n' && (c < ' ' || c >= 0x7f || c == '\\') {
			return false
		}
	}
	return true
}
