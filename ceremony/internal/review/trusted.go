package review

import (
	"bytes"
	"fmt"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/tufmeta"
)

// GoesOnFrom compares trusted/ with a root that somebody has brought from
// elsewhere: it must be one of those in trusted/, or lead to them. What is
// compared is what was signed, since published copies differ in white space.
func (r *Report) GoesOnFrom(brought []byte) error {
	env, err := tufmeta.ParseEnvelope(brought)
	if err != nil {
		return fmt.Errorf("reading the root that was brought: %w", err)
	}
	root, err := tufmeta.ParseRoot(env.Signed)
	if err != nil {
		return fmt.Errorf("reading the root that was brought: %w", err)
	}
	versions, err := r.files.Versions(folder.Trusted)
	if err != nil {
		return err
	}
	chain := []inspect.File{{Name: "the root that was brought", Data: brought}}
	newest := int64(0)
	for _, v := range versions {
		data := r.files[folder.Trusted+"/"+v.File()]
		switch {
		case v.Role != "root" || v.Version < root.Version:
			continue
		case v.Version > root.Version:
			chain = append(chain, inspect.File{Name: v.File(), Data: data})
		default:
			here, err := tufmeta.ParseEnvelope(data)
			if err != nil {
				return err
			}
			if !bytes.Equal(here.Canonical, env.Canonical) {
				return anotherRoot("trusted/ has another root %d than the one that was brought", root.Version)
			}
		}
		newest = v.Version
	}
	if newest < root.Version {
		return anotherRoot("trusted/ has no root %d, which was brought", root.Version)
	}
	roots, err := inspect.Chain(chain, r.Plan.Opens)
	if err != nil {
		return err
	}
	return check.Refuse(roots.Broken)
}

func anotherRoot(format string, args ...any) error {
	return check.Refused("EVENT-MISMATCH", "trusted root", format, args...)
}
