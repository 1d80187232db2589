package inspect_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/tufmeta"
)

// Each row changes the root of the tests' repository. The other findings about
// it are none.
func TestRootFindings(t *testing.T) {
	day := time.Date(2027, 1, 12, 9, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name   string
		change func(signed object)
		want   []string // beside THRESHOLD-MARGIN of targets, which is 2 of 3
	}{
		{"as it is", func(object) {}, nil},
		{"expired this second", func(s object) { s["expires"] = "2027-01-12T09:00:00Z" }, []string{"EXPIRES-PAST root"}},
		{"a second before expiry", func(s object) { s["expires"] = "2027-01-12T09:00:01Z" }, nil},
		{"400 days ahead", func(s object) { s["expires"] = "2028-02-16T09:00:00Z" }, nil},
		{"more than 400 days ahead", func(s object) { s["expires"] = "2028-02-16T09:00:01Z" }, []string{"EXPIRES-FAR root"}},
		{"centuries ahead", func(s object) { s["expires"] = "9999-12-31T23:59:59Z" }, []string{"EXPIRES-FAR root"}},
		{"an offset", func(s object) { s["expires"] = "2027-06-01T09:00:00+00:00" }, []string{"EXPIRES-FORMAT root"}},
		{"no time", func(s object) { s["expires"] = "tomorrow" }, []string{"EXPIRES-FORMAT root", "JSON-STRICT root"}},
		{"version 0", func(s object) { s["version"] = int64(0) }, []string{"VERSION-SEQUENCE root"}},
		{"another specification", func(s object) { s["spec_version"] = "10.0" }, []string{"JSON-STRICT root"}},
		{"threshold 0", func(s object) { role(s, "root")["threshold"] = int64(0) }, []string{"THRESHOLD-NEW root"}},
		{"threshold below 0", func(s object) { role(s, "targets")["threshold"] = int64(-1) }, []string{"THRESHOLD-NEW targets"}},
		{"threshold above the keys", func(s object) { role(s, "root")["threshold"] = int64(6) }, []string{"THRESHOLD-NEW root"}},
		{"threshold of all", func(s object) { role(s, "root")["threshold"] = int64(5) }, []string{"THRESHOLD-MARGIN root"}},
		{"threshold 1", func(s object) { role(s, "root")["threshold"] = int64(1) }, []string{"THRESHOLD-ONE root"}},
		{"a role left out", func(s object) { delete(s["roles"].(object), "timestamp") }, []string{"JSON-STRICT timestamp"}},
		{"a key that is not there", func(s object) { role(s, "root")["keyids"] = append(role(s, "root")["keyids"].([]any), "ffff") }, []string{"KEY-TYPE root"}},
		{"a key ID twice in a role", func(s object) {
			ids := role(s, "root")["keyids"].([]any)
			role(s, "root")["keyids"] = append(ids, ids[0])
		}, []string{"KEY-SHARED root"}},
		{"an offline key for snapshot", func(s object) { role(s, "snapshot")["keyids"] = role(s, "root")["keyids"] }, []string{"ROLE-KEY-REUSE snapshot"}},
		{"a key that cannot be read", func(s object) {
			s["keys"].(object)["ffff"] = object{"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": object{"public": "04"}}
		}, []string{"KEY-TYPE ffff", "KEYID-MISMATCH ffff"}},
		{"a short RSA key", rsaKey(1024, 65537), []string{"KEY-WEAK ffff", "KEYID-MISMATCH ffff"}},
		{"an RSA key with a small exponent", rsaKey(2048, 3), []string{"KEY-WEAK ffff", "KEYID-MISMATCH ffff"}},
		{"an RSA key", rsaKey(2048, 65537), []string{"KEYID-MISMATCH ffff"}},
		{"a key of an unknown kind", func(s object) {
			s["keys"].(object)["ffff"] = object{"keytype": "sphincs", "scheme": "sphincs", "keyval": object{"public": "04"}}
		}, []string{"KEY-TYPE ffff", "KEYID-MISMATCH ffff"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			env, err := tufmeta.ParseEnvelope(ceremonytest.Root(t))
			if err != nil {
				t.Fatal(err)
			}
			row.change(env.Signed)
			root, err := tufmeta.ParseRoot(env.Signed)
			if err != nil {
				t.Fatal(err)
			}
			var have []string
			for _, r := range inspect.Root(root, day) {
				if said := r.Check + " " + r.Subject; said != "THRESHOLD-MARGIN targets" {
					have = append(have, said)
				}
				if r.Level != "" {
					t.Errorf("%s has a level of its own: %s", r.Check, r.Level)
				}
			}
			slices.Sort(have)
			if !slices.Equal(have, row.want) {
				t.Errorf("findings %q, want %q", have, row.want)
			}
		})
	}
}

func TestDays(t *testing.T) {
	day := func(n int) time.Time { return time.Unix(0, 0).Add(time.Duration(n) * 12 * time.Hour) }
	for halves, want := range map[int]string{1: "less than a day", 2: "1 day", 3: "1 day", 4: "2 days", 800: "400 days"} {
		if have := inspect.Days(day(0), day(halves)); have != want {
			t.Errorf("%d half days are said to be %q", halves, have)
		}
	}
	if have := inspect.Days(time.Unix(0, 0), time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)); have != "376200 days" {
		t.Errorf("1030 years are said to be %q", have)
	}
}

// Text that does not look like what it is must be found wherever it stands,
// and told without being shown.
func TestText(t *testing.T) {
	pem := string(ceremonytest.PEM(t, "holder-1"))
	for _, row := range []struct {
		v     any
		ascii bool
		want  string
	}{
		{object{"a": object{"b": []any{"plain", "x\u202ey"}}}, false, "TEXT-UNSAFE a.b[1]"},
		{object{"a\x1b[2J": int64(1)}, false, "TEXT-UNSAFE "},
		{object{"a": "zero\u200bwidth"}, false, "TEXT-UNSAFE a"},
		{object{"a": "line\nline"}, false, "TEXT-UNSAFE a"},
		{object{"a": pem}, true, ""},
		{object{"a": pem + "\x1b[2J"}, false, "TEXT-UNSAFE a"},
		{object{pem: int64(1)}, false, "TEXT-UNSAFE "},
		{object{"münchen": int64(1)}, true, "JSON-STRICT "},
		{object{"münchen": int64(1)}, false, ""},
		{object{"a": "münchen"}, true, ""},
	} {
		results := inspect.Text(row.v, "root", row.ascii)
		if row.want == "" {
			if len(results) > 0 {
				t.Errorf("%q: %v, want nothing", fmt.Sprint(row.v), results)
			}
			continue
		}
		if len(results) != 1 || !strings.HasPrefix(results[0].Check+" "+strings.Split(results[0].Detail, " has the text")[0], row.want) {
			t.Errorf("%q: %v, want %s", fmt.Sprint(row.v), results, row.want)
		}
		for _, r := range results {
			if tufmeta.Unsafe(r.Detail) {
				t.Errorf("%q: the finding itself is unsafe to show: %q", fmt.Sprint(row.v), r.Detail)
			}
		}
	}
}

// rsaKey adds an RSA key of that size and exponent to a root.
func rsaKey(bits, exponent int) func(object) {
	return func(s object) {
		n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
		der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n, E: exponent})
		if err != nil {
			panic(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		s["keys"].(object)["ffff"] = object{"keytype": "rsa", "scheme": "rsassa-pss-sha256", "keyval": object{"public": string(text)}}
	}
}
