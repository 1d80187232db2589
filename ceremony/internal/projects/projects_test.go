package projects_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/manifest"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/tufmeta"
)

var scope = projects.Scope{Repository: "example.org", Role: "claimed"}

// ed is a developer's Ed25519 key, always the same for a name.
func ed(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// privates are the private halves of what listed has given, by PEM.
var privates sync.Map

// listed is a public key whose developer signs when the whole entry is there.
func listed(t testing.TB, private crypto.Signer) projects.Key {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	k := projects.Key{PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), Proof: []byte("later")}
	privates.Store(k.PEM, private)
	return k
}

// signed has all developers of a project sign, but those without a proof.
func signed(e projects.Entry) projects.Entry {
	var fingerprints []string
	for _, k := range e.Keys {
		if key, err := k.Public(); err == nil {
			fingerprints = append(fingerprints, key.Fingerprint())
		}
	}
	statement := projects.Statement(scope, e, fingerprints)
	e.Keys = slices.Clone(e.Keys)
	for i := range e.Keys {
		private, ok := privates.Load(e.Keys[i].PEM)
		if !ok || e.Keys[i].Proof == nil {
			continue
		}
		proof, err := sign(private, statement)
		if err != nil {
			panic(err)
		}
		e.Keys[i].Proof = proof
	}
	return e
}

func sign(private any, statement []byte) ([]byte, error) {
	switch private := private.(type) {
	case *rsa.PrivateKey:
		digest := sha256.Sum256(statement)
		return rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], nil)
	case *ecdsa.PrivateKey:
		hash := crypto.SHA256
		if private.Curve == elliptic.P384() {
			hash = crypto.SHA384
		}
		h := hash.New()
		h.Write(statement)
		return ecdsa.SignASN1(rand.Reader, private, h.Sum(nil))
	}
	return ed25519.Sign(private.(ed25519.PrivateKey), statement), nil
}

// entry is a project with one key of its own.
func entry(t testing.TB, project string) projects.Entry {
	name := projects.Normalise(project)
	return signed(projects.Entry{Project: project, Threshold: 1, Until: "2027-12-31", Paths: []string{name + "/*"}, Keys: []projects.Key{listed(t, ed(project))}})
}

func entries(t testing.TB, names ...string) []projects.Entry {
	var all []projects.Entry
	for _, name := range names {
		all = append(all, entry(t, name))
	}
	return all
}

// What is written is read back.
func TestText(t *testing.T) {
	want := entries(t, "Requests", "zope.interface", "a")
	want[0].Keys = append(want[0].Keys, listed(t, ceremonytest.Key(t, "holder-1").(*ecdsa.PrivateKey)))
	want[0].Keys[1].Proof = nil
	want[1].Paths = append(want[1].Paths, "simple/zope-interface/index.html")
	text, err := projects.Text(want)
	if err != nil {
		t.Fatal(err)
	}
	read, err := projects.Parse("list", text)
	if err != nil || !reflect.DeepEqual(read, want) {
		t.Fatalf("%s\nis read as %+v, %v", text, read, err)
	}
}

