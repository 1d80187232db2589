// Package manifest reads lists of targets that are too long to stand in a plan:
// of each its path, length, hashes and custom metadata.
//
//	entries, err := manifest.Parse("lists/targets.jsonl", data)
//
// A list is JSON lines, an object a target:
//
//	{"path":"a/b.tar.gz","length":12,"hashes":{"sha256":"…"},"custom":{…}}
//
// What sha256sum prints can be read as well (Sums), but it has no lengths, and
// clients want them: it becomes a list where the files are at hand.
//
// An error names file and line (*Error). The package will not correct a path,
// pass over a line, or look at the files that a list names.
package manifest

import (
	"bytes"
	"crypto/sha512"
	"fmt"
	"maps"
	pathpkg "path"
	"regexp"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/tufmeta"
)

// Entry is one target: its path in the repository, its length in bytes, its
// hashes in lower-case hex, and what its publisher says of it besides.
type Entry struct {
	Path   string
	Length int64 // -1 where the list does not say
	SHA256 string
	SHA512 string         // empty where it is not listed
	Custom map[string]any // nil where there is none
}

// Is reports whether data is the file that an entry describes.
func (e Entry) Is(data []byte) bool {
	if e.SHA512 != "" && fmt.Sprintf("%x", sha512.Sum512(data)) != e.SHA512 {
		return false
	}
	return tufmeta.Digest(data) == e.SHA256 && int64(len(data)) == e.Length
}

// Error is one fault of a list: where it stands and what to write instead.
type Error struct {
	File    string
	Line    int // from 1; 0 where the fault is the file's as a whole
	Problem string
	Remedy  string
}

func (e *Error) Error() string {
	at := tufmeta.Printable(e.File)
	if e.Line > 0 {
		at = fmt.Sprintf("%s, line %d", at, e.Line)
	}
	return at + ": " + e.Problem
}

// Hint is the remedy.
func (e *Error) Hint() string { return e.Remedy }

// Parse reads a list in JSON lines.
func Parse(name string, data []byte) ([]Entry, error) {
	return lines(name, data, object)
}

// IsSums tells what sha256sum prints from JSON lines.
func IsSums(data []byte) bool {
	return !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
}

// Sums reads what sha256sum prints. The lengths are not known.
func Sums(name string, data []byte) ([]Entry, error) {
	return lines(name, data, sum)
}

// fault is what is wrong with a line.
type fault struct{ problem, remedy string }

func lines(name string, data []byte, read func(line string) (Entry, *fault)) ([]Entry, error) {
	if len(data) == 0 {
		return nil, &Error{File: name, Problem: "is empty", Remedy: "list at least one target, or take the list out of the plan"}
	}
	text, whole := strings.CutSuffix(string(data), "\n")
	var entries []Entry
	first := map[string]int{}
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		e, bad := read(line)
		if bad == nil {
			bad = e.judge()
		}
		if before := first[e.Path]; bad == nil && before > 0 {
			bad = &fault{fmt.Sprintf("path \"%s\" stands in line %d already", tufmeta.Printable(e.Path), before), "list each path once"}
		}
		if bad != nil {
			return nil, &Error{name, number, bad.problem, bad.remedy}
		}
		first[e.Path] = number
		entries = append(entries, e)
	}
	if !whole {
		return nil, &Error{name, number, "ends without a line feed: the file may be cut short", "get the whole file; each line ends with a line feed, the last one too"}
	}
	return entries, nil
}

const lineRemedy = `write one object a line, like {"path":"a/b","length":12,"hashes":{"sha256":"…"}}`

var members = []string{"custom", "hashes", "length", "path"}

// object reads a line of JSON. A member that is not known is an error: it
// would not reach the metadata.
func object(line string) (Entry, *fault) {
	wrong := func(format string, args ...any) (Entry, *fault) {
		return Entry{}, &fault{fmt.Sprintf(format, args...), lineRemedy}
	}
	v, err := tufmeta.Parse([]byte(line))
	if err != nil {
		return wrong("%v", err)
	}
	o, ok := v.(map[string]any)
	if !ok {
		return wrong("is not an object")
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(members, name) {
			return wrong("has a member \"%s\", which is none of a target's", tufmeta.Printable(name))
		}
	}
	e := Entry{Length: -1}
	if e.Path, ok = o["path"].(string); !ok {
		return wrong("has no path that is text")
	}
	if e.Length, ok = o["length"].(int64); !ok {
		return wrong("has no length that is a number")
	}
	if e.Length < 0 {
		return wrong("length is %d", e.Length)
	}
	hashes, ok := o["hashes"].(map[string]any)
	if !ok {
		return wrong("has no hashes")
	}
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		text, _ := hashes[name].(string)
		switch name {
		case "sha256":
			e.SHA256 = text
		case "sha512":
			if e.SHA512 = text; !sha512hex.MatchString(text) {
				return wrong("sha512 is \"%s\", and 128 digits in lower-case hex are wanted", tufmeta.Printable(text))
			}
		default:
			return wrong("has a hash \"%s\", and sha256 and sha512 are those that clients verify", tufmeta.Printable(name))
		}
	}
	if custom, there := o["custom"]; there {
		if e.Custom, ok = custom.(map[string]any); !ok {
			return wrong("custom is not an object")
		}
	}
	return e, nil
}

