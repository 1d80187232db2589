package assemble

import (
	"errors"
	"io"

	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// Envelope writes a metadata file: the signatures in the order given, and the
// payload with its control characters escaped, which are the bytes that were
// signed and never a new encoding of what they mean. It reads the result back.
func Envelope(payload []byte, signatures []tufmeta.Signature) ([]byte, error) {
	data, err := spool.Create(func(w io.Writer) error { return seal(w, payload, signatures) })
	if err != nil {
		return nil, err
	}
	head, err := stream.ReadEnvelope(data)
	if err != nil {
		return nil, err
	}
	if tufmeta.Digest(head.Canonical) != tufmeta.Digest(payload) {
		return nil, errors.New("the assembled file does not have the bytes that were signed")
	}
	return data, nil
}

func seal(w io.Writer, payload []byte, signatures []tufmeta.Signature) error {
	return stream.Seal(w, spool.NewReader(payload), tufmeta.Digest(payload), signatures)
}

// makes reports whether a metadata file is what Envelope makes.
func makes(payload []byte, signatures []tufmeta.Signature, data []byte) (bool, error) {
	before, after, err := stream.Around(signatures)
	if err != nil {
		return false, err
	}
	around := spool.NewComparison(data)
	around.Write(before)
	if around.Skip(payload) { // as it stands in the file, from which it was taken
		around.Write(after)
		return around.Same(), nil
	}
	whole := spool.NewComparison(data)
	err = seal(whole, payload, signatures)
	return whole.Same(), err
}
