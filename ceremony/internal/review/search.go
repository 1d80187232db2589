package review

import (
	"regexp"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// Match is a target or a delegated role that was searched for: one that changes,
// or one that stays.
type Match struct {
	folder.Version
	Change
}

// Search goes through the targets and the delegated roles of all payloads, and of
// the versions that they go on from, and has found see those whose name or content
// matches. What was found is worth nothing if there is an error in the end.
func (r *Report) Search(pattern *regexp.Regexp, found func(Match) error) error {
	for _, d := range r.Documents {
		if d.Role == "root" {
			continue
		}
		_, err := sideBySide(r.files, d, func(c stream.Change) error {
			if c.In != stream.Targets && c.In != stream.Roles || !matches(pattern, c) {
				return nil
			}
			change, err := searched(c)
			if err != nil {
				return err
			}
			return found(Match{d.Version, change})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func matches(pattern *regexp.Regexp, c stream.Change) bool {
	return pattern.Match(c.Name) || pattern.Match(c.Old) || pattern.Match(c.New)
}

// searched shows a target as the review does, and a delegated role as it is signed.
func searched(c stream.Change) (Change, error) {
	if c.In == stream.Targets {
		return targetChange(c)
	}
	value := c.New
	if value == nil {
		value = c.Old
	}
	name, err := stream.RoleName(value)
	change := Change{Mark: marks[c.Kind], What: "delegation " + tufmeta.Printable(string(name))}
	if c.Old != nil {
		change.Old = tufmeta.Printable(string(c.Old))
	}
	if c.New != nil {
		change.New = tufmeta.Printable(string(c.New))
	}
	return change, err
}
