package quorum_test

import (
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/quorum"
)

// The largest file is what is assembled where everybody signs, but for the few
// bytes by which one ECDSA signature is shorter than another.
func TestLargestFile(t *testing.T) {
	everybody := map[string][]string{
		"genesis":  {"holder-1", "holder-2", "holder-3", "holder-4", "holder-5"},
		"RSA":      {"holder-1", "holder-2-rsa2048", "holder-3-rsa4096", "holder-4", "holder-5"},
		"P-384":    {"holder-1", "holder-2-p384", "holder-3-p384", "holder-4", "holder-5"},
		"rotation": {"holder-1", "holder-2", "holder-2-new", "holder-3", "holder-4", "holder-5", "holder-6"},
	}
	for name, c := range map[string]*ceremonytest.Ceremony{
		"genesis": ceremonytest.Genesis(t), "RSA": ceremonytest.RSA(t), "P-384": ceremonytest.P384(t), "rotation": ceremonytest.Rotation(t),
	} {
		c.Draft()
		c.Sign(everybody[name]...)
		sealed := c.Seal()
		all, err := quorum.Demands(c.Files)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{"root", "targets"} {
			var demands []quorum.Demand
			for _, d := range all {
				if d.Payload.Role == v {
					demands = append(demands, d)
				}
			}
			file := demands[0].Payload.File()
			largest := quorum.LargestFile(c.Files[folder.Payload+"/"+file], demands)
			actual := int64(len(sealed[folder.Metadata+"/"+file]))
			if spare := largest - actual; spare < 0 || spare > 8*7 {
				t.Errorf("%s, %s: at most %d bytes are said, and it has %d", name, file, largest, actual)
			}
		}
	}
}
