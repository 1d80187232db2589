// Package folder knows the ceremony folder: which files it has, how they are
// named, and the event ID that stands for plan, trusted metadata and payloads.
//
//	files, err := folder.Read("rotation")
//	event, err := files.Event()
//
// The content is read once, as a whole, so that what is reviewed and what is
// signed are the same bytes even if the medium changes in between. A bundle
// has the same files, so whatever works on a folder works on a bundle.
//
// The folder lies on a removable medium that anybody may have written to.
// Links, odd names and large files are refused, permissions are not looked at.
package folder

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/spool"
	"tufceremony/ceremony/internal/tufmeta"
)

// Names of the folder's parts.
const (
	Plan       = "plan.yaml"
	Keys       = "keys"
	Lists      = "lists"
	Trusted    = "trusted"
	External   = "external"
	Payload    = "payload"
	Signatures = "signatures"
	Metadata   = "metadata"
	Record     = "record"
	Destroyed  = "destroyed"
)

// Parts are the files and folders that a ceremony folder has.
var Parts = []string{Plan, Keys, Lists, Trusted, External, Payload, Signatures, Metadata, Record, Destroyed}

// maxFile bounds what is read; what is large is not held in memory.
const maxFile = 2 << 30

// Files is the content of a ceremony folder, by slash-separated path.
type Files map[string][]byte

