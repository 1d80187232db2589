package compromise_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/compromise"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// known is the repository of the tests: root 3 of 5, targets 2 of 3 of the same
// holders, one online key.
func known(t *testing.T) compromise.Known {
	t.Helper()
	env, err := tufmeta.ParseEnvelope(ceremonytest.Root(t))
	if err != nil {
		t.Fatal(err)
	}
	root, err := tufmeta.ParseRoot(env.Signed)
	if err != nil {
		t.Fatal(err)
	}
	c := ceremonytest.Genesis(t)
	if err := c.Plan.Roster.LoadKeys(c.Files); err != nil {
		t.Fatal(err)
	}
	return compromise.Known{Root: root, Roster: &c.Plan.Roster, Now: ceremonytest.Now, Firmware: map[string]compromise.Firmware{
		"holder-1": {Device: compromise.YubiKey, Version: "5.4.3"},
		"holder-2": {Device: compromise.YubiKey, Version: "5.7.1"},
		"holder-3": {Device: compromise.YubiHSM2, Version: "2.4.1"},
		"holder-4": {Why: "no evidence is there"},
	}}
}

// separate gives snapshot and timestamp a key each, and the online roles a
// threshold of their own.
func separate(t *testing.T, k *compromise.Known) {
	t.Helper()
	other := ceremonytest.Object(t, "online-2")
	k.Root.Keys[other.ID] = other
	k.Root.Roles["timestamp"].KeyIDs = []string{other.ID}
	k.Roster.Online = append(k.Roster.Online, &roster.Token{Name: "online-2", Key: other})
}

func assess(t *testing.T, k compromise.Known, typed ...string) (*compromise.Assessment, error) {
	t.Helper()
	var selectors []compromise.Selector
	for _, text := range typed {
		s, err := compromise.ParseSelector(text)
		if err != nil {
			return nil, err
		}
		selectors = append(selectors, s)
	}
	return compromise.Assess(k, selectors)
}

