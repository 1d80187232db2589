package projects

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
)

// maxName bounds names: those of the largest index have at most half as much.
const maxName = 200

var projectName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// IsName reports whether a text is the name of a project (PEP 508).
func IsName(name string) bool { return len(name) <= maxName && projectName.MatchString(name) }

// NameRemedy says what a name must be.
const NameRemedy = "write the name as the index has it: ASCII letters and digits, and between them . _ and -"

// Names of roles: those of projects begin with a word and a dot, which no
// normalised name has, so a project called timestamp or claimed is no other role.
const (
	rolePrefix = "project."
	maxRole    = 60
	cutName    = 27 // letters that are left of a name that is too long
	cutDigits  = 24 // of the SHA-256 of the name, in hex
)

var separators = regexp.MustCompile(`[-_.]+`)

// Normalise gives the form in which names of projects are compared (PEP 503).
func Normalise(project string) string {
	return strings.ToLower(separators.ReplaceAllString(project, "-"))
}

// Name is the normalised name.
func (e Entry) Name() string { return Normalise(e.Project) }

// Role is the name of the delegated role.
func (e Entry) Role() string { return Role(e.Project) }

// Role is the name of a project's delegated role: "project." and the normalised
// name or, of one with more than 52 letters, its first 27, a dot and the first 24
// hex digits of its SHA-256.
func Role(project string) string {
	name := Normalise(project)
	if len(rolePrefix)+len(name) <= maxRole {
		return rolePrefix + name
	}
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%s%s.%.*x", rolePrefix, name[:cutName], cutDigits/2, sum[:])
}

// nameOf gives the normalised name of the project that a delegated role is for:
// from its own name or, of a long one, from the part of its paths that it must
// be. It is empty for a role that is no project's.
func nameOf(role string, paths []string) string {
	name, ok := strings.CutPrefix(role, rolePrefix)
	if !ok || name == "" {
		return ""
	}
	if !strings.Contains(name, ".") {
		return name
	}
	for _, path := range paths {
		for part := range strings.SplitSeq(path, "/") {
			if IsName(part) && Role(part) == role {
				return Normalise(part)
			}
		}
	}
	return ""
}
