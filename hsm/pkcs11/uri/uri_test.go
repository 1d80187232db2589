package uri

import (
	"strings"
	"testing"
)

func slot(n uint64) *uint64 { return &n }

var accepted = []struct {
	name, text string
	want       URI
	printed    string // if it differs from text
}{
	{"nothing", "pkcs11:", URI{}, ""},
	{"token and object", "pkcs11:token=holder-1;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so",
		URI{Token: "holder-1", Object: "root", ModulePath: "/usr/lib/softhsm/libsofthsm2.so"}, ""},
	{"encoded space and plus", "pkcs11:token=a%20b+c", URI{Token: "a b+c"}, ""},
	{"lower-case hex", "pkcs11:token=a%2fb", URI{Token: "a/b"}, "pkcs11:token=a%2Fb"},
	{"UTF-8", "pkcs11:token=%C3%A9", URI{Token: "é"}, ""},
	{"separators, encoded", "pkcs11:token=a%3Bb%3Fc", URI{Token: "a;b?c"}, ""},
	{"ampersand in the path", "pkcs11:token=a&b", URI{Token: "a&b"}, ""},
	{"ampersand in the query", "pkcs11:?module-path=/a%26b", URI{ModulePath: "/a&b"}, ""},
	{"equals sign in a value", "pkcs11:serial=a=b", URI{Serial: "a=b"}, ""},
	{"binary id", "pkcs11:id=%00%FF;type=private", URI{ID: []byte{0, 0xff}, Type: "private"},
		"pkcs11:type=private;id=%00%FF"},
	{"id in the clear", "pkcs11:id=ab", URI{ID: []byte("ab")}, "pkcs11:id=%61%62"},
	{"order", "pkcs11:object=o;model=m;manufacturer=n?pin-source=file:/run/pin&module-path=/m",
		URI{Object: "o", Model: "m", Manufacturer: "n", PINSource: "/run/pin", ModulePath: "/m"},
		"pkcs11:manufacturer=n;model=m;object=o?module-path=/m&pin-source=file:/run/pin"},
	{"library and slot", "pkcs11:library-manufacturer=a;library-description=b;library-version=2.40;" +
		"slot-manufacturer=c;slot-description=d;slot-id=0",
		URI{LibraryManufacturer: "a", LibraryDescription: "b", LibraryVersion: "2.40",
			SlotManufacturer: "c", SlotDescription: "d", SlotID: slot(0)}, ""},
	{"argument for the module", "pkcs11:token=a?x-init-reserved=configdir='sql:/srv/a%20b'%20flags%3D&module-path=/m",
		URI{Token: "a", ModulePath: "/m", InitReserved: "configdir='sql:/srv/a b' flags="},
		"pkcs11:token=a?module-path=/m&x-init-reserved=configdir='sql:/srv/a%20b'%20flags="},
	{"module name", "pkcs11:token=a?module-name=softhsm2", URI{Token: "a", ModuleName: "softhsm2"}, ""},
}

