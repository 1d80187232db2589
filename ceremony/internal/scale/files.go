package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// The files of a size. What is published has the signatures of all holders.
const (
	rootFile    = "root.json"
	oldFile     = "7.targets.json" // published
	payloadFile = "payload.json"   // the bytes of the next version that are signed
	nextFile    = "8.targets.json" // the next version as it is published
	listFile    = "changes.jsonl"  // what changes: a target or a delegation a line
	doneFile    = "made"           // all others are there
)

// makeFiles makes the files of a size in a folder, unless they are there.
func makeFiles(name, dir string) error {
	s, err := sizeNamed(name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, doneFile)); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	signed, err := root()
	if err != nil {
		return err
	}
	if err := seal(dir, rootFile, bytes.NewReader(signed), tufmeta.Digest(signed)); err != nil {
		return err
	}
	for _, now := range []bool{false, true} {
		published := map[bool]string{false: oldFile, true: nextFile}[now]
		if err := makeVersion(s, dir, published, now); err != nil {
			return err
		}
	}
	if err := create(dir, listFile, s.list); err != nil {
		return err
	}
	if err := makeCeremony(s, dir); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, doneFile), nil, 0o644)
}

func create(dir, name string, write func(io.Writer) error) error {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	return errors.Join(write(w), w.Flush(), f.Close())
}

// makeVersion makes a payload and its published file. Only the payload of the
// next version stays.
func makeVersion(s size, dir, published string, now bool) error {
	digest := ""
	err := create(dir, payloadFile, func(out io.Writer) (err error) {
		w := stream.NewWriter(out)
		err = s.each(now, func(in stream.Place, name string, value any) error {
			e := stream.Entry{In: in, Name: []byte(name)}
			if value != nil {
				if e.Value, err = tufmeta.Encode(value); err != nil {
					return err
				}
			}
			return w.Put(e)
		})
		if err != nil {
			return err
		}
		digest, err = w.Close()
		return err
	})
	if err != nil {
		return err
	}
	payload, err := os.Open(filepath.Join(dir, payloadFile))
	if err != nil {
		return err
	}
	defer payload.Close()
	if err := seal(dir, published, payload, digest); err != nil {
		return err
	}
	if !now {
		return os.Remove(payload.Name())
	}
	return nil
}

func seal(dir, name string, payload io.Reader, digest string) error {
	signatures, err := sign(digest)
	if err != nil {
		return err
	}
	return create(dir, name, func(w io.Writer) error { return stream.Seal(w, payload, digest, signatures) })
}

// list writes what the next version changes.
func (s size) list(w io.Writer) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for i := range s.targets {
		if !changed(i) {
			continue
		}
		name, value := target(i, true)
		value["path"] = name
		if err := lines.Encode(value); err != nil {
			return err
		}
	}
	if s.targets > 0 {
		return nil
	}
	changes, err := s.changes()
	if err != nil {
		return err
	}
	for _, d := range changes {
		if err := lines.Encode(d); err != nil {
			return err
		}
	}
	return nil
}

func remove(dir, name string) error { return os.Remove(filepath.Join(dir, name)) }
