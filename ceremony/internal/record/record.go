// Package record keeps the account of what was done: one file a machine and
// sitting in the folder's record/, one line an act, each with the SHA-256 of
// the line before it.
//
//	err := record.Append(dir, sitting, record.Line{Act: "sign", ...})
//	chains, err := record.Read(files)
//
// The chain shows that no line was taken out or changed while others were
// kept; it does not show who wrote it, which the signatures do. Merging is a
// union of files. A line is added by writing the file anew beside the old one
// and renaming, so a kill leaves the chain as it was or one line longer.
//
// It will not read a clock or the machine: time, sitting and the program's own
// digest come from the caller.
package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
)

// Line is one act. Times are UTC to the second, digests SHA-256 in hex. Fields
// that an act does not have are left out.
type Line struct {
	Act     string         `json:"act"` // "draft", "sign", "found", "merge", "destroy", "abort"
	At      string         `json:"at"`
	Binary  Binary         `json:"binary"`
	Event   string         `json:"event"`
	Role    string         `json:"role,omitempty"`
	Version int64          `json:"version,omitempty"`
	Digest  string         `json:"digest,omitempty"` // of the payload
	Token   string         `json:"token,omitempty"`
	Device  string         `json:"device,omitempty"`
	KeyIDs  []string       `json:"keyids,omitempty"`
	Taken   []string       `json:"taken,omitempty"` // files that a merge took
	Waivers []check.Waiver `json:"waivers,omitempty"`
	Reason  string         `json:"reason,omitempty"` // of an abort, in the words of whoever aborted
	Prev    string         `json:"prev"`             // of the line before, or 64 zeros
}

// Binary is the program that acted.
type Binary struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// Chain is a file of the record.
type Chain struct {
	Name  string
	Lines []Line
}

// none is what the first line of a chain has for the line before it.
var none = strings.Repeat("0", 64)

// Sitting makes the name of a chain from what tells one machine and sitting
// from another: the boot, the host, the place of the folder.
func Sitting(parts ...string) string {
	return tufmeta.Digest([]byte(strings.Join(parts, "\x00")))[:16]
}

// Append adds lines to the chain of this sitting, all of them or none.
func Append(dir, sitting string, lines ...Line) error {
	file := filepath.Join(dir, folder.Record, sitting+".jsonl")
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the record: %w", err)
	}
	prev, err := head(old)
	if err != nil {
		return fmt.Errorf("adding to the record %q: %w", filepath.Base(file), err)
	}
	chain := bytes.Clone(old)
	for _, line := range lines {
		line.Prev = prev
		text, err := encode(line)
		if err != nil {
			return fmt.Errorf("adding to the record: %w", err)
		}
		prev = tufmeta.Digest(text)
		chain = append(append(chain, text...), '\n')
	}
	return durable.Replace(file, chain)
}

// head is the digest of the last line of a chain, whose form it checks.
func head(data []byte) (string, error) {
	lines, err := parse(data)
	if err != nil || len(lines) == 0 {
		return none, err
	}
	text := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	return tufmeta.Digest(text[len(text)-1]), nil
}

// encode writes a line as JSON, with nothing escaped but what JSON wants.
func encode(line Line) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(line)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func parse(data []byte) ([]Line, error) {
	var lines []Line
	prev := none
	for n := 1; len(data) > 0; n++ {
		text, rest, whole := bytes.Cut(data, []byte("\n"))
		var line Line
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&line); err != nil || !whole || d.More() {
			return nil, fmt.Errorf("line %d is not a line of record", n)
		}
		if again, err := encode(line); err != nil || !bytes.Equal(again, text) {
			return nil, fmt.Errorf("line %d is not written as a line of record is", n)
		}
		if line.Prev != prev {
			return nil, fmt.Errorf("line %d does not continue the line before it", n)
		}
		lines, prev, data = append(lines, line), tufmeta.Digest(text), rest
	}
	return lines, nil
}

// Read gives all chains of the folder and a RECORD-BROKEN for each that does
// not hold.
func Read(files folder.Files) ([]Chain, []check.Result) {
	var chains []Chain
	var broken []check.Result
	for _, name := range files.Names(folder.Record) {
		lines, err := parse(files[name])
		if err != nil {
			broken = append(broken, check.New("RECORD-BROKEN", name, "%v", err))
			continue
		}
		chains = append(chains, Chain{path.Base(name), lines})
	}
	return chains, broken
}

// Drafted gives the events that were drafted in this folder: one, if all is
// well, and those before it whose record was taken over.
func Drafted(chains []Chain) []string {
	var events []string
	for _, c := range chains {
		for _, l := range c.Lines {
			if l.Act == "draft" {
				events = append(events, l.Event)
			}
		}
	}
	return events
}

// Aborted gives the lines by which an event was given up.
func Aborted(chains []Chain, event string) []Line {
	var lines []Line
	for _, c := range chains {
		for _, l := range c.Lines {
			if l.Act == "abort" && l.Event == event {
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// Signed gives the lines by which something was signed, of whichever event.
func Signed(chains []Chain) []Line {
	var lines []Line
	for _, c := range chains {
		for _, l := range c.Lines {
			if l.Act == "sign" || l.Act == "found" {
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// Destroyed reports whether the destruction of a token's key is on record.
func Destroyed(chains []Chain, event, token string) bool {
	for _, c := range chains {
		for _, l := range c.Lines {
			if l.Act == "destroy" && l.Event == event && l.Token == token {
				return true
			}
		}
	}
	return false
}

// Has reports whether an act on a payload with a key ID is on record.
func Has(chains []Chain, act, digest, keyID string) bool {
	for _, c := range chains {
		for _, l := range c.Lines {
			if l.Act == act && l.Digest == digest && slices.Contains(l.KeyIDs, keyID) {
				return true
			}
		}
	}
	return false
}

// Merge decides what becomes of a chain from another copy of the folder. It
// returns the name under which to write it, or "" where there is nothing new.
// Two chains of one name that went different ways are both kept: the other
// one's name is extended by its digest.
func Merge(files folder.Files, name string, theirs []byte) (string, error) {
	if _, err := parse(theirs); err != nil {
		return "", fmt.Errorf("merging the record %q: %w", name, err)
	}
	ours, ok := files[name]
	switch {
	case !ok || bytes.HasPrefix(theirs, ours) && len(theirs) > len(ours):
		return name, nil
	case bytes.HasPrefix(ours, theirs):
		return "", nil
	}
	sum := tufmeta.Digest(theirs)[:8]
	return strings.TrimSuffix(name, ".jsonl") + "-" + sum + ".jsonl", nil
}
