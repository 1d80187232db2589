package uri

import (
	"strconv"
	"strings"
	"testing"

	oracle "github.com/stefanberger/go-pkcs11uri"
)

// stricter are the known differences of which this package is the stricter
// side: what it says, and why the other parser lets it through.
var stricter = []struct{ says, reason string }{
	{"unknown attribute", "the RFC lets readers ignore what they do not know; what is ignored in a plan is a misunderstanding"},
	{"vendor attribute", "as unknown ones: what it asks for would not happen"},
	{"belongs in the", "the other parser keeps names of the path and of the query apart, and judges neither"},
	{"is empty", "an empty attribute matches an empty field by the RFC, and is a slip of whoever wrote the plan"},
	{"a PIN must not stand in a URI", "the RFC allows pin-value, and plans travel"},
	{"commands are not run", "the RFC lets pin-source and module-path name a command"},
	{"must be file:/absolute/path", "the other parser judges pin-source when the PIN is read"},
	{"not what is fed into the program", "so is what the file is"},
	{"must be a name, not a path", "module-name is a path's last element by the RFC, and the other parser does not look"},
	{"must be percent-encoded", "the RFC's grammar; the other parser decodes with net/url, which lets everything through but a bad percent"},
	{"not UTF-8", "text is UTF-8 by the RFC; the other parser keeps bytes"},
	{"control character", "the grammar allows them, encoded; people read them in a review"},
	{"printable ASCII", "x-init-reserved is this project's own; the other parser takes any vendor attribute"},
	{"more than 1024 bytes", "likewise"},
	{"must be a version", "major and minor are one byte each in PKCS#11, and 02 is 2 written otherwise"},
	{"must be a decimal number", "the other parser takes slot-id=-1, +1 and 01"},
}

// laxer are those where this package takes what the other refuses.
var laxer = []struct {
	fits   func(URI) bool
	reason string
}{
	{func(u URI) bool { return u.Type == "secret-key" || u.Type == "data" }, "a slip in the other's list of types makes one of the two"},
	{func(u URI) bool { return u.SlotID != nil && *u.SlotID > 1<<(strconv.IntSize-1)-1 }, "the other reads slot-id as an int, and CK_ULONG is unsigned"},
}

// other gives what the other parser read, by attribute.
func other(text string) (get func(a attribute) (string, bool), ok bool) {
	u := oracle.New()
	if u.Parse(text) != nil {
		return nil, false
	}
	return func(a attribute) (string, bool) {
		if a.part == pathPart {
			return u.GetPathAttribute(a.name, false)
		}
		return u.GetQueryAttribute(a.name, false)
	}, true
}

// compare judges a text with both parsers. used counts which differences were
// met.
func compare(t *testing.T, text string, used map[string]bool) {
	t.Helper()
	u, err := Parse(text)
	get, theirs := other(text)
	switch {
	case err == nil && theirs:
		for _, a := range attributes {
			value, _ := get(a)
			if want := decoded(u, a); value != want {
				t.Errorf("%q: %s is %q, and to the other %q", text, a.name, want, value)
			}
		}
	case err == nil:
		for _, d := range laxer {
			if d.fits(u) {
				used[d.reason] = true
				return
			}
		}
		t.Errorf("%q is accepted, and the other refuses it", text)
	case theirs:
		for _, d := range stricter {
			if strings.Contains(err.Error(), d.says) {
				used[d.says] = true
				return
			}
		}
		t.Errorf("%q is refused, and the other accepts it: %v", text, err)
	}
}

// decoded is an attribute's value before it was encoded.
func decoded(u URI, a attribute) string {
	switch a.name {
	case "id":
		return string(u.ID)
	case "slot-id":
		return a.print(&u)
	case "pin-source":
		if u.PINSource == "" {
			return ""
		}
		return "file:" + u.PINSource
	}
	return *a.field(&u)
}

// rfc are the examples of RFC 7512, section 3, and what else tells the two
// parsers apart.
var rfc = []string{
	"pkcs11:object=my-pubkey;type=public",
	"pkcs11:object=my-key;type=private?pin-source=file:/etc/token",
	"pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-certificate;type=cert;" +
		"id=%69%95%3E%5C%F4%BD%EC%91;serial=?pin-source=file:/etc/token_pin",
	"pkcs11:object=my-sign-key;type=private?module-name=mypkcs11",
	"pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1",
	"pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.?pin-value=the-pin",
	"pkcs11:slot-description=Sun%20Metaslot",
	"pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23",
	"pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%Ba%dd%Ca%fe%04%05%06",
	"pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert",
	"pkcs11:token=Name%20with%20a%20small%20A%20with%20acute:%20%C3%A1;object=my-certificate;type=cert",
	"pkcs11:token=my-token;object=my-certificate;type=cert;vendor-aaa=value-a?pin-source=file:/etc/token_pin&vendor-bbb=value-b",
	"pkcs11:type=secret-key", "pkcs11:type=data", "pkcs11:type=", "pkcs11:slot-id=18446744073709551615",
	"pkcs11:library-version=02", "pkcs11:library-version=2.0", "pkcs11:library-version=a",
	"pkcs11:?pin-source=file:/dev/stdin", "pkcs11:?pin-source=file:/etc/a&pin-value=1", "pkcs11:object=a%2",
}

func TestDifferential(t *testing.T) {
	used := make(map[string]bool)
	for _, c := range accepted {
		compare(t, c.text, used)
	}
	for _, c := range refused {
		compare(t, c.text, used)
	}
	for _, text := range rfc {
		compare(t, text, used)
	}
	for _, d := range stricter {
		if !used[d.says] {
			t.Errorf("nothing shows the difference %q", d.says)
		}
	}
	for _, d := range laxer {
		if !used[d.reason] {
			t.Errorf("nothing shows the difference %q", d.reason)
		}
	}
}

func FuzzDifferential(f *testing.F) {
	for _, c := range accepted {
		f.Add(c.text)
	}
	for _, c := range refused {
		f.Add(c.text)
	}
	for _, text := range rfc {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { compare(t, text, map[string]bool{}) })
}
