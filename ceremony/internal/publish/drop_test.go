package publish_test

import (
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
)

// handsOn is what is trusted, with targets that hand on as given.
func handsOn(t *testing.T, members object) folder.Files {
	t.Helper()
	key := ceremonytest.Object(t, "holder-1")
	role := func(more object) object {
		more["keyids"], more["threshold"] = []any{key.ID}, int64(1)
		return more
	}
	return ceremonytest.Other(t, func(object) {}, func(signed object) {
		delegations := object{"keys": object{key.ID: key.Object}}
		if name, ok := members["role"]; ok {
			delegations["roles"] = []any{role(object{"name": name, "terminating": false, "paths": []any{"docs/*"}})}
		} else {
			delegations["succinct_roles"] = role(object{"name_prefix": "bin", "bit_length": int64(10)})
		}
		signed["delegations"] = delegations
	})
}

// A file that clients need and that is gone is named. The online key signs no
// snapshot that lists it; what another signer has listed is told.
func TestMissingFiles(t *testing.T) {
	plain, docs, bins := ceremonytest.Trusted(t), handsOn(t, object{"role": "docs"}), handsOn(t, object{})
	const needed = "SNAPSHOT-DROP, snapshot "
	for _, row := range []struct {
		name    string
		trusted folder.Files
		file    string // that is listed, with version 3
		there   bool
		gone    string
	}{
		{"it is there", docs, "docs", true, ""},
		{"it is gone", docs, "docs", false, ": clients look for 3.docs.json, and metadata/ does not have it"},
		{"nothing hands on to it", plain, "docs", false, ""},
		{"targets hands on to another", docs, "bin-00f", false, ""},
		{"a bin is gone", bins, "bin-00f", false, ": clients look for 3.bin-00f.json, and metadata/ does not have it"},
		{"it is no bin", bins, "bin-0f", false, ""},
		{"it is no bin either", bins, "bin-00g", false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			bundle := targetsBundle(t, row.trusted)
			for _, online := range []string{"", "online"} {
				p := newPlace(t, row.trusted)
				if row.there {
					p.put("metadata/3."+row.file+".json", []byte("{}"))
				}
				p.signer(1, object{"targets.json": entry(1, 0), row.file + ".json": entry(3, 0)}, 0, true)
				found, err := p.prepared(bundle, online)
				switch {
				case row.gone == "":
					want(t, found, err, "", "")
				case online == "":
					want(t, found, err, "finding: "+needed+"1"+row.gone, "")
				default:
					want(t, found, err, "", needed+"2"+row.gone)
				}
			}
		})
	}
}

// A snapshot that lists a newer version than the repository still has is not
// followed by one that goes back.
func TestLowerVersion(t *testing.T) {
	p := newPlace(t, ceremonytest.Trusted(t))
	p.signer(1, object{"targets.json": entry(3, 0)}, 0, true)
	found, err := p.prepared(targetsBundle(t, ceremonytest.Trusted(t)), "online")
	want(t, found, err, "", "SNAPSHOT-DROP, snapshot 2: it lists a lower version than snapshot 1: targets.json (2, and 3 before)")
}

// What another signer has dropped is told, and keeps no ceremony back.
func TestSignerDrops(t *testing.T) {
	for name, row := range map[string]struct {
		before, now object
		finding     string
	}{
		"nothing":        {object{"targets.json": entry(1, 0)}, object{"targets.json": entry(1, 0)}, ""},
		"a file":         {object{"targets.json": entry(1, 0), "docs.json": entry(1, 0)}, object{"targets.json": entry(1, 0)}, "finding: SNAPSHOT-DROP, snapshot 8: it no longer lists docs.json, which snapshot 7 lists"},
		"a version back": {object{"targets.json": entry(2, 0)}, object{"targets.json": entry(1, 0)}, "finding: SNAPSHOT-DROP, snapshot 8: it lists a lower version than snapshot 7: targets.json (1, and 2 before)"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, ceremonytest.Trusted(t))
			p.signer(7, row.before, 0, true)
			p.signer(8, row.now, 0, true)
			found, err := p.prepared(targetsBundle(t, ceremonytest.Trusted(t)), "")
			want(t, found, err, row.finding, "")
		})
	}
}

// With both online keys replaced clients begin anew, and the new key drops what
// only the old one has listed. What targets hands on to is named all the same.
func TestNewOnlineKeyDrops(t *testing.T) {
	for name, row := range map[string]struct {
		trusted folder.Files
		refusal string
	}{
		"nothing hands on to it": {ceremonytest.Trusted(t), ""},
		"targets hands on to it": {handsOn(t, object{"role": "docs"}), "SNAPSHOT-DROP, snapshot 1: clients look for docs.json, and metadata/ does not have it"},
	} {
		t.Run(name, func(t *testing.T) {
			rotation := ceremonytest.RotationPlan()
			rotation.Roster.Online = append(rotation.Roster.Online, &roster.Token{Name: "other", KeyFile: "keys/other.pem"})
			for _, role := range []string{"snapshot", "timestamp"} {
				rotation.Root.Roles[role] = plan.Role{Threshold: 1, Tokens: []string{"other"}}
			}
			bundle := sealed(t, rotation, row.trusted, "holder-1", "holder-3", "holder-4", "holder-5", "holder-6")
			p := newPlace(t, row.trusted)
			p.signer(7, object{"targets.json": entry(1, 0), "docs.json": entry(9, 0)}, 0, true)
			found, err := p.prepared(bundle, "other")
			want(t, found, err, "", row.refusal)
		})
	}
}
