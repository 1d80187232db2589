package plan_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// In each row, text of a good plan is replaced. The error must name the line
// of the fault, counted in the changed text, and the field; and say what to do.
func TestParseRefuses(t *testing.T) {
	good := string(ceremonytest.GenesisPlan().Text())
	const serial, threshold = `serial: "1001"`, "threshold: 3"
	for _, row := range []struct {
		name, old, new string
		at             string // what stands in the line that is named
		field, problem string
	}{
		// The form of the file.
		{"no YAML", "kind: genesis", "kind: [genesis", "repository:", "", "must be specified"},
		{"a field that is not known", "kind: genesis", "kind: genesis\nkid: x", "kid: x", "kid", `unknown field "kid"`},
		{"a field in another case", "kind: genesis", "kind: genesis\nKind: x", "Kind: x", "Kind", `unknown field "Kind"`},
		{"a field inside that is not known", serial, serial + "\n        pin: 1234", "pin: 1234", "holders[0].tokens[0].pin", `unknown field "pin"`},
		{"a field twice", "kind: genesis", "kind: genesis\nkind: rotation", "kind: rotation", "", `"kind" already defined`},
		{"a tab", "kind: genesis", "kind:\tgenesis", "kind:\t", "", "TEXT-UNSAFE"},
		{"a carriage return", "kind: genesis", "kind: genesis\r", "kind: genesis\r", "", "TEXT-UNSAFE"},
		{"an escape sequence", "example.org", "example\x1b[2J.org", "\x1b", "", "TEXT-UNSAFE"},
		{"a character that turns text", "example.org", "example\u202e.org", "\u202e", "", "TEXT-UNSAFE"},
		{"the same in a comment", "# The plan", "# The \u202eplan", "\u202e", "", "TEXT-UNSAFE"},
		{"the same as an escape of YAML", "example.org", `example\u202e.org`, "repository:", "repository", "TEXT-UNSAFE"},
		{"an escape sequence as an escape of YAML", "example.org", `example\e[2J.org`, "repository:", "repository", "TEXT-UNSAFE"},
		{"bytes that are not UTF-8", "example.org", "example\xff.org", "\xff", "", "is not UTF-8: TEXT-UNSAFE"},
		{"a mark before the text", "# The plan", "\ufeff# The plan", "\ufeff", "", "TEXT-UNSAFE"},
		{"an anchor", "kind: genesis", "kind: &a genesis", "kind:", "kind", "an anchor"},
		{"an alias", serial, "serial: *a", "*a", "holders[0].tokens[0].serial", "an anchor"},
		{"a tag", threshold, "threshold: !!int 3", "!!int", "roles.root.threshold", "a tag"},
		{"a merge key", "kind: genesis", "kind: genesis\n<<: {kind: x}", "<<", "<<", "a merge key"},
		{"a list for text", serial, "serial: [1001]", "[1001]", "holders[0].tokens[0].serial", "text is wanted here"},
		{"fields for text", "kind: genesis", "kind: {a: genesis}", "kind:", "kind", "text is wanted here"},
		{"text for a list", "remove: []", "remove: hello.txt", "remove:", "targets.remove", "sequence is expected"},
		{"a block of text", `repository: "example.org"`, "repository: |\n  example.org\n#", "repository:", "repository", "a block of text"},

		// Numbers and words that YAML reads in its own way.
		{"a serial that would become another number", serial, "serial: 0013200460", "0013200460", "holders[0].tokens[0].serial", "is 0013200460, which YAML reads as 2949424"},
		{"hexadecimal", serial, "serial: 0x10", "0x10", "holders[0].tokens[0].serial", "is 0x10, which YAML reads as 16"},
		{"underscores", serial, "serial: 1_000", "1_000", "holders[0].tokens[0].serial", "which YAML reads as 1000"},
		{"a fraction for a serial", serial, "serial: 1.50", "1.50", "holders[0].tokens[0].serial", "is 1.50, and a plan has whole numbers only"},
		{"infinity", serial, "serial: .inf", ".inf", "holders[0].tokens[0].serial", "whole numbers only"},
		{"null", serial, "serial: null", "null", "holders[0].tokens[0].serial", "is null"},
		{"a tilde", serial, "serial: ~", "~", "holders[0].tokens[0].serial", "is ~"},
		{"a fraction for a threshold", threshold, "threshold: 3.7", "3.7", "roles.root.threshold", "whole numbers only"},
		{"a fraction in quotes", threshold, `threshold: "3.7"`, "3.7", "roles.root.threshold", `is "3.7", and a number is wanted here`},
		{"a number in quotes", threshold, `threshold: "3"`, `"3"`, "roles.root.threshold", `is "3", and a number is wanted here`},
		{"an exponent", threshold, "threshold: 1e0", "1e0", "roles.root.threshold", "a number is wanted here"},
		{"a leading zero", threshold, "threshold: 03", "threshold: 03", "roles.root.threshold", "which YAML reads as 3"},
		{"a list for a number", threshold, "threshold: [3]", "[3]", "roles.root.threshold", "a number is wanted here"},
		{"a number too large", "version: 1", "version: 9007199254740992", "9007199254740992", "root.version", "beyond 2^53-1"},
		{"a number far too large", "version: 1", "version: 99999999999999999999", "99999999999999999999", "root.version", "beyond 2^53-1"},
		{"yes for true", serial, serial + "\n        lost: yes", "lost: yes", "holders[0].tokens[0].lost", "true or false is wanted here"},
		{"TRUE for true", serial, serial + "\n        lost: TRUE", "lost: TRUE", "holders[0].tokens[0].lost", "is TRUE"},

		// What the plan says.
		{"another format", "ceremony-plan-1", "ceremony-plan-2", "format:", "format", `is "ceremony-plan-2"`},
		{"another kind", "kind: genesis", "kind: party", "kind:", "kind", `is "party"`},
		{"no repository", `"example.org"`, `""`, "repository:", "repository", "is empty"},
		{"a time with an offset", "2027-01-10T09:00:00Z", "2027-01-10T09:00:00+01:00", "opens:", "window.opens", "+01:00"},
		{"a date for a time", "2027-01-10T09:00:00Z", "2027-01-10", "opens:", "window.opens", `is "2027-01-10"`},
		{"a day that is none", "2027-01-17T09", "2027-02-30T09", "closes:", "window.closes", "2027-02-30"},
		{"a window that closes first", "2027-01-17T09", "2027-01-07T09", "closes:", "window.closes", "is not after window.opens"},
		{"a holder without a name", `- name: "holder-1"`, `- name: ""`, `- name: ""`, "holders[0].name", "is empty"},
		{"a holder twice", `- name: "holder-2"`, `- name: "holder-1"`, "", "holders[1].name", "which stands twice"},
		{"a holder without tokens", `- name: "holder-1"`, "- name: \"holder-0\"\n    tokens: []\n  - name: \"holder-1\"", "tokens: []", "holders[0].tokens", "is empty"},
		{"a token's name that cannot be typed", "- name: holder-1\n", "- name: Holder 1\n", "Holder 1", "holders[0].tokens[0].name", `is "Holder 1"`},
		{"a token's name twice", "- name: holder-2\n", "- name: holder-1\n", "", "holders[1].tokens[0].name", "which another token has"},
		{"an online key by a token's name", "- name: online\n", "- name: holder-1\n", "", "online[0].name", "which another token has"},
		{"a key outside keys/", "key: keys/holder-1.pem", "key: ../holder-1.pem", "../holder-1.pem", "holders[0].tokens[0].key", `is "../holder-1.pem"`},
		{"a key below keys/", "key: keys/holder-1.pem", "key: keys/a/holder-1.pem", "keys/a", "holders[0].tokens[0].key", "is"},
		{"a key that FAT cannot hold", "key: keys/holder-1.pem", "key: keys/con.pem", "con.pem", "holders[0].tokens[0].key", "is"},
		{"a token of an unknown kind", "pkcs11:token=holder-1", "usb:token=holder-1", "usb:", "holders[0].tokens[0].uri", `is "usb:token=holder-1"`},
		{"a software token", "pkcs11:token=holder-1", "soft:holder-1", "soft:", "holders[0].tokens[0].uri", "which only a rehearsal may use"},
		{"a PIN in the plan", "pkcs11:token=holder-1", "pkcs11:token=holder-1?pin-value=1234", "pin-value", "holders[0].tokens[0].uri", "has a PIN in it"},
		{"no root", "root:\n  version: 1\n  expires: 2028-01-10T09:00:00Z\n", "", "", "root", "is missing"},
		{"version 0", "version: 1", "version: 0", "version: 0", "root.version", "is not 1"},
		{"no expiry", "  expires: 2028-01-10T09:00:00Z\n", "", "root:", "root.expires", `is ""`},
		{"a threshold of 0", threshold, "threshold: 0", "threshold: 0", "roles.root.threshold", "is 0"},
		{"no threshold", threshold, "threshold:", "threshold:", "roles.root.threshold", "is 0"},
		{"a threshold below 0", threshold, "threshold: -1", "threshold: -1", "roles.root.threshold", "is -1"},
		{"a threshold above the keys", threshold, "threshold: 6", "threshold: 6", "roles.root.threshold", "is 6, and the role has 5 keys"},
		{"a role without keys", "keys: [online]", "keys: []", "keys: []", "roles.snapshot.keys", "is empty"},
		{"a token that nobody has", "keys: [online]", "keys: [other]", "keys: [other]", "roles.snapshot.keys[0]", "no holder has a token of that name"},
		{"a token twice in a role", "holder-4, holder-5]", "holder-4, holder-4]", "holder-4, holder-4]", "roles.root.keys[4]", "which stands twice"},
		{"a path from the top", `"hello.txt"`, `"/hello.txt"`, "/hello.txt", "targets.add[0].path", `is "/hello.txt"`},
		{"a path that leads out", `"hello.txt"`, `"a/../hello.txt"`, "a/..", "targets.add[0].path", "is"},
		{"a length below 0", "length: 6", "length: -6", "length: -6", "targets.add[0].length", "is -6"},
		{"no digest", tufmeta.Digest([]byte("hello\n")), "abc", "abc", "targets.add[0].sha256", `is "abc"`},
		{"a digest in upper case", tufmeta.Digest([]byte("hello\n")), strings.ToUpper(tufmeta.Digest([]byte("hello\n"))), "sha256:", "targets.add[0].sha256", "is"},
		{"added and removed", "remove: []", `remove: ["hello.txt"]`, "remove:", "targets.remove[0]", "which stands twice"},
		{"a waiver of no check", "waivers: []", "waivers: [{check: X, subject: root, reason: it is so}]", "waivers:", "waivers[0].check", `is "X"`},
		{"a waiver of what cannot be waived", "waivers: []", "waivers: [{check: THRESHOLD-NEW, subject: root, reason: it is so}]", "waivers:", "waivers[0].check", "cannot be waived"},
		{"a waiver of everything", "waivers: []", "waivers: [{check: THRESHOLD-ONE, reason: it is so}]", "waivers:", "waivers[0].subject", "is empty"},
		{"a waiver without a reason", "waivers: []", "waivers: [{check: THRESHOLD-ONE, subject: root, reason: because}]", "waivers:", "waivers[0].reason", `is "because"`},
		{"a superseded event by its first digits", "waivers: []", "supersedes: [{event: \"0123456789abcdef\", reason: a holder left us}]\nwaivers: []", "supersedes:", "supersedes[0].event", `is "0123456789abcdef"`},
		{"a superseded event in capitals", "waivers: []", "supersedes: [{event: \"" + strings.Repeat("AB", 32) + "\", reason: a holder left us}]\nwaivers: []", "supersedes:", "supersedes[0].event", "is"},
		{"a superseded event twice", "waivers: []", "supersedes: [{event: \"" + strings.Repeat("ab", 32) + "\", reason: a holder left us}, {event: \"" + strings.Repeat("ab", 32) + "\", reason: a holder left us}]\nwaivers: []", "supersedes:", "supersedes[1].event", "stands twice"},
		{"a superseded event without a reason", "waivers: []", "supersedes: [{event: \"" + strings.Repeat("ab", 32) + "\", reason: \"\"}]\nwaivers: []", "supersedes:", "supersedes[0].reason", `is ""`},
		{"a lifetime of 0", "waivers: []", "lifetimes: {snapshot: 0, timestamp: 1}\nwaivers: []", "lifetimes:", "lifetimes.snapshot", "is 0"},
		{"a lifetime of years", "waivers: []", "lifetimes: {snapshot: 7, timestamp: 367}\nwaivers: []", "lifetimes:", "lifetimes.timestamp", "is 367"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !strings.Contains(good, row.old) {
				t.Fatalf("the plan has no %q", row.old)
			}
			wantFault(t, strings.Replace(good, row.old, row.new, 1), row.at, row.field, row.problem)
		})
	}
}

