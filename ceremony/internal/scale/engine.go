package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// The engine is package stream by itself: what the commands do with a file,
// without the folder around it.

// drain reads a file to its end and gives its digest.
func drain(s *stream.Scanner) (string, error) {
	defer s.Close()
	for s.Next() {
	}
	return s.Digest(), s.Err()
}

// engineSign reads a payload and signs its digest.
func engineSign(dir string) error {
	return with(dir, payloadFile, func(f *os.File) error {
		digest, err := drain(stream.Payload(f))
		if err != nil {
			return err
		}
		_, err = signOne(digestOf(digest))
		return err
	})
}

// engineVerify reads a published file and verifies all of its signatures.
func engineVerify(dir string) error {
	names, err := holdersByID()
	if err != nil {
		return err
	}
	return with(dir, nextFile, func(f *os.File) error {
		s, err := stream.Envelope(f)
		if err != nil {
			return err
		}
		digest, err := drain(s)
		if err != nil {
			return err
		}
		signatures := map[string][]byte{}
		for _, sig := range s.Signatures() {
			if signatures[names[sig.KeyID]], err = hex.DecodeString(sig.Sig); err != nil {
				return err
			}
		}
		return verifyDigest(digestOf(digest), signatures)
	})
}

func holdersByID() (map[string]string, error) {
	names := map[string]string{}
	for i := range holders {
		key, err := publicKey(holder(i))
		if err != nil {
			return nil, err
		}
		names[key.ID] = holder(i)
	}
	return names, nil
}

// engineReview compares the payload with what is published, entry by entry.
func engineReview(dir string) error {
	return with(dir, oldFile, func(old *os.File) error {
		return with(dir, payloadFile, func(now *os.File) error {
			s, err := stream.Envelope(old)
			if err != nil {
				return err
			}
			found, err := stream.Compare(s, stream.Payload(now), func(stream.Change) error { return nil })
			if err != nil {
				return err
			}
			if found.Count(stream.Targets, stream.Changed)+found.Count(stream.Roles, stream.Changed)+found.Count(stream.Roles, stream.Added) == 0 {
				return errors.New("nothing differs")
			}
			return nil
		})
	})
}

// engineSeal writes the published file.
func engineSeal(dir string) error {
	var signatures []tufmeta.Signature
	digest := ""
	err := with(dir, payloadFile, func(f *os.File) (err error) {
		if digest, err = drain(stream.Payload(f)); err != nil {
			return err
		}
		signatures, err = sign(digest)
		return err
	})
	if err != nil {
		return err
	}
	return with(dir, payloadFile, func(f *os.File) error {
		return written(dir, func(out io.Writer) error { return stream.Seal(out, f, digest, signatures) })
	})
}

// engineDraft makes the next payload from the published file and the list of
// what changes.
func engineDraft(dir string) error {
	edits, roles, err := changes(dir)
	if err != nil {
		return err
	}
	return with(dir, oldFile, func(f *os.File) error {
		s, err := stream.Envelope(f)
		if err != nil {
			return err
		}
		return written(dir, func(out io.Writer) error {
			w := stream.NewWriter(out)
			if err := stream.Merge(w, s, edits, roles); err != nil {
				return err
			}
			_, err := w.Close()
			return err
		})
	})
}

// written has something write a file, and removes it.
func written(dir string, write func(io.Writer) error) error {
	const name = "written"
	defer os.Remove(filepath.Join(dir, name))
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// change is a line of the list: a target, or a delegation.
type change struct {
	Path   string         `json:"path"`
	Length int64          `json:"length"`
	Hashes map[string]any `json:"hashes"`
	Custom map[string]any `json:"custom"`
	delegation
}

func readChanges(dir string) ([]change, error) {
	var all []change
	err := with(dir, listFile, func(f *os.File) error {
		for d := json.NewDecoder(bufio.NewReader(f)); d.More(); {
			var c change
			if err := d.Decode(&c); err != nil {
				return err
			}
			all = append(all, c)
		}
		return nil
	})
	return all, err
}

// changes gives the list as package stream wants it.
func changes(dir string) (iter.Seq2[stream.Edit, error], func([]byte) ([][]byte, error), error) {
	list, err := readChanges(dir)
	if err != nil {
		return nil, nil, err
	}
	version, err := tufmeta.Encode(int64(newVersion))
	if err != nil {
		return nil, nil, err
	}
	edits := []stream.Edit{{In: stream.Signed, Name: "version", To: stream.Set(version)}}
	roles := &nextRoles{next: map[string][]byte{}}
	for _, c := range list {
		in, name, value := stream.Targets, c.Path, object{"length": c.Length, "hashes": c.Hashes, "custom": c.Custom}
		if c.Role != nil {
			in, name, value = stream.Keys, c.KeyID, c.Key
			if err := roles.add(c.Role); err != nil {
				return nil, nil, err
			}
		}
		text, err := tufmeta.Encode(value)
		if err != nil {
			return nil, nil, err
		}
		edits = append(edits, stream.Edit{In: in, Name: name, To: stream.Set(text)})
	}
	slices.SortFunc(edits, stream.CompareEdits)
	edits = slices.CompactFunc(edits, func(a, b stream.Edit) bool { return stream.CompareEdits(a, b) == 0 })
	each := func(yield func(stream.Edit, error) bool) {
		for _, e := range edits {
			if !yield(e, nil) {
				return
			}
		}
	}
	if len(roles.names) == 0 {
		return each, nil, nil
	}
	return each, roles.pass, nil
}

// nextRoles puts changed roles into the places of those before, and new ones
// at the end.
type nextRoles struct {
	names []string
	next  map[string][]byte
}

func (r *nextRoles) add(role object) error {
	role["threshold"] = int64(1) // a number of JSON is no integer in Go
	text, err := tufmeta.Encode(role)
	if err != nil {
		return err
	}
	name, _ := role["name"].(string)
	r.names = append(r.names, name)
	r.next[name] = text
	return nil
}

func (r *nextRoles) pass(old []byte) ([][]byte, error) {
	if old == nil {
		var more [][]byte
		for _, name := range r.names {
			if text, ok := r.next[name]; ok {
				more = append(more, text)
			}
		}
		return more, nil
	}
	name, err := stream.RoleName(old)
	if err != nil {
		return nil, fmt.Errorf("drafting: %w", err)
	}
	if text, ok := r.next[string(name)]; ok {
		delete(r.next, string(name))
		return [][]byte{text}, nil
	}
	return [][]byte{old}, nil
}
