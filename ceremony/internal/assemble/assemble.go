// Package assemble puts payloads and signatures together: which signatures
// count, what is still missing, and the envelopes that clients fetch.
//
//	c, err := assemble.Collect(files)  // judges every signature file
//	p := c.Progress(&plan.Roster)      // who signed, who is missing
//	metadata, err := c.Envelopes()     // refuses below any threshold
//
// A signature counts if it names this event and this payload, its key ID is
// one of the role's under the old root or the new, or under a role that delegates
// to it, and the key verifies it. All others are dropped, each with the check that
// says why. Without leaves out as well what keys in other hands have signed: the
// thief's is a signature too.
package assemble

import (
	"bytes"
	"fmt"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
)

// Collection is the signatures of a folder, judged.
type Collection struct {
	Event   folder.Event
	Demands []quorum.Demand
	Good    map[folder.Version][]sign.File // in the order of their names
	Dropped []check.Result                 // the subject is the file's name
	files   folder.Files
	revoked *roster.Roster // nil where nobody has said whose keys are in other hands
}

// Collect judges the signature files of a folder.
func Collect(files folder.Files) (*Collection, error) {
	demands, err := quorum.Demands(files)
	if err != nil {
		return nil, err
	}
	c := &Collection{Event: files.Event(), Demands: demands, files: files}
	c.collect()
	return c, nil
}

// Without leaves out the signatures of keys that a plan takes to be in other
// hands: a threshold is to be reached by those who have not lost theirs.
func (c *Collection) Without(r *roster.Roster) {
	c.revoked = r
	c.collect()
}

func (c *Collection) collect() {
	c.Good, c.Dropped = map[folder.Version][]sign.File{}, nil
	for _, name := range c.files.Names(folder.Signatures) {
		if bad := c.Judge(name, c.files[name]); bad != nil {
			c.Dropped = append(c.Dropped, *bad)
			continue
		}
		f, _ := sign.Parse(name, c.files[name])
		v := folder.Version{Role: f.Role, Version: f.Version}
		c.Good[v] = append(c.Good[v], f)
	}
	check.Draft.Weigh(c.Dropped)
}

// Judge says why a signature file is not kept, or nil where it is.
func (c *Collection) Judge(name string, data []byte) *check.Result {
	say := func(id, format string, args ...any) *check.Result {
		r := check.New(id, name, format, args...)
		r.Level = check.Draft.Level(r)
		return &r
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return say("SIG-EMPTY", "the file is empty")
	}
	f, err := sign.Parse(name, data)
	if err != nil {
		return say("SIG-INVALID", "%v", err)
	}
	v := folder.Version{Role: f.Role, Version: f.Version}
	payload, ok := c.files[folder.Payload+"/"+v.File()]
	switch {
	case f.Sig == "":
		return say("SIG-EMPTY", "the signature is an empty string")
	case !ok:
		return say("SIG-FOREIGN", "this ceremony has no payload %s", tufmeta.Printable(v.String()))
	case f.Event != c.Event.String() || f.Payload != tufmeta.Digest(payload):
		return say("EVENT-MISMATCH", "the signature was made for event %s…, and this is event %s…", tufmeta.Printable(f.Event[:min(16, len(f.Event))]), c.Event.String()[:16])
	}
	listed := false
	for _, d := range c.Demands {
		if d.Payload != v {
			continue
		}
		switch tufmeta.Count(payload, []tufmeta.Signature{{KeyID: f.KeyID, Sig: f.Sig}}, d.Keys, d.Role).Judged[0].Verdict {
		case tufmeta.Valid:
			if t := c.thief(d.Keys[f.KeyID]); t != nil {
				return say("SIG-FOREIGN", "by the plan the key of %s is in other hands: somebody else has it, and has signed this event", t.Describe())
			}
			return nil
		case tufmeta.Invalid:
			listed = true
		}
	}
	if !listed {
		return say("SIG-FOREIGN", "the key is none that may sign %s", v)
	}
	return say("SIG-INVALID", "the signature does not belong to this key and this payload")
}