func TestParseRefusesTheWholeFile(t *testing.T) {
	good := string(ceremonytest.GenesisPlan().Text())
	for name, text := range map[string]string{
		"nothing": "", "only a comment": "# nothing\n", "two documents": good + "---\nkind: rotation\n", "text": "a plan", "a list": "- a\n- b\n",
	} {
		t.Run(name, func(t *testing.T) { wantFault(t, text, "", "", "") })
	}
}

// What a targets ceremony may not decide, and what a genesis must.
func TestParseSections(t *testing.T) {
	genesis := string(ceremonytest.GenesisPlan().Text())
	rotation := string(ceremonytest.RotationPlan().Text())
	root := rotation[strings.Index(rotation, "root:"):strings.Index(rotation, "roles:")]
	roles := rotation[strings.Index(rotation, "roles:"):strings.Index(rotation, "\ntargets:")]
	targets := rotation[strings.Index(rotation, "\ntargets:"):strings.Index(rotation, "waivers:")]
	toTargets := strings.Replace(rotation, "kind: rotation", "kind: targets", 1)
	wantFault(t, toTargets, "", "root", "has no place in a targets ceremony")
	wantFault(t, strings.Replace(toTargets, root, "", 1), "", "roles", "has no place in a targets ceremony")
	wantFault(t, strings.Replace(strings.Replace(toTargets, root, "", 1), roles, "", 1), "", "", "-")
	wantFault(t, strings.Replace(strings.Replace(strings.Replace(toTargets, root, "", 1), roles, "", 1), targets, "\n", 1), "", "targets", "is missing")
	wantFault(t, strings.Replace(rotation, targets, "\n", 1), "", "", "-")
	wantFault(t, strings.Replace(rotation, roles, "", 1), "", "roles", "is missing")
	wantFault(t, genesis[:strings.Index(genesis, "\ntargets:")]+"\n", "", "targets", "is missing")
}

