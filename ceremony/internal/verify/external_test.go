package verify_test

import (
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/verify"
)

// Where every holder signs what is not as the other repository's root says, or a
// chain that is none, verification refuses the result as review does.
func TestExternalConspiracy(t *testing.T) {
	roots := []ceremonytest.OtherRoot{{Version: 1}, {Version: 2}}
	delegated := func(s object) object {
		return s["delegations"].(object)["roles"].([]any)[0].(object)
	}
	for _, row := range []struct {
		name, want string
		lie        func(c *ceremonytest.Ceremony)
	}{
		{"nothing", "", func(*ceremonytest.Ceremony) {}},
		{"a lower threshold", "EXTERNAL-MISMATCH, 2.targets: delegation theirs threshold is 1", func(c *ceremonytest.Ceremony) {
			c.Edit("2.targets.json", func(s object) { delegated(s)["threshold"] = int64(1) })
		}},
		{"a thief's key", "EXTERNAL-MISMATCH, 2.targets: delegation theirs keys are ", func(c *ceremonytest.Ceremony) {
			c.Edit("2.targets.json", func(s object) {
				thief := ceremonytest.Object(t, "thief")
				s["delegations"].(object)["keys"].(object)[thief.ID] = thief.Object
				delegated(s)["keyids"] = append(delegated(s)["keyids"].([]any), thief.ID)
			})
		}},
		{"a forged root", "EXTERNAL-CHAIN, theirs: root 2 has 0 valid signatures of root 1", func(c *ceremonytest.Ceremony) {
			c.Files["external/theirs/2.root.json"] = ceremonytest.OtherRoot{Version: 2, Root: []string{"thief-1", "thief-2"}}.File(t)
		}},
		{"another first root", "EXTERNAL-CHAIN, theirs: the SHA-256 of root 1, the first, is ", func(c *ceremonytest.Ceremony) {
			c.Files["external/theirs/1.root.json"] = append(c.Files["external/theirs/1.root.json"], '\n')
		}},
		{"a chain that is cut short", "EXTERNAL-CHAIN, theirs: the plan has root 2 as the newest", func(c *ceremonytest.Ceremony) {
			delete(c.Files, "external/theirs/2.root.json")
		}},
		{"no roots", "the folder has no external/theirs", func(c *ceremonytest.Ceremony) {
			delete(c.Files, "external/theirs/1.root.json")
			delete(c.Files, "external/theirs/2.root.json")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := ceremonytest.External(t, roots...)
			c.Payloads()
			row.lie(c)
			c.Record()
			for _, holder := range []string{"holder-1", "holder-2"} {
				c.Force(folder.Version{Role: "targets", Version: 2}, holder, ceremonytest.Object(t, holder).ID)
			}
			if report, err := review.Review(c.Files); err == nil && row.want != "" {
				if _, err := report.Approve(report.Event.Words(), ceremonytest.Now); err == nil || !strings.Contains(err.Error(), row.want) {
					t.Errorf("review: %v, want %q", err, row.want)
				}
			}
			_, err := verify.Files(c.Seal(), ceremonytest.Root(t), ceremonytest.Now)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("verification: %v, want %q", err, row.want)
			}
		})
	}
}