// thief is the token whose key is in other hands, or nil.
func (c *Collection) thief(key *tufmeta.Key) *roster.Token {
	if c.revoked == nil {
		return nil
	}
	if t, ok := c.revoked.ByFingerprint(key.Fingerprint()); ok && t.Compromised {
		return t
	}
	return nil
}

// Progress is one demand and how far it has come.
type Progress struct {
	quorum.Demand
	Members []Member
	Have    int // distinct public keys that signed
}

// Member is a member of a demand and whether it has signed.
type Member struct {
	quorum.Member
	Signed bool
}

// Reached reports whether enough have signed.
func (p Progress) Reached() bool { return p.Role.Threshold >= 1 && p.Have >= p.Role.Threshold }

// Progress tells how far each demand has come.
func (c *Collection) Progress(r *roster.Roster) []Progress {
	var all []Progress
	for _, d := range c.Demands {
		tally := tufmeta.Count(c.files[folder.Payload+"/"+d.Payload.File()], c.signatures(d.Payload), d.Keys, d.Role)
		p := Progress{Demand: d, Have: tally.Valid()}
		for _, m := range d.Members(r) {
			p.Members = append(p.Members, Member{m, slices.Contains(tally.Signers, m.Fingerprint)})
		}
		all = append(all, p)
	}
	return all
}

// Envelopes gives the metadata files by path in the folder. Below any
// threshold it is a *check.Error that names each.
func (c *Collection) Envelopes() (folder.Files, error) {
	if err := c.reached(); err != nil {
		return nil, err
	}
	metadata := folder.Files{}
	for _, v := range c.payloads() {
		data, err := Envelope(c.files[folder.Payload+"/"+v.File()], c.signatures(v))
		if err != nil {
			return nil, fmt.Errorf("assembling %s: %w", v, err)
		}
		metadata[folder.Metadata+"/"+v.File()] = data
	}
	return metadata, nil
}

// Confirm wants metadata files to be what Envelopes would make, to the byte. What
// Envelopes refuses it refuses.
func (c *Collection) Confirm(metadata folder.Files) error {
	if err := c.reached(); err != nil {
		return err
	}
	payloads := c.payloads()
	for _, name := range metadata.Names(folder.Metadata) {
		same := false
		v, err := folder.ParseVersion(name)
		if err == nil && slices.Contains(payloads, v) {
			same, err = makes(c.files[folder.Payload+"/"+v.File()], c.signatures(v), metadata[name])
		}
		if err != nil {
			return fmt.Errorf("assembling %s: %w", v, err)
		}
		if !same {
			return fmt.Errorf("%s is not what its payload and signatures make", name)
		}
	}
	return nil
}

func (c *Collection) reached() error {
	var short []check.Result
	for _, p := range c.Progress(&roster.Roster{}) {
		if p.Reached() {
			continue
		}
		id := "THRESHOLD-NEW"
		if p.Old {
			id = "THRESHOLD-OLD"
		}
		short = append(short, check.New(id, p.Payload.String(), "%d of %d signatures under %s", p.Have, p.Role.Threshold, p.Whose()))
	}
	return check.Refuse(check.Draft.Weigh(short))
}

// payloads are those that are made into metadata: each once, however many delegate
// to it.
func (c *Collection) payloads() []folder.Version {
	var all []folder.Version
	for _, d := range c.Demands {
		if !d.Old && !slices.Contains(all, d.Payload) {
			all = append(all, d.Payload)
		}
	}
	return all
}

func (c *Collection) signatures(v folder.Version) []tufmeta.Signature {
	var all []tufmeta.Signature
	for _, f := range c.Good[v] {
		all = append(all, tufmeta.Signature{KeyID: f.KeyID, Sig: f.Sig})
	}
	return all
}