// Each line is preceded by a good one, so that the error must count.
func TestParseRefuses(t *testing.T) {
	text, err := projects.Text(entries(t, "first"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	line := func(old, new string) string {
		changed := strings.Replace(strings.ReplaceAll(good, "first", "second"), old, new, 1)
		if changed == good {
			t.Fatalf("%q is not in the line", old)
		}
		return strings.TrimSuffix(changed, "\n")
	}
	for text, want := range map[string]string{
		"":                                    "reading JSON",
		"[]":                                  "is not an object",
		line(`{"keys"`, `{"role":"x","keys"`): `has a member "role"`,
		line(`"project":"second"`, `"project":"First"`):           `stands in line 1 already, as "first"`,
		line(`"project":"second"`, `"project":"-second"`):         `project is "-second"`,
		line(`"project":"second"`, `"project":"sec ond"`):         `project is "sec ond"`,
		line(`"project":"second"`, `"project":"s\u00e9cond"`):     `project is "sécond"`,
		line(`"project":"second"`, `"project":"s\u001b"`):         `project is "s`,
		line(`"project":"second"`, `"project":7`):                 "has no project that is text",
		line(`"threshold":1`, `"threshold":2`):                    "has a threshold of 2, and 1 keys",
		line(`"threshold":1`, `"threshold":0`):                    "threshold is 0",
		line(`"threshold":1`, `"threshold":"1"`):                  "has no threshold that is a number",
		line(`"until":"2027-12-31"`, `"until":"2027-02-30"`):      "has no until that is a day",
		line(`"until":"2027-12-31"`, `"until":"31.12.2027"`):      "has no until that is a day",
		line(`"until":"2027-12-31"`, `"until":20271231`):          "has no until that is a day",
		line(`"paths":["second/*"]`, `"paths":[]`):                "has no paths",
		line(`"paths":["second/*"]`, `"paths":["second/**"]`):     `has the path "second/**"`,
		line(`"paths":["second/*"]`, `"paths":["/second"]`):       `has the path "/second"`,
		line(`"paths":["second/*"]`, `"paths":["s/[ab]"]`):        `has the path "s/[ab]"`,
		line(`"paths":["second/*"]`, `"paths":["../second"]`):     `has the path "../second"`,
		line(`"paths":["second/*"]`, `"paths":["s/*","s/*"]`):     `has the path "s/*" twice`,
		line(`"paths":["second/*"]`, `"paths":[1]`):               "has a path that is no text",
		line(`"proof":"`, `"proof":"*`):                           "keys[0] has a proof that is not base64",
		line(`"proof":"`, `"proof":"","was":"`):                   "keys[0] has a member",
		line(`"public":"`, `"public":7,"x":"`):                    "keys[0] has a member",
		line(`"keys":[{`, `"keys":[7,{`):                          "keys[0] is not an object",
		line(`"keys":[{`, `"keys":[{"public":"a","public":"b",`):  "reading JSON",
		line(`{"keys":[`, `{"keys":[],"project":"b","notkeys":[`): "",
	} {
		_, err := projects.Parse("lists/x", []byte(good+text+"\n"))
		var fault *manifest.Error
		if !errors.As(err, &fault) || fault.Line != 2 || fault.Hint() == "" || !strings.HasPrefix(err.Error(), "lists/x, line 2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && tufmeta.Unsafe(err.Error()) {
			t.Errorf("the message is unsafe to show: %q", err)
		}
	}
	for text, want := range map[string]string{"": "is empty", strings.TrimSuffix(good, "\n"): "without a line feed", good + "\n": "line 2"} {
		if _, err := projects.Parse("lists/x", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Roles have names that no other role has, that clients can fetch, and that are
// distinct where names are.
func TestRole(t *testing.T) {
	long := strings.Repeat("x", 53)
	for project, want := range map[string]string{
		"Requests": "project.requests", "zope.interface": "project.zope-interface", "a__b.-c": "project.a-b-c", "timestamp": "project.timestamp",
		"7zip": "project.7zip", strings.Repeat("y", 52): "project." + strings.Repeat("y", 52),
		long: "project." + strings.Repeat("x", 27) + "." + tufmeta.Digest([]byte(long))[:24],
	} {
		if got := projects.Role(project); got != want || len(got) > 60 {
			t.Errorf("%s has the role %s, want %s", project, got, want)
		}
	}
	if projects.Role(long) == projects.Role(long+"y") {
		t.Error("two long names have one role")
	}
}

func TestStatement(t *testing.T) {
	e := projects.Entry{Project: "Zope_Interface", Threshold: 2, Until: "2027-12-31", Paths: []string{"zope-interface/*", "simple/zope-interface"}}
	want := "ceremony proof of possession 3\nrepository: example.org\nrole: claimed\nproject: zope-interface\nthreshold: 2\nuntil: 2027-12-31\npath: simple/zope-interface\npath: zope-interface/*\nkey: 00ff\nkey: aa00\n"
	keys := []string{"aa00", "00ff", "aa00"}
	if got := string(projects.Statement(scope, e, keys)); got != want {
		t.Errorf("%q", got)
	}
	rehearsed := scope
	rehearsed.Rehearsal = true
	if got := string(projects.Statement(rehearsed, e, keys)); got != strings.Replace(want, "\nproject", "\nrehearsal: true\nproject", 1) {
		t.Errorf("in a rehearsal: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	text, err := projects.Text(entries(f, "first", "Second"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := projects.Parse("list", data)
		if err != nil {
			if tufmeta.Unsafe(err.Error()) {
				t.Fatalf("the message is unsafe to show: %q", err.Error())
			}
			return
		}
		text, err := projects.Text(read)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := projects.Parse("again", text); err != nil || !reflect.DeepEqual(again, read) {
			t.Fatalf("%+v\nis written as\n%s\n%v", read, text, err)
		}
		for _, x := range projects.NewLinter(scope, read).Results() {
			if tufmeta.Unsafe(fmt.Sprint(x)) {
				t.Fatalf("a finding is unsafe to show: %q", x)
			}
		}
	})
}
