// Package projects reads lists of projects that a role is to delegate to, each
// with the public keys of its developers and their proofs that they have the
// private halves, and looks for what must not be signed unseen.
//
//	entries, err := projects.Parse("lists/claimed.jsonl", data)
//	l := projects.NewLinter(projects.Scope{Repository: "example.org", Role: "claimed"}, entries)
//	l.Against(trusted.Delegations, withdrawn)
//	results := check.Draft.Weigh(l.Results())
//
// A list is JSON lines, an object a project:
//
//	{"project":"requests","threshold":1,"until":"2027-12-31","paths":["requests/*"],"keys":[{"public":"-----BEGIN PUBLIC KEY-----\n…","proof":"MEUC…"}]}
//
// Each project becomes a delegated role of its own (Role), which is terminating.
//
// An error of Parse names file and line. The package will not correct a name,
// pass over a line, or say whose a project is: that the developers of a project
// are those who have the keys is known to whoever makes the list. It needs time
// and memory as the list is long, and only time as what is delegated already is.
package projects

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/manifest"
	"tufceremony/ceremony/internal/tufmeta"
)

// Entry is one project: how its name is written in the list, the patterns of the
// paths that are its own, how many of its keys must sign, the last day on which
// the proofs are good, 2027-12-31, and the keys.
type Entry struct {
	Project   string
	Paths     []string
	Threshold int
	Until     string
	Keys      []Key
}

// Key is a developer's: the public half as PEM SubjectPublicKeyInfo, as the list
// has it, and a signature over the Statement about it, nil where there is none.
type Key struct {
	PEM   string
	Proof []byte
}

// Public reads the key. What it is listed as does not depend on how its PEM is
// written. Of an RSA key that is too short, or an Ed25519 key of small
// order, the error is a tufmeta.ErrWeak.
func (k Key) Public() (*tufmeta.Key, error) {
	public, err := tufmeta.ParsePEM([]byte(k.PEM))
	if err != nil {
		return nil, err
	}
	return tufmeta.NewListedKey(public)
}

// fault is what is wrong with a line.
type fault struct{ problem, remedy string }

// Parse reads a list.
func Parse(name string, data []byte) ([]Entry, error) {
	if len(data) == 0 {
		return nil, &manifest.Error{File: name, Problem: "is empty", Remedy: "list at least one project, or take the list out of the plan"}
	}
	text, whole := bytes.CutSuffix(data, []byte("\n"))
	var entries []Entry
	first := map[string]int{}
	number := 0
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		number++
		e, bad := object(line)
		if bad == nil {
			bad = e.judge()
		}
		if before := first[e.Role()]; bad == nil && before > 0 {
			bad = &fault{fmt.Sprintf("project \"%s\" stands in line %d already, as \"%s\"", tufmeta.Printable(e.Project), before, tufmeta.Printable(entries[before-1].Project)), "list each project once: upper and lower case, and - _ and . between letters, make no difference"}
		}
		if bad != nil {
			return nil, &manifest.Error{File: name, Line: number, Problem: bad.problem, Remedy: bad.remedy}
		}
		first[e.Role()] = number
		entries = append(entries, e)
	}
	if !whole {
		return nil, &manifest.Error{File: name, Line: number, Problem: "ends without a line feed: the file may be cut short", Remedy: "get the whole file; each line ends with a line feed, the last one too"}
	}
	return entries, nil
}

const lineRemedy = `write one object a line, like {"project":"requests","threshold":1,"until":"2027-12-31","paths":["requests/*"],"keys":[{"public":"-----BEGIN …","proof":"MEUC…"}]}`

var (
	members    = []string{"keys", "paths", "project", "threshold", "until"}
	keyMembers = []string{"proof", "public"}
	errObject  = errors.New("is not an object")
)