func TestParse(t *testing.T) {
	for _, c := range accepted {
		t.Run(c.name, func(t *testing.T) {
			u, err := Parse(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if !u.Equal(c.want) {
				t.Errorf("got %+v, want %+v", u, c.want)
			}
			if c.printed == "" {
				c.printed = c.text
			}
			if u.String() != c.printed {
				t.Errorf("printed %q, want %q", u, c.printed)
			}
		})
	}
}

var refused = []struct{ name, text, want string }{
	{"empty", "", "does not begin"},
	{"other scheme", "soft:a", "does not begin"},
	{"upper-case scheme", "PKCS11:token=a", "does not begin"},
	{"no equals sign", "pkcs11:token", "attribute 1 of the path is not name=value"},
	{"trailing separator", "pkcs11:token=a;", "attribute 2 of the path is not name=value"},
	{"empty query", "pkcs11:token=a?", "attribute 1 of the query is not name=value"},
	{"trailing ampersand", "pkcs11:token=a?module-path=/m&", "attribute 2 of the query"},
	{"empty value", "pkcs11:token=", `"token" is empty`},
	{"twice", "pkcs11:token=a;token=a", `"token" stands twice`},
	{"twice in the query", "pkcs11:?module-path=/a&module-path=/b", `"module-path" stands twice`},
	{"unknown", "pkcs11:tokens=a", `unknown attribute "tokens"`},
	{"upper case", "pkcs11:Token=a", `unknown attribute "Token"`},
	{"encoded name", "pkcs11:%74oken=a", "unknown attribute"},
	{"vendor", "pkcs11:x-muppet=a", `vendor attribute "x-muppet" is refused`},
	{"vendor in the query", "pkcs11:?x-muppet=a", "vendor attribute"},
	{"path attribute in the query", "pkcs11:?token=a", "belongs in the path"},
	{"query attribute in the path", "pkcs11:module-path=%2Fa", "belongs in the query"},
	{"pin-value", "pkcs11:token=a?pin-value=31415926", "a PIN must not stand in a URI"},
	{"pin-value in the path", "pkcs11:pin-value=31415926", "a PIN must not stand in a URI"},
	{"pin-source command", "pkcs11:?pin-source=|/bin/31415926", "commands are not run"},
	{"pin-source command, encoded", "pkcs11:?pin-source=%7C/bin/31415926", "commands are not run"},
	{"pin-source relative", "pkcs11:?pin-source=file:31415926", "file:/absolute/path"},
	{"pin-source without file:", "pkcs11:?pin-source=/run/31415926", "file:/absolute/path"},
	{"pin-source with host", "pkcs11:?pin-source=file://host/31415926", "file:/absolute/path"},
	{"pin-source root", "pkcs11:?pin-source=file:/", "file:/absolute/path"},
	{"pin-source https", "pkcs11:?pin-source=https://31415926", "file:/absolute/path"},
	{"pin-source NUL", "pkcs11:?pin-source=file:/a%00b", "control character"},
	{"relative module", "pkcs11:?module-path=libsofthsm2.so", "absolute path"},
	{"module command", "pkcs11:?module-path=|/bin/sh", "commands are not run"},
	{"module name as path", "pkcs11:?module-name=../evil", "not a path"},
	{"NUL in module", "pkcs11:?module-path=/a%00b", "control character"},
	{"NUL in argument", "pkcs11:?x-init-reserved=a%00b", "printable ASCII"},
	{"argument outside ASCII", "pkcs11:?x-init-reserved=%C3%A9", "printable ASCII"},
	{"long argument", "pkcs11:?x-init-reserved=" + strings.Repeat("a", 1025), "more than 1024 bytes"},
	{"empty argument", "pkcs11:?x-init-reserved=", "is empty"},
	{"argument twice", "pkcs11:?x-init-reserved=a&x-init-reserved=a", "stands twice"},
	{"argument in the path", "pkcs11:x-init-reserved=a", "belongs in the query"},
	{"other vendor attribute with it", "pkcs11:?x-init-reserved=a&x-init-args=b", "vendor attribute"},
	{"escape in token", "pkcs11:token=%1B[2J", "control character"},
	{"C1 control in token", "pkcs11:token=%C2%9B2J", "control character"},
	{"not UTF-8", "pkcs11:token=%FF", "not UTF-8"},
	{"raw space", "pkcs11:token=a b", "character 2 must be percent-encoded"},
	{"raw UTF-8", "pkcs11:token=é", "must be percent-encoded"},
	{"raw slash in the path", "pkcs11:token=a/b", "must be percent-encoded"},
	{"fragment", "pkcs11:token=a#b", "must be percent-encoded"},
	{"short percent", "pkcs11:token=a%2", "cut short"},
	{"bad percent", "pkcs11:token=%zz", "not two hex digits"},
	{"negative slot", "pkcs11:slot-id=-1", "not negative"},
	{"signed slot", "pkcs11:slot-id=+1", "not negative"},
	{"padded slot", "pkcs11:slot-id=01", "leading zeros"},
	{"huge slot", "pkcs11:slot-id=99999999999999999999", "decimal number"},
	{"type", "pkcs11:type=privat", "must be public, private"},
	{"version", "pkcs11:library-version=2.", "must be a version"},
	{"version overflow", "pkcs11:library-version=256", "must be a version"},
	{"second question mark", "pkcs11:token=a?module-path=/a?b#", "must be percent-encoded"},
}

func TestParseRefuses(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			u, err := Parse(c.text)
			if err == nil {
				t.Fatalf("accepted as %+v", u)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %q, want %q in it", err, c.want)
			}
			if strings.Contains(err.Error(), "31415926") {
				t.Errorf("error repeats a value: %q", err)
			}
			if !u.Equal(URI{}) {
				t.Errorf("a refused URI left %+v behind", u)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range accepted {
		f.Add(c.text)
	}
	for _, c := range refused {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(u.String())
		if err != nil {
			t.Fatalf("printed %q, which is refused: %v", u, err)
		}
		if !again.Equal(u) || again.String() != u.String() {
			t.Fatalf("%q became %q", u, again)
		}
		if strings.ContainsAny(u.String(), "\x00\n\r\x1b ") {
			t.Fatalf("printed %q with raw control characters", u)
		}
	})
}