func TestCases(t *testing.T) {
	split := func(t *testing.T, k *compromise.Known) { separate(t, k) }
	lost := func(names ...string) func(*testing.T, *compromise.Known) {
		return func(_ *testing.T, k *compromise.Known) {
			for _, name := range names {
				token, _ := k.Roster.Token(name)
				token.Lost = true
			}
		}
	}
	padded := func(_ *testing.T, k *compromise.Known) { // one device, reached in two ways
		k.Roster.Holders[3].Tokens[0].Serial, k.Roster.Holders[4].Tokens[0].Serial = "000000A4", "a4"
	}
	expired := func(_ *testing.T, k *compromise.Known) { k.Now = k.Now.AddDate(3, 0, 0) }
	sign2 := func(_ *testing.T, k *compromise.Known) { k.Root.Roles["targets"].Threshold = 1 }
	for _, row := range []struct {
		name      string
		change    func(*testing.T, *compromise.Known)
		selectors string
		want      string // case, tokens, weak, whether both online keys and targets change
		says      string // in the sentences
	}{
		{"one holder", nil, "holder:holder-5", "A [holder-5] [] online=false targets=false", "1 of the 3 keys that root needs."},
		{"one who signs targets too", nil, "holder:holder-1", "A [holder-1] [] online=false targets=true", "1 of the 3 keys that root needs and 1 of the 2 keys that targets needs"},
		{"by device", nil, "device:1004", "A [holder-4] [] online=false targets=false", "signed by 3 of the 4 keys left in root"},
		{"by device, in two spellings", padded, "device:A4", "A [holder-4 holder-5] [] online=false targets=false", "2 of the 3 keys that root needs"},
		{"two selectors for one key", nil, "device:1004 holder:holder-4", "A [holder-4] [] online=false targets=false", "Nothing yet"},
		{"two of root", nil, "holder:holder-4 holder:holder-5", "A [holder-4 holder-5] [] online=false targets=false", "2 of the 3 keys that root needs"},
		{"weak", nil, "firmware:<5.7", "A [] [holder-1] online=false targets=true", "Nobody is known to have a key"},
		{"weak and stolen", nil, "firmware:<5.7 holder:holder-1", "A [holder-1] [] online=false targets=true", "Nothing yet"},
		{"two of targets", nil, "holder:holder-1 holder:holder-2", "B [holder-1 holder-2] [] online=false targets=true", "can sign targets as well as you can (2 of the 3 keys of targets are in other hands, 2 are enough)"},
		{"targets and online", nil, "holder:holder-1 holder:holder-2 role:snapshot", "B [holder-1 holder-2 online] [] online=true targets=true", "can make your clients install anything until root 2 is out"},
		{"one of targets is enough", sign2, "holder:holder-1", "B [holder-1] [] online=false targets=true", "1 of the 3 keys of targets is in other hands, 1 is enough"},
		{"online", nil, "role:timestamp", "C [online] [] online=true targets=false", "so far ahead that clients refuse yours for good"},
		{"one of two online keys", split, "role:timestamp", "C [online-2] [] online=true targets=false", "other public keys for timestamp and snapshot both"},
		{"online and below the threshold", nil, "role:timestamp holder:holder-5", "C [online holder-5] [] online=true targets=false", "signed by 3 of the 4 keys left in root"},
		{"three of root", nil, "holder:holder-1 holder:holder-4 holder:holder-5", "D [holder-1 holder-4 holder-5] [] online=true targets=true", "can do everything: 3 of the 5 keys of root are in other hands, and 3 are enough"},
		{"all of root", nil, "role:root", "D [holder-1 holder-2 holder-3 holder-4 holder-5] [] online=true targets=true", "nobody has a key left"},
		{"three of root and online", nil, "role:timestamp role:root", "D [online holder-1 holder-2 holder-3 holder-4 holder-5] [] online=true targets=true", "another way than from the repository"},
		{"two stolen, one lost", lost("holder-3"), "holder:holder-4 holder:holder-5", "F [holder-4 holder-5] [] online=false targets=true", "Nobody can sign a next root that your clients accept: 2 keys of root are left to sign, and 3 must"},
		{"one stolen, one lost", lost("holder-4"), "holder:holder-5", "A [holder-5] [] online=false targets=false", "all of these: holder-1, serial 1001; holder-2, serial 1002; holder-3, serial 1003"},
		{"expired besides", expired, "holder:holder-5", "A [holder-5] [] online=false targets=false", "today, since root 1 expired on 2028-01-10T09:00:00Z"},
		{"weak ones still sign", nil, "firmware:2.0-5.9", "A [] [holder-1 holder-2] online=false targets=true", "signed by 3 of the 5 keys left in root"},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := known(t)
			if row.change != nil {
				row.change(t, &k)
			}
			a, err := assess(t, k, strings.Fields(row.selectors)...)
			if err != nil {
				t.Fatal(err)
			}
			have := fmt.Sprintf("%s %v %v online=%t targets=%t", a.Case, a.Tokens(), a.Weak(), a.Online(), a.SignsTargets())
			if have != row.want {
				t.Errorf("it is %s, want %s", have, row.want)
			}
			if text := strings.Join(a.Sentences[:], " "); !strings.Contains(text, row.says) {
				t.Errorf("it says %q, want %q", text, row.says)
			}
			if a.OutOfBand() != (a.Case == "D" || a.Case == "F") {
				t.Error("out of band, or not")
			}
		})
	}
}

