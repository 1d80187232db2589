package main

import (
	"fmt"
	"io"

	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

// printExternals says from which other repositories keys are imported: why their
// first root is believed, and which of their roots has the keys.
func printExternals(w io.Writer, r *review.Report) {
	for i := range r.Externals {
		x := &r.Externals[i]
		fmt.Fprintln(w)
		if x.Newest == nil {
			wrapTo(w, "", "", fmt.Sprintf("External %s: its roots cannot be used, see the refusals.", x.Name))
			continue
		}
		wrapTo(w, "", "  ", fmt.Sprintf("External %s: keys of its root %d, where %d of %d sign targets. That root is good until %s. Compare with what that repository publishes the SHA-256 of external/%s/%d.root.json:",
			x.Name, x.Newest.Version, x.Threshold(), len(x.Keys()), tufmeta.Printable(x.Newest.Expires), x.Name, x.Newest.Version))
		printDigest(w, x.File.Digest)
		wrapTo(w, "  ", "  ", fmt.Sprintf("It is believed from its root %d on, because the plan says where that was obtained: \"%s\". Compare with that source the SHA-256 of external/%s/%d.root.json:",
			x.Root, tufmeta.Printable(x.Source), x.Name, x.Root))
		printDigest(w, x.SHA256)
	}
}

// reportExternal is another repository, for machines.
type reportExternal struct {
	Name      string   `json:"name"`
	Source    string   `json:"source"`
	First     int64    `json:"first"`
	SHA256    string   `json:"sha256"`
	Words     string   `json:"words"`
	Newest    int64    `json:"newest"`
	Digest    string   `json:"newest_sha256"`
	Until     string   `json:"newest_words"`
	Root      int64    `json:"root"` // 0: the roots cannot be used
	Expires   string   `json:"expires,omitempty"`
	Threshold int      `json:"threshold"`
	Keys      []string `json:"keys"`
}

func externalsJSON(externals []review.External) []reportExternal {
	var out []reportExternal
	for i := range externals {
		x := &externals[i]
		report := reportExternal{Name: x.Name, Source: x.Source, First: x.Root, SHA256: x.SHA256, Words: x.Words, Newest: x.NewestRoot, Digest: x.NewestSHA256, Until: x.Until, Threshold: x.Threshold(), Keys: append([]string{}, x.Keys()...)}
		if x.Newest != nil {
			report.Root, report.Expires = x.Newest.Version, x.Newest.Expires
		}
		out = append(out, report)
	}
	return out
}