var (
	sha256hex = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sha512hex = regexp.MustCompile(`^[0-9a-f]{128}$`)
	sumLine   = regexp.MustCompile(`^([0-9a-fA-F]{64}) [ *](.+)$`)
)

// sum reads a line of sha256sum. Names with a backslash or a line feed, before
// which it writes a backslash, are none that a target may have.
func sum(line string) (Entry, *fault) {
	m := sumLine.FindStringSubmatch(line)
	if m == nil {
		return Entry{}, &fault{"is not a line as sha256sum writes it", "a line is 64 digits, two blanks and a path; make the list again with `sha256sum`"}
	}
	return Entry{Path: strings.TrimPrefix(m[2], "./"), Length: -1, SHA256: m[1]}, nil
}

// judge looks at what every list must have right.
func (e Entry) judge() *fault {
	switch {
	case !Plain(e.Path):
		return &fault{fmt.Sprintf("path is \"%s\"", tufmeta.Printable(e.Path)), PathRemedy}
	case tufmeta.Unsafe(e.Path) || tufmeta.Padded(e.Path):
		return &fault{fmt.Sprintf("path \"%s\" has control, bidirectional or invisible characters, or blanks that do not show: TEXT-UNSAFE", tufmeta.Printable(e.Path)), "rename the target"}
	case strings.IndexFunc(e.Path, func(r rune) bool { return r > 0x7e }) >= 0:
		return &fault{fmt.Sprintf("path \"%s\" is not ASCII, and clients sort such names differently: JSON-STRICT", tufmeta.Printable(e.Path)), "rename the target"}
	case !sha256hex.MatchString(e.SHA256):
		return &fault{fmt.Sprintf("sha256 is \"%s\"", tufmeta.Printable(e.SHA256)), "write the 64 digits that sha256sum prints, in lower case"}
	}
	return nil
}

// PathRemedy says what a path must be.
const PathRemedy = `write the path as clients ask for it: relative and plain, with no .., \, ?, # or % in it`

// Plain reports whether a path may be that of a target: clients put it into a
// URL and into the name of a file.
func Plain(path string) bool {
	return path != "" && path != "." && path == pathpkg.Clean(path) && !strings.HasPrefix(path, "/") && path != ".." && !strings.HasPrefix(path, "../") && !strings.ContainsAny(path, `\?#%`)
}

// PatternRemedy says what a pattern must be.
const PatternRemedy = "write a relative path in which * and ? stand for letters within one part; what else has a meaning in patterns, as [ ] { } ! and **, clients read differently"

var patternText = regexp.MustCompile(`^[A-Za-z0-9._~+=@,:/ *?-]+$`)

// PlainPattern reports whether all clients read a pattern of paths alike. Each
// uses its own language's matcher: brackets, braces, a leading ! and ** mean
// something in one and not in the next.
func PlainPattern(pattern string) bool {
	for part := range strings.SplitSeq(pattern, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return patternText.MatchString(pattern) && !strings.Contains(pattern, "**") && !tufmeta.Padded(pattern)
}

// Text writes a list in JSON lines, as Parse reads it.
func Text(entries []Entry) ([]byte, error) {
	var out bytes.Buffer
	for _, e := range entries {
		hashes := map[string]any{"sha256": e.SHA256}
		if e.SHA512 != "" {
			hashes["sha512"] = e.SHA512
		}
		o := map[string]any{"path": e.Path, "length": e.Length, "hashes": hashes}
		if e.Custom != nil {
			o["custom"] = e.Custom
		}
		line, err := tufmeta.Encode(o)
		if err != nil {
			return nil, fmt.Errorf("writing a list of targets: \"%s\": %w", tufmeta.Printable(e.Path), err)
		}
		out.Write(tufmeta.JSON(line))
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}
