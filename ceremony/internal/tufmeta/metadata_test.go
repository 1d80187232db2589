package tufmeta_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/tufmeta"
)

const common = `"_type":"%s","expires":"2028-01-10T09:00:00Z","spec_version":"1.0.34","version":1`

func TestParseEnvelopeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                             "metadata is not an object",
		`{"signed":{}}`:                  "signatures is not an array",
		`{"signatures":[]}`:              "signed is not an object",
		`{"signatures":[1],"signed":{}}`: "signatures[0] is not an object",
		`{"signatures":[{"keyid":1,"sig":""}],"signed":{}}`:            "signatures[0].keyid is not a string",
		`{"signatures":[{"keyid":""}],"signed":{}}`:                    "signatures[0].sig is not a string",
		`{"signatures":[{"keyid":"","sig":null}],"signed":{}}`:         "signatures[0].sig is not a string",
		`{"signatures":[{"keyid":"","sig":"","SIG":"x"}],"signed":{}}`: `"SIG", which some clients read as "sig"`,
		`{"signatures":[],"signed":{},"Signed":{}}`:                    `"Signed", which some clients read as "signed"`,
		`{"signatures":[],"signed":{},"` + "\u017figned" + `":{}}`:     `which some clients read as "signed"`,
		`{"signatures":[],"signed":{},"signed":{}}`:                    `member "signed" stands twice`,
		`{"signatures":[],"signed":{"version":1.5}}`:                   "in signed.version: numbers must be integers",
	} {
		if env, err := tufmeta.ParseEnvelope([]byte(text)); err == nil || env != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestParseRootRefuses(t *testing.T) {
	const rest = `"keys":{},"roles":{}`
	head := fmt.Sprintf(common, "root")
	for text, want := range map[string]string{
		`{` + fmt.Sprintf(common, "targets") + `,` + rest + `}`:                             `signed._type is "targets", and root was wanted`,
		`{` + head + `,"keys":{}}`:                                                          "signed.roles is not an object",
		`{` + head + `,"roles":{}}`:                                                         "signed.keys is not an object",
		`{` + head + `,"keys":{"a":1},"roles":{}}`:                                          "signed.keys.a is not an object",
		`{` + head + `,"keys":{"a":{"KeyType":"x"}},"roles":{}}`:                            `signed.keys.a has a member "KeyType"`,
		`{` + head + `,"keys":{"a":{"keyval":{"Public":"x"}}},"roles":{}}`:                  `signed.keys.a.keyval has a member "Public"`,
		`{` + head + `,"keys":{},"roles":{"root":{"keyids":[1],"threshold":1}}}`:            "signed.roles.root.keyids[0] is not a string",
		`{` + head + `,"keys":{},"roles":{"root":{"keyids":[],"threshold":"1"}}}`:           "signed.roles.root.threshold is not an integer",
		`{` + head + `,"keys":{},"roles":{"root":{"keyids":[],"threshold":4294967297}}}`:    "signed.roles.root.threshold is beyond",
		`{` + head + `,"keys":{},"roles":{"root":{"keyids":[],"threshold":1,"KeyIDs":[]}}}`: `signed.roles.root has a member "KeyIDs"`,
		`{` + head + `,` + rest + `,"Version":7}`:                                           `signed has a member "Version", which some clients read as "version"`,
		`{` + head + `,` + rest + `,"consistent_snapshot":1}`:                               "signed.consistent_snapshot is neither true nor false",
		`{` + head + `,` + rest + `,"Roles":{}}`:                                            `signed has a member "Roles"`,
		`{"_type":"root","spec_version":"1","version":"1","expires":"",` + rest + `}`:       "signed.version is not an integer",
		`{"_type":"root","spec_version":1,"version":1,"expires":"",` + rest + `}`:           "signed.spec_version is not a string",
		`{"_type":"root","spec_version":"1","version":1,` + rest + `}`:                      "signed.expires is not a string",
	} {
		if root, err := tufmeta.ParseRoot(signed(t, text)); err == nil || root != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestParseTargets(t *testing.T) {
	text := `{` + fmt.Sprintf(common, "targets") + `,"targets":{"a/b":{"length":3,"hashes":{"sha256":"00"},"custom":{"x":1}}},"delegations":{"keys":{},
		"roles":[{"name":"one","keyids":["k"],"threshold":1,"terminating":true,"paths":["a/*"]},
		         {"name":"two","keyids":[],"threshold":2,"terminating":false,"path_hash_prefixes":["00"]}],
		"succinct_roles":{"keyids":["k"],"threshold":1,"bit_length":14,"name_prefix":"bins"}}}`
	targets, err := tufmeta.ParseTargets(signed(t, text))
	if err != nil {
		t.Fatal(err)
	}
	if want := (map[string]tufmeta.TargetFile{"a/b": {Length: 3, Hashes: map[string]string{"sha256": "00"}, Custom: map[string]any{"x": int64(1)}}}); !reflect.DeepEqual(targets.Files, want) {
		t.Errorf("files %v", targets.Files)
	}
	want := []tufmeta.Delegated{
		{Role: tufmeta.Role{KeyIDs: []string{"k"}, Threshold: 1}, Name: "one", Terminating: true, Paths: []string{"a/*"}},
		{Role: tufmeta.Role{Threshold: 2}, Name: "two", Prefixes: []string{"00"}},
		{Role: tufmeta.Role{KeyIDs: []string{"k"}, Threshold: 1}, Name: "bins", Bits: 14, Bins: 16384},
	}
	var have []tufmeta.Delegated
	for _, d := range targets.Delegations.All() {
		d.Raw = nil
		have = append(have, *d)
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("delegations %+v", have)
	}
}

func TestParseTargetsRefuses(t *testing.T) {
	head := fmt.Sprintf(common, "targets")
	for text, want := range map[string]string{
		`{` + head + `}`:                                                     "signed.targets is not an object",
		`{` + head + `,"targets":null}`:                                      "signed.targets is not an object",
		`{` + head + `,"targets":{"a":{"hashes":{}}}}`:                       "signed.targets.a.length is not an integer",
		`{` + head + `,"targets":{"a":{"length":1}}}`:                        "signed.targets.a.hashes is not an object",
		`{` + head + `,"targets":{"a":{"length":1,"hashes":{"sha256":1}}}}`:  "signed.targets.a.hashes.sha256 is not a string",
		`{` + head + `,"targets":{"a":{"length":1,"hashes":{},"Length":2}}}`: `signed.targets.a has a member "Length"`,
		`{` + head + `,"targets":{"a\u001b[2J":{}}}`:                         `signed.targets.a\u001b[2J.length`,
		`{` + head + `,"targets":{},"delegations":null}`:                     "signed.delegations is not an object",
		`{` + head + `,"targets":{},"delegations":{"keys":{},"roles":{}}}`:   "signed.delegations.roles is not an array",
		`{` + head + `,"targets":{},"delegations":{"keys":{},"roles":[{"keyids":[],"threshold":1,"name":"a","paths":null}]}}`:                  "signed.delegations.roles[0].paths is not an array",
		`{` + head + `,"targets":{},"delegations":{"keys":{},"roles":[{"keyids":[],"threshold":1}]}}`:                                          "signed.delegations.roles[0].name is not a string",
		`{` + head + `,"targets":{},"delegations":{"keys":{},"succinct_roles":{"keyids":[],"threshold":1,"bit_length":33,"name_prefix":"b"}}}`: "bit_length is not between 1 and 32",
		`{` + fmt.Sprintf(common, "root") + `,"targets":{}}`:                                                                                   `signed._type is "root", and targets was wanted`,
	} {
		if targets, err := tufmeta.ParseTargets(signed(t, text)); err == nil || targets != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestParseSnapshot(t *testing.T) {
	text := `{` + fmt.Sprintf(common, "snapshot") + `,"meta":{"targets.json":{"version":3,"length":5,"hashes":{"sha256":"00"}},"other.json":{"version":1}}}`
	have, err := tufmeta.ParseSnapshot(signed(t, text), "snapshot")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]tufmeta.MetaFile{"targets.json": {Version: 3, Length: 5, Hashes: map[string]string{"sha256": "00"}}, "other.json": {Version: 1}}
	if !reflect.DeepEqual(have.Meta, want) || have.Version != 1 {
		t.Errorf("%+v", have)
	}
	if _, err := tufmeta.ParseSnapshot(signed(t, text), "timestamp"); err == nil || !strings.Contains(err.Error(), "timestamp was wanted") {
		t.Errorf("a snapshot is taken for a timestamp: %v", err)
	}
}

func TestTimes(t *testing.T) {
	for text, row := range map[string]struct {
		formed bool
		want   string
	}{
		"2028-01-10T09:00:00Z":            {true, "2028-01-10T09:00:00Z"},
		"2021-12-18T13:28:12.99008-06:00": {false, "2021-12-18T19:28:12.99008Z"},
		"2022-05-11T19:09:02.663975009Z":  {false, "2022-05-11T19:09:02.663975009Z"},
		"2028-01-10T09:00:00+00:00":       {false, "2028-01-10T09:00:00Z"},
		"2028-01-10T09:00:00.000Z":        {false, "2028-01-10T09:00:00Z"},
		"2028-01-10t09:00:00z":            {false, ""},
		"2028-01-10 09:00:00Z":            {false, ""},
		"2028-02-30T09:00:00Z":            {false, ""},
		"2028-01-10T09:00:00":             {false, ""},
		" 2028-01-10T09:00:00Z":           {false, ""},
		"":                                {false, ""},
	} {
		have, err := tufmeta.Common{Expires: text}.ExpiresAt()
		if tufmeta.WellFormedTime(text) != row.formed || (err == nil) != (row.want != "") || err == nil && have.Format(time.RFC3339Nano) != row.want {
			t.Errorf("%q: well formed %t, %s, %v", text, tufmeta.WellFormedTime(text), have, err)
		}
	}
}

func signed(t *testing.T, text string) map[string]any {
	t.Helper()
	v, err := tufmeta.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v.(map[string]any)
}