// wantFault parses text and wants one fault, or none where problem is "-".
func wantFault(t *testing.T, text, at, field, problem string) {
	t.Helper()
	p, err := plan.Parse([]byte(text))
	if problem == "-" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var e *plan.Error
	if !errors.As(err, &e) || p != nil {
		t.Fatalf("%v, %v; want an Error", p, err)
	}
	if e.Field != field || !strings.Contains(e.Problem, problem) {
		t.Errorf("field %q: %s; want %q: %s", e.Field, e.Problem, field, problem)
	}
	if e.Remedy == "" || e.Hint() != e.Remedy {
		t.Error("it does not say what to do")
	}
	if tufmeta.Unsafe(e.Error()) || tufmeta.Unsafe(e.Remedy) {
		t.Errorf("the message is unsafe to show: %q", e.Error())
	}
	if at == "" {
		return
	}
	if i := strings.Index(text, at); e.Line != 1+bytes.Count([]byte(text[:i]), []byte("\n")) {
		lines := append(strings.Split(text, "\n"), "")
		t.Errorf("line %d is named, %q, and the fault is in the line with %q", e.Line, lines[max(e.Line-1, 0)], at)
	}
}

// A serial in quotes stays as it is, zeros and all.
func TestSerialInQuotes(t *testing.T) {
	good := string(ceremonytest.GenesisPlan().Text())
	for written, want := range map[string]string{`"0013200460"`: "0013200460", "'0013200460'": "0013200460", "14470876": "14470876", "DENK0102947": "DENK0102947", `"0x10"`: "0x10"} {
		p, err := plan.Parse([]byte(strings.Replace(good, `serial: "1001"`, "serial: "+written, 1)))
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		if have := p.Roster.Holders[0].Tokens[0].Serial; have != want {
			t.Errorf("%s is read as %q", written, have)
		}
		again, err := plan.Parse(p.Text())
		if err != nil || again.Roster.Holders[0].Tokens[0].Serial != want {
			t.Errorf("%s: written and read again: %v", written, err)
		}
	}
}
