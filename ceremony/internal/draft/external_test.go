package draft_test

import (
	"reflect"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/draft"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// Keys of published roots, of every tool that wrote them, are imported as they
// stand, or in the form of the specification.
func TestImportSigstore(t *testing.T) {
	for _, n := range []int64{1, 4, 5, 9, 12} {
		file := folder.ExternalFile("theirs", n)
		c := ceremonytest.External(t, ceremonytest.OtherRoot{Version: 1})
		delete(c.Files, folder.ExternalFile("theirs", 1))
		c.Files[file] = ceremonytest.Read(t, "sigstore/root/"+folder.Version{Role: "root", Version: n}.File())
		c.Payloads()
		delegations := decode(t, tufmeta.JSON(c.Files["payload/2.targets.json"]))["delegations"].(object)
		role := delegations["roles"].([]any)[0].(object)
		root := decode(t, c.Files[file])["signed"].(object)
		theirs := root["roles"].(object)["targets"].(object)
		if !reflect.DeepEqual(role["threshold"], theirs["threshold"]) || len(role["keyids"].([]any)) != 5 {
			t.Errorf("root %d: imports %v", n, role)
		}
		if same := reflect.DeepEqual(role["keyids"], theirs["keyids"]); same != (n >= 9) {
			t.Errorf("root %d: key IDs are the same: %t", n, same)
		}
		for id, object := range delegations["keys"].(object) {
			if n >= 9 && !reflect.DeepEqual(object, root["keys"].(map[string]any)[id]) {
				t.Errorf("root %d: key %s is another object", n, id)
			}
		}
		targets, err := tufmeta.ParseSigned(c.Files["payload/2.targets.json"])
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := tufmeta.ParseTargets(targets)
		if err != nil {
			t.Fatal(err)
		}
		for id, key := range parsed.Delegations.Keys() {
			if !key.IDMatches() || !key.Standard() {
				t.Errorf("root %d: key %s is not mended", n, id)
			}
		}
	}
}

// A key that cannot be listed is refused, and not left out.
func TestImportRefuses(t *testing.T) {
	id := ceremonytest.OtherKey(t, "theirs-1").ID
	for name, row := range map[string]struct {
		want   string
		change func(s object)
	}{
		"a scheme that nobody knows": {`cannot be listed: scheme "other" of key type "ecdsa" is not known`, func(s object) { s["keys"].(object)[id].(object)["scheme"] = "other" }},
		"a key for which anybody signs": {"cannot be listed: an Ed25519 key of small order is too weak", func(s object) {
			s["keys"].(object)[id] = object{"keytype": "ed25519", "scheme": "ed25519", "keyval": object{"public": "01" + strings.Repeat("00", 31)}}
		}},
		"a key that is not there": {"the role names it, and it is not among the keys", func(s object) { delete(s["keys"].(object), id) }},
		"no targets":              {`importing the keys of "theirs": its root 1 has no role targets`, func(s object) { delete(s["roles"].(object), "targets") }},
	} {
		c := ceremonytest.External(t, ceremonytest.OtherRoot{Version: 1, Change: row.change})
		p, err := plan.Parse(c.Files[folder.Plan])
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Roster.LoadKeys(c.Files); err != nil {
			t.Fatal(err)
		}
		if payloads, err := draft.Payloads(p, c.Files); err == nil || !strings.Contains(err.Error(), row.want) || len(payloads) > 0 {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}