// Keys are found under any name that somebody may read off a screen, and hits
// name each role.
func TestByKey(t *testing.T) {
	k := known(t)
	key := ceremonytest.Object(t, "holder-2")
	for _, name := range []string{key.ID, key.Fingerprint()} {
		a, err := assess(t, k, "key:"+name)
		if err != nil || len(a.Hits) != 1 || a.Hits[0].Token.Name != "holder-2" || strings.Join(a.Hits[0].Roles, " ") != "root targets" {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// What cannot be judged is said, never passed over.
func TestWarnings(t *testing.T) {
	for _, row := range []struct {
		selectors string
		want      []string
	}{
		{"firmware:<5.7", []string{
			"unknown: the firmware of holder-4, serial 1004 is not attested (no evidence is there), so firmware:<5.7 cannot judge it",
			"unknown: the firmware of holder-5, serial 1005 is not attested, so",
			"holder-3, serial 1003 is not judged by firmware:<5.7: YubiKeys and YubiHSM 2s are numbered apart, and its firmware is 2.4.1",
		}},
		{"holder:holder-5", []string{"afterwards root has 4 keys and 3 must sign: one more may be lost"}},
		{"holder:holder-5 holder:holder-4", []string{"afterwards root has 3 keys and 3 must sign: if one more is lost, no root can be made any more (case F)"}},
		{"holder:holder-5 holder:holder-4 firmware:<5.7", []string{
			"afterwards root has 2 keys and 3 must sign: draft refuses until 1 new token is listed",
			"3 keys of root are weak or in other hands, and 3 are enough",
		}},
		{"holder:holder-1 holder:holder-2", []string{"nothing here says that the online keys are safe", "draft refuses until 1 new token is listed", "name it with --trusted-targets"}},
		{"role:root", []string{"of 5 keys of root 0 are left: decide its threshold anew"}},
	} {
		a, err := assess(t, known(t), strings.Fields(row.selectors)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range row.want {
			if !slices.ContainsFunc(a.Warnings, func(s string) bool { return strings.Contains(s, want) }) {
				t.Errorf("%s: %q, want %q", row.selectors, a.Warnings, want)
			}
		}
	}
	a, err := assess(t, known(t), "role:timestamp")
	if err != nil || len(a.Warnings) != 1 || !strings.HasPrefix(a.Warnings[0], "afterwards targets has 3 keys") {
		t.Errorf("with all of root left: %q, %v", a.Warnings, err)
	}
}

// Two keys in one device are lost with it.
func TestNeighbours(t *testing.T) {
	k := known(t)
	k.Roster.Holders[3].Tokens[0].Serial = "1005"
	a, err := assess(t, k, "key:"+ceremonytest.Object(t, "holder-5").ID)
	if err != nil || !slices.Contains(a.Warnings, "the device of holder-5 holds holder-4 as well: if the device is gone, name device:1005") {
		t.Errorf("%q, %v", a.Warnings, err)
	}
	k.Roster.Holders[3].Tokens[0].Serial = ""
	k.Firmware["holder-4"] = compromise.Firmware{Device: compromise.YubiKey, Serial: "1005", Version: "5.7.1"} // attested, and not planned
	if a, err = assess(t, k, "device:1005"); err != nil || len(a.Hits) != 2 || strings.Contains(strings.Join(a.Warnings, " "), "as well") {
		t.Errorf("%+v, %v", a, err)
	}
}

// A selector is strict: a slip is an error that names what there is.
func TestRefusals(t *testing.T) {
	for typed, want := range map[string]string{
		"holder-3":            `"holder-3": it does not say of what kind it is|write key:FINGERPRINT`,
		"token:holder-3":      "it does not say of what kind it is|write key:FINGERPRINT",
		"holder:":             "after the colon nothing stands|write key:",
		"holder: holder-3":    "after the colon nothing stands|without blanks",
		"holder:\x1b[2J":      `"holder:\x1b[2J": after the colon`,
		"holder:holder-9":     "no holder of a key in root 1 has that name|root 1 has: holder-1; holder-2; holder-3; holder-4; holder-5",
		"holder:Holder-1":     "no holder of a key in root 1 has that name",
		"holder:holder-6":     "the holder has no key in root 1",
		"device:9999":         "no key in root 1 is known to be in a device of that serial|1001 (holder-1); 1002 (holder-2)",
		"role:bins":           "root 1 has no such role|root 1 has: root; targets; snapshot; timestamp",
		"key:6f2e":            "root 1 has no such key|" + "(holder-1, serial 1001); ",
		"firmware:5":          "it is no range of firmware|firmware:<5.7 (below)",
		"firmware:<5.7-5.8":   "it is no range of firmware",
		"firmware:<05.7":      "it is no range of firmware",
		"firmware:5.7-5.6":    "it is no range of firmware",
		"firmware:<0.0.0":     "it is no range of firmware",
		"firmware:<5.256":     "it is no range of firmware",
		"firmware:<=5.7":      "it is no range of firmware",
		"firmware:nitrokey<3": "it is no range of firmware",
		"firmware:<5.4":       "no device that has attested its firmware has one in that range|holder-1, serial 1001: 5.4.3; holder-2, serial 1002: 5.7.1; holder-3, serial 1003: 2.4.1; holder-4, serial 1004: unknown, no evidence is there; holder-5, serial 1005: unknown",
	} {
		k := known(t)
		k.Roster.Holders = append(k.Roster.Holders, roster.Holder{Name: "holder-6"})
		_, err := assess(t, k, typed)
		problem, remedy, _ := strings.Cut(want, "|")
		var e *compromise.Error
		if !errors.As(err, &e) || !strings.Contains(strings.ReplaceAll(e.Error(), `\u001b`, `\x1b`), strings.ReplaceAll(problem, "\x1b", `\x1b`)) || !strings.Contains(e.Hint(), remedy) {
			t.Errorf("%q: %v; %+v", typed, err, e)
		}
	}
}

func TestFirmwareRanges(t *testing.T) {
	for typed, want := range map[string]string{
		"firmware:<5.7":             "5.0.0 5.4.3 5.6.255",
		"firmware:<5.7.1":           "5.0.0 5.4.3 5.6.255 5.7.0",
		"firmware:5.7":              "5.7.0 5.7.1",
		"firmware:5.4.3":            "5.4.3",
		"firmware:5.4-5.7.0":        "5.4.3 5.6.255 5.7.0",
		"firmware:5.4.3-5.7":        "5.4.3 5.6.255 5.7.0 5.7.1",
		"firmware:yubikey5.4":       "5.4.3",
		"firmware:yubihsm2<255.0.0": "",
		"firmware:<255.255.255":     "5.0.0 5.4.3 5.6.255 5.7.0 5.7.1",
	} {
		var found []string
		for _, version := range []string{"5.0.0", "5.4.3", "5.6.255", "5.7.0", "5.7.1"} {
			k := known(t)
			k.Firmware = map[string]compromise.Firmware{"holder-1": {Device: compromise.YubiKey, Version: version}}
			if _, err := assess(t, k, typed); err == nil {
				found = append(found, version)
			}
		}
		if strings.Join(found, " ") != want {
			t.Errorf("%s finds %q, want %q", typed, found, want)
		}
	}
}

// Steps name who is needed and what to type, in an order that works: the online
// signer stops first, and a command comes after what it needs.
func TestSteps(t *testing.T) {
	for selectors, want := range map[string][]string{
		"holder:holder-5":                 {"ceremony draft r", "ceremony review r", "ceremony sign r --token NAME", "ceremony merge r COPY", "ceremony seal r -o r.bundle", "ceremony publish r.bundle REPOSITORY", "ceremony verify r.bundle"},
		"role:timestamp":                  {"Stop the online signer", "openssl genpkey", "r/keys/online-new.pem", "ceremony draft r", "--online-key online-new.key"},
		"holder:holder-1 holder:holder-2": {"Stop the online signer", "Compare the trusted targets", "ceremony token provision r", "ceremony draft r", "ceremony publish r.bundle"},
		"role:root":                       {"Tell users", "openssl genpkey", "ceremony token provision r", "ceremony draft r", "NEW-REPOSITORY", "ceremony inspect NEW-REPOSITORY/root.json"},
	} {
		a, err := assess(t, known(t), strings.Fields(selectors)...)
		if err != nil {
			t.Fatal(err)
		}
		e := compromise.Event{Dir: "r"}
		if a.Online() {
			e.Online = []string{"keys/online-new.pem"}
		}
		a.Plan(e)
		var text strings.Builder
		for _, s := range a.Steps {
			if s.Who == "" || s.Do == "" || s.Commands == nil {
				t.Errorf("%s: %+v", selectors, s)
			}
			fmt.Fprintf(&text, "%s %s\n", s.Do, strings.Join(s.Commands, "\n"))
		}
		at := 0
		for _, w := range want {
			i := strings.Index(text.String()[at:], w)
			if i < 0 {
				t.Fatalf("%s: %q does not follow in\n%s", selectors, w, text.String())
			}
			at += i
		}
	}
}

// Expiry is judged at the time that is given.
func TestExpired(t *testing.T) {
	k := known(t)
	k.Now = time.Date(2028, 1, 10, 9, 0, 0, 0, time.UTC)
	a, err := assess(t, k, "holder:holder-5")
	if err != nil || !a.Expired || !slices.ContainsFunc(a.Warnings, func(s string) bool { return strings.Contains(s, "(case E)") }) {
		t.Errorf("at its expiry: %+v, %v", a, err)
	}
}

// A one-time key is no lost key where there is evidence of its end: it stays in
// targets while nothing of targets is compromised, and whoever has its device
// since has it where that could not be proved.
func TestDestroyed(t *testing.T) {
	const words = "destroyed on 2027-01-31T09:00:00Z"
	for _, row := range []struct {
		name      string
		destroyed compromise.Destroyed
		selector  string
		want      string // case
		resting   int
		says      string
	}{
		{"another's loss", compromise.Destroyed{Words: words}, "holder:holder-5", "A", 2, "its one-time keys, which are said to be destroyed, stay listed: what they have signed is to verify"},
		{"its role", compromise.Destroyed{Words: words, Gone: true}, "role:targets", "B", 0, "It counts as one in other hands all the same"},
		{"both devices, and nothing proves it", compromise.Destroyed{Words: words}, "device:77", "B", 0, "It counts as one in other hands all the same"},
		{"another's loss, and it is proved", compromise.Destroyed{Words: words, Proved: true}, "holder:holder-5", "A", 2, "its one-time keys, which were destroyed, as is proved, stay listed"},
		{"a holder, who had it while it was there", compromise.Destroyed{Words: words, Proved: true, Gone: true}, "holder:holder-1", "A", 0, "It counts as one in other hands all the same"},
		{"both devices, and it is proved", compromise.Destroyed{Words: words, Proved: true, Gone: true}, "device:77", "A", 2, "Whoever has the device now does not have the key"},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := known(t)
			k.Destroyed = map[string]compromise.Destroyed{}
			var ids []string
			for i, name := range []string{"once-1", "once-2"} {
				key := ceremonytest.Object(t, name)
				k.Root.Keys[key.ID] = key
				ids = append(ids, key.ID)
				h := &k.Roster.Holders[i]
				h.Tokens = append(h.Tokens, &roster.Token{Name: name, Holder: h.Name, Serial: "77", Key: key, OneTime: true, Lost: true})
				k.Destroyed[name] = row.destroyed
			}
			k.Roster.Holders[4].Tokens[0].Serial = "77" // so that the selector finds one that is there
			k.Root.Roles["targets"].KeyIDs, k.Root.Roles["targets"].Threshold = ids, 2
			a, err := assess(t, k, row.selector)
			if err != nil {
				t.Fatal(err)
			}
			if a.Case != row.want || len(a.Resting()) != row.resting || a.SignsTargets() != (row.resting == 0) {
				t.Errorf("case %s, %d rest, signs targets: %t", a.Case, len(a.Resting()), a.SignsTargets())
			}
			if text := strings.Join(a.Warnings, "\n"); !strings.Contains(text, row.says) || !strings.Contains(text, words) {
				t.Errorf("%q is not in:\n%s", row.says, text)
			}
		})
	}
}

// A selector that finds nothing but what is gone says so.
func TestOnlyDestroyed(t *testing.T) {
	k := known(t)
	key := ceremonytest.Object(t, "once-1")
	k.Root.Keys[key.ID] = key
	k.Root.Roles["targets"].KeyIDs = append(k.Root.Roles["targets"].KeyIDs, key.ID)
	h := &k.Roster.Holders[0]
	h.Tokens = append(h.Tokens, &roster.Token{Name: "once-1", Holder: h.Name, Serial: "77", Key: key, OneTime: true, Lost: true})
	k.Destroyed = map[string]compromise.Destroyed{"once-1": {Words: "destroyed on a day", Gone: true}}
	more := ceremonytest.Object(t, "once-2")
	k.Root.Keys[more.ID] = more
	k.Root.Roles["targets"].KeyIDs = append(k.Root.Roles["targets"].KeyIDs, more.ID)
	h.Tokens = append(h.Tokens, &roster.Token{Name: "once-2", Holder: h.Name, Serial: "77", Key: more, OneTime: true, Lost: true})
	k.Destroyed["once-2"] = compromise.Destroyed{Words: "destroyed on another", Gone: true}
	_, err := assess(t, k, "device:77")
	var e *compromise.Error
	if !errors.As(err, &e) || !strings.Contains(e.Error(), "the only keys in root 1 that it could mean are gone: once-1 was destroyed on a day; once-2 was destroyed on another") {
		t.Fatalf("error is %v", err)
	}
	// What the hint gives to type finds them; the same serial would not.
	for _, once := range []*tufmeta.Key{key, more} {
		typed := "key:" + once.Fingerprint()
		if !strings.Contains(e.Hint(), typed) || strings.Contains(e.Hint(), "77 (") {
			t.Errorf("the hint is %q", e.Hint())
		}
		if a, err := assess(t, k, typed); err != nil || len(a.Tokens()) != 1 {
			t.Errorf("%s finds %v, %v", typed, a, err)
		}
	}
}
