package evidence_test

import (
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
)

// An RSA key in a YubiHSM 2 signs metadata with PSS. A module of PKCS#11 gives
// it the older padding too, which is signing as well.
func TestHSMWithRSA(t *testing.T) {
	for _, row := range []struct {
		name         string
		capabilities uint64
		want         string
	}{
		{"PSS", ceremonytest.SignPSS, ""},
		{"both paddings", ceremonytest.SignPSS | ceremonytest.SignPKCS, ""},
		{"the older padding alone", ceremonytest.SignPKCS, "ATTEST-CAPABILITY, holder-2: the key cannot sign metadata (it lacks sign-pss)"},
		{"ECDSA alone", ceremonytest.SignECDSA, "ATTEST-CAPABILITY, holder-2: the key can do more than sign (sign-ecdsa); the key cannot sign metadata (it lacks sign-pss)"},
		{"exportable", ceremonytest.SignPSS | ceremonytest.ExportableUnderWrap, "ATTEST-CAPABILITY, holder-2: the key can leave the device, under wrap (exportable-under-wrap)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := ceremonytest.HSMs(t)
			c.Files["keys/holder-2.pem"] = ceremonytest.PEM(t, "holder-2-rsa2048")
			h := ceremonytest.YubiHSM(1002)
			h.Capabilities = row.capabilities
			c.Files["keys/holder-2.attestation.pem"] = ceremonytest.NewMaker(t, "Example Maker Root").HSMEvidence(t, ceremonytest.Key(t, "holder-2-rsa2048").Public(), h)
			_, said := judged(t, c)
			var have []string
			for _, s := range said {
				if strings.Contains(s, "holder-2") {
					have = append(have, s)
				}
			}
			if all := strings.Join(have, "; "); all != row.want {
				t.Errorf("%q, want %q", all, row.want)
			}
		})
	}
}