// object reads a line of JSON. A member that is not known is an error: it would
// not reach the metadata.
func object(line []byte) (Entry, *fault) {
	wrong := func(format string, args ...any) (Entry, *fault) {
		return Entry{}, &fault{fmt.Sprintf(format, args...), lineRemedy}
	}
	v, err := tufmeta.Parse(line)
	if err != nil {
		return wrong("%v", err)
	}
	o, err := known(v, members)
	if err != nil {
		return wrong("%v", err)
	}
	e, ok := Entry{}, false
	if e.Project, ok = o["project"].(string); !ok {
		return wrong("has no project that is text")
	}
	threshold, ok := o["threshold"].(int64)
	if !ok {
		return wrong("has no threshold that is a number")
	}
	if e.Threshold = int(threshold); int64(e.Threshold) != threshold || e.Threshold < 1 {
		return wrong("threshold is %d", threshold)
	}
	if e.Until, _ = o["until"].(string); !isDay(e.Until) {
		return wrong("has no until that is a day, as 2027-12-31")
	}
	paths, _ := o["paths"].([]any)
	for _, v := range paths {
		path, ok := v.(string)
		if !ok {
			return wrong("has a path that is no text")
		}
		e.Paths = append(e.Paths, path)
	}
	keys, _ := o["keys"].([]any)
	for i, v := range keys {
		k, err := key(v)
		if err != nil {
			return wrong("keys[%d] %v", i, err)
		}
		e.Keys = append(e.Keys, k)
	}
	return e, nil
}

func key(v any) (Key, error) {
	o, err := known(v, keyMembers)
	if err != nil {
		return Key{}, err
	}
	k, ok := Key{}, false
	if k.PEM, ok = o["public"].(string); !ok {
		return k, errors.New("has no public that is text")
	}
	proof, there := o["proof"]
	if !there {
		return k, nil
	}
	text, _ := proof.(string)
	if k.Proof, err = base64.StdEncoding.Strict().DecodeString(text); err != nil || len(k.Proof) == 0 || strings.ContainsAny(text, "\r\n") {
		return k, errors.New("has a proof that is not base64 in one line, as `openssl base64 -A` writes it")
	}
	return k, nil
}

func known(v any, members []string) (map[string]any, error) {
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errObject
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(members, name) {
			return nil, fmt.Errorf("has a member \"%s\", which has no place there", tufmeta.Printable(name))
		}
	}
	return o, nil
}

// judge looks at what each line must have right by itself.
func (e Entry) judge() *fault {
	if !IsName(e.Project) {
		return &fault{fmt.Sprintf("project is \"%s\"", tufmeta.Printable(e.Project)), NameRemedy}
	}
	if len(e.Paths) == 0 || len(e.Keys) == 0 {
		return &fault{fmt.Sprintf("project \"%s\" has no paths, or no keys", e.Project), lineRemedy}
	}
	if e.Threshold > len(e.Keys) {
		return &fault{fmt.Sprintf("project \"%s\" has a threshold of %d, and %d keys", e.Project, e.Threshold, len(e.Keys)), "lower the threshold or list more keys"}
	}
	seen := map[string]bool{}
	for _, path := range e.Paths {
		switch {
		case !manifest.PlainPattern(path):
			return &fault{fmt.Sprintf("project \"%s\" has the path \"%s\"", e.Project, tufmeta.Printable(path)), manifest.PatternRemedy}
		case seen[path]:
			return &fault{fmt.Sprintf("project \"%s\" has the path \"%s\" twice", e.Project, path), "write each path once"}
		}
		seen[path] = true
	}
	return nil
}

// Text writes a list, as Parse reads it.
func Text(entries []Entry) ([]byte, error) {
	var out bytes.Buffer
	for _, e := range entries {
		keys := []any{}
		for _, k := range e.Keys {
			o := map[string]any{"public": k.PEM}
			if k.Proof != nil {
				o["proof"] = base64.StdEncoding.EncodeToString(k.Proof)
			}
			keys = append(keys, o)
		}
		paths := []any{}
		for _, path := range e.Paths {
			paths = append(paths, path)
		}
		line, err := tufmeta.Encode(map[string]any{"project": e.Project, "threshold": int64(e.Threshold), "until": e.Until, "paths": paths, "keys": keys})
		if err != nil {
			return nil, fmt.Errorf("writing a list of projects: \"%s\": %w", tufmeta.Printable(e.Project), err)
		}
		out.Write(tufmeta.JSON(line))
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}
