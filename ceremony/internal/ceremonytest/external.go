package ceremonytest

import (
	"encoding/hex"
	"testing"
	"time"

	"tufceremony/ceremony/internal/assemble"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// OtherRoot is a root of another repository, which has other people, and tools that
// add a field of their own to each key.
type OtherRoot struct {
	Version int64
	Expires time.Time // with the zero value in 2030
	// Root and Targets are names of keys, of which two must sign; with none, two
	// of three. Threshold is that of targets, where it is not 2.
	Root, Targets []string
	Threshold     int
	By            []string // who signs the root; with none, those in Root
	Change        func(signed map[string]any)
}

var (
	theirRoot    = []string{"their-root-1", "their-root-2", "their-root-3"}
	theirTargets = []string{"theirs-1", "theirs-2", "theirs-3"}
)

// OtherKey is how the other repository lists a key.
func OtherKey(t testing.TB, name string) *tufmeta.Key {
	t.Helper()
	object := Object(t, name).Object
	object["x-owner"] = name
	key, err := tufmeta.WithID(object)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// File gives the bytes of the root.
func (o OtherRoot) File(t testing.TB) []byte {
	t.Helper()
	if o.Expires.IsZero() {
		o.Expires = day(2030, 1, 1)
	}
	if o.Root == nil {
		o.Root = theirRoot
	}
	if o.Targets == nil {
		o.Targets = theirTargets
	}
	if o.Threshold == 0 {
		o.Threshold = 2
	}
	if o.By == nil {
		o.By = o.Root
	}
	keys := map[string]any{}
	role := func(threshold int, names []string) map[string]any {
		ids := []any{}
		for _, name := range names {
			key := OtherKey(t, name)
			keys[key.ID] = key.Object
			ids = append(ids, key.ID)
		}
		return map[string]any{"keyids": ids, "threshold": int64(threshold)}
	}
	online := role(1, []string{"their-online"})
	signed := map[string]any{"_type": "root", "spec_version": tufmeta.SpecVersion, "version": o.Version, "expires": tufmeta.Stamp(o.Expires), "consistent_snapshot": true, "keys": keys,
		"roles": map[string]any{"root": role(2, o.Root), "targets": role(o.Threshold, o.Targets), "snapshot": online, "timestamp": online}}
	if o.Change != nil {
		o.Change(signed)
	}
	return OtherSigned(t, signed, o.By...)
}

// OtherSigned is metadata that people of the other repository have signed.
func OtherSigned(t testing.TB, signed map[string]any, by ...string) []byte {
	t.Helper()
	payload, err := tufmeta.Encode(signed)
	if err != nil {
		t.Fatal(err)
	}
	var signatures []tufmeta.Signature
	for _, name := range by {
		signatures = append(signatures, tufmeta.Signature{KeyID: OtherKey(t, name).ID, Sig: hex.EncodeToString(Signature(t, name, payload))})
	}
	data, err := assemble.Envelope(payload, signatures)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// External goes on from the Genesis with a targets ceremony: targets delegates
// to the other repository "theirs", of which these roots are known.
func External(t testing.TB, roots ...OtherRoot) *Ceremony {
	t.Helper()
	return ExternalFrom(t, ExternalPlan(t, roots...), Trusted(t), roots...)
}

// ExternalFrom is External with a plan and what is trusted beforehand.
func ExternalFrom(t testing.TB, p *plan.Plan, trusted folder.Files, roots ...OtherRoot) *Ceremony {
	t.Helper()
	c := Start(t, p, trusted)
	for _, root := range roots {
		c.Files[folder.ExternalFile("theirs", root.Version)] = root.File(t)
	}
	return c
}

// ExternalPlan is the plan of External.
func ExternalPlan(t testing.TB, roots ...OtherRoot) *plan.Plan {
	t.Helper()
	p := GenesisPlan()
	p.Kind, p.Root = plan.Targets, nil
	first, last := roots[0], roots[len(roots)-1]
	p.Externals = []plan.External{{Name: "theirs", Root: first.Version, SHA256: tufmeta.Digest(first.File(t)), NewestRoot: last.Version, NewestSHA256: tufmeta.Digest(last.File(t)), Source: "their web page, read over two networks"}}
	p.Targets = &plan.TargetsPlan{Version: 2, Expires: p.Targets.Expires, Delegations: &plan.Delegations{Roles: []plan.Delegation{
		{Name: "theirs", External: "theirs", Paths: []string{"theirs/*"}, Terminating: true},
	}}}
	return p
}
