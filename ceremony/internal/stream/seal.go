package stream

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"tufceremony/ceremony/internal/tufmeta"
)

// Seal writes the file that clients fetch: the signatures, and the payload
// with its control characters escaped, which are the bytes that were signed
// and never a new encoding of what they mean. The payload must be canonical
// and have the digest, in hex, that the signatures are over; when it turns out
// not to be, most of it is written already and must be thrown away.
func Seal(w io.Writer, payload io.Reader, digest string, signatures []tufmeta.Signature) error {
	before, after, err := Around(signatures)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, chunkSize)
	out.Write(before) // errors of a bufio.Writer stay with it
	s := Payload(payload)
	defer s.Close()
	s.Tee(escaper{out})
	s.around = 1 // or it could not be read in its envelope
	for s.Next() {
	}
	if err := s.Err(); err != nil {
		return err
	}
	if digest == "" || s.Digest() != digest {
		return fmt.Errorf("assembling metadata: the payload has SHA-256 %s, and the signatures are over %s", s.Digest(), digest)
	}
	_, err = out.Write(after)
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("assembling metadata: %w", err)
	}
	return nil
}

// Around gives what Seal writes before the payload and after it.
func Around(signatures []tufmeta.Signature) (before, after []byte, err error) {
	list := []any{}
	for _, s := range signatures {
		list = append(list, map[string]any{"keyid": s.KeyID, "sig": s.Sig})
	}
	encoded, err := tufmeta.Encode(list)
	if err != nil {
		return nil, nil, err
	}
	return fmt.Appendf(nil, `{"signatures":%s,"signed":`, tufmeta.JSON(encoded)), []byte("}\n"), nil
}

// escaped is what stands for each control character in JSON.
var escaped = func() (all [' '][]byte) {
	for c := range all {
		all[c] = tufmeta.JSON([]byte{byte(c)})
	}
	return all
}()

// escaper writes canonical bytes so that any JSON parser reads them.
type escaper struct{ out *bufio.Writer }

func (e escaper) Write(canonical []byte) (int, error) {
	for rest := canonical; len(rest) > 0; {
		n := tufmeta.Control(rest)
		if _, err := e.out.Write(rest[:n]); err != nil {
			return 0, fmt.Errorf("assembling metadata: %w", err)
		}
		if n < len(rest) {
			if _, err := e.out.Write(escaped[rest[n]]); err != nil {
				return 0, fmt.Errorf("assembling metadata: %w", err)
			}
			n++
		}
		rest = rest[n:]
	}
	return len(canonical), nil
}