// name is what a file may be called: what FAT, exFAT and every shell take.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// reserved are names that Windows, which shares these media, keeps for devices.
var reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$`)

// SafeName reports whether a file may have this name on the medium.
func SafeName(s string) bool {
	return name.MatchString(s) && !reserved.MatchString(s) && !strings.HasSuffix(s, ".")
}

// Read takes in a ceremony folder. What a killed process left half-written is
// passed over.
func Read(dir string) (Files, error) {
	files := Files{}
	if _, err := os.Stat(filepath.Join(dir, Plan)); err != nil {
		return nil, fmt.Errorf("opening the ceremony folder %q: it has no %s", dir, Plan)
	}
	for _, part := range Parts {
		if err := files.take(dir, part); err != nil {
			return nil, fmt.Errorf("reading the ceremony folder %q: %w", dir, err)
		}
	}
	return files, nil
}

func (f Files) take(dir, part string) error {
	full := filepath.Join(dir, filepath.FromSlash(part))
	info, err := os.Lstat(full)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().IsRegular():
		return f.file(full, part, info.Size())
	case !info.IsDir():
		return fmt.Errorf("%q is neither a file nor a folder: links and devices have no place here", part)
	}
	entries, err := os.ReadDir(full)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case durable.IsPartial(e.Name()) || strings.HasPrefix(e.Name(), "._") || e.Name() == ".DS_Store":
			continue // ours, and what macOS strews on FAT
		case !SafeName(e.Name()):
			return fmt.Errorf("file name %q in %q: letters, digits, dot, dash and underscore are allowed", tufmeta.Printable(e.Name()), part)
		case strings.Count(part, "/") > 1:
			return fmt.Errorf("folder %q is nested too deep", part)
		}
		if err := f.take(dir, part+"/"+e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (f Files) file(full, part string, size int64) error {
	if size > maxFile {
		return fmt.Errorf("%q has %d bytes, and %d is the most that is read", part, size, maxFile)
	}
	data, err := spool.ReadFile(full)
	if err != nil {
		return err
	}
	f[part] = data
	return nil
}

// Names lists the files below a part of the folder, in the order of bytes.
func (f Files) Names(part string) []string {
	var names []string
	for name := range f {
		if name == part || strings.HasPrefix(name, part+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Version is a role's name and version, as file names have them.
type Version struct {
	Role    string
	Version int64
}

// String gives "13.root", the form of file names.
func (v Version) String() string { return fmt.Sprintf("%d.%s", v.Version, v.Role) }

// File gives "13.root.json".
func (v Version) File() string { return v.String() + ".json" }

// ParseVersion reads the name of a metadata or payload file.
func ParseVersion(file string) (Version, error) {
	number, role, ok := strings.Cut(strings.TrimSuffix(path.Base(file), ".json"), ".")
	n, err := strconv.ParseInt(number, 10, 64)
	v := Version{role, n}
	if !ok || err != nil || n < 1 || role == "" || v.File() != path.Base(file) {
		return Version{}, fmt.Errorf("file name \"%s\": VERSION.ROLE.json is wanted", tufmeta.Printable(file))
	}
	return v, nil
}

// Compare puts root first and targets second, then goes by role and version.
func Compare(a, b Version) int {
	return cmp.Or(cmp.Compare(rank(a.Role), rank(b.Role)), strings.Compare(a.Role, b.Role), cmp.Compare(a.Version, b.Version))
}

func rank(role string) int {
	if i := slices.Index([]string{"root", "targets"}, role); i >= 0 {
		return i
	}
	return 2
}

// Versions lists the metadata files below a part, in the order of Compare.
func (f Files) Versions(part string) ([]Version, error) {
	var versions []Version
	for _, name := range f.Names(part) {
		v, err := ParseVersion(name)
		if err != nil {
			return nil, err
		}
		if name != part+"/"+v.File() {
			return nil, fmt.Errorf("file \"%s\": it lies in a folder where none has a place", tufmeta.Printable(name))
		}
		versions = append(versions, v)
	}
	slices.SortFunc(versions, Compare)
	return versions, nil
}

// Externals lists the roots of other repositories, "external/NAME/12.root.json",
// by NAME and in ascending order of version.
func (f Files) Externals() (map[string][]Version, error) {
	all := map[string][]Version{}
	for _, file := range f.Names(External) {
		parts := strings.Split(file, "/")
		v, err := ParseVersion(file)
		if err != nil || len(parts) != 3 || v.Role != "root" {
			return nil, fmt.Errorf("file \"%s\": %s/ has roots of other repositories, as NAME/VERSION.root.json, and nothing else", tufmeta.Printable(file), External)
		}
		all[parts[1]] = append(all[parts[1]], v)
	}
	for _, versions := range all {
		slices.SortFunc(versions, Compare)
	}
	return all, nil
}

// ExternalFile is where a root of another repository lies.
func ExternalFile(name string, version int64) string {
	return path.Join(External, name, Version{"root", version}.File())
}

// Event identifies what is decided: plan, public keys, lists of targets,
// trusted metadata, roots of other repositories, and payloads.
// Its zero value is no event.
type Event [sha256.Size]byte

// Event computes the event ID: the SHA-256 of what sha256sum prints for
// plan.yaml and the files in external/, keys/, lists/, payload/ and trusted/,
// sorted by name. (The
// keys say who is who: with two of them exchanged a signature would be shown as
// somebody else's.) Anybody
// can compute it with the commands of docs/formats.md.
func (f Files) Event() Event {
	digests := map[string]string{}
	for _, part := range []string{External, Keys, Lists, Payload, Plan, Trusted} {
		for _, name := range f.Names(part) {
			digests[name] = tufmeta.Digest(f[name])
		}
	}
	return EventOf(digests)
}

// EventOf computes an event ID from SHA-256 digests in hex by file name.
func EventOf(digests map[string]string) Event {
	var listing strings.Builder
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		fmt.Fprintf(&listing, "%s  %s\n", digests[name], name)
	}
	return sha256.Sum256([]byte(listing.String()))
}

func (e Event) String() string { return hex.EncodeToString(e[:]) }

// Words are the first four words of the event ID: what a holder types to
// approve what the review has just shown. Four words are 32 bits, and whoever
// may choose the content quickly finds another with the same ones, so nothing
// relies on them alone: all of the ID is shown at review, and read aloud.
func (e Event) Words() string { return tufmeta.Words(e[:4]) }

// IsZero reports that no event was computed.
func (e Event) IsZero() bool { return e == Event{} }
