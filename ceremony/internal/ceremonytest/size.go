package ceremonytest

import (
	"fmt"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/folder"
)

// Wide is what is Trusted, with a field in root and in targets that has so many
// characters: other tools have fields of their own, which a ceremony keeps.
func Wide(t testing.TB, root, targets int) folder.Files {
	t.Helper()
	field := func(size int) func(map[string]any) {
		return func(signed map[string]any) { Widen(signed, size) }
	}
	return Other(t, field(root), field(targets))
}

// Widen adds so many bytes to a document, besides those of the fields that it
// adds always: eight, since no field may be a megabyte long.
func Widen(signed map[string]any, size int) {
	const fields = 8
	for i := range fields {
		signed[fmt.Sprintf("x-wide-%d", i)] = strings.Repeat("x", (size+i)/fields)
	}
}

// Other is what is Trusted with another root and other targets, signed by the
// same holders.
func Other(t testing.TB, root, targets func(signed map[string]any)) folder.Files {
	t.Helper()
	c := Genesis(t)
	c.Payloads()
	c.Edit("1.root.json", root)
	c.Edit("1.targets.json", targets)
	c.Record()
	for _, role := range []string{"root", "targets"} {
		for _, holder := range []string{"holder-1", "holder-2", "holder-3"} {
			c.Force(folder.Version{Role: role, Version: 1}, holder, Object(t, holder).ID)
		}
	}
	sealed := c.Seal()
	return folder.Files{
		folder.Trusted + "/1.root.json":    sealed[folder.Metadata+"/1.root.json"],
		folder.Trusted + "/1.targets.json": sealed[folder.Metadata+"/1.targets.json"],
	}
}
