// Package roster knows who takes part: holders, the tokens that they bring,
// and the public key on each.
//
// A token entry is one key on one device: somebody who has root and targets
// keys in two slots of one YubiKey has two entries with one serial. People
// are found by public key, never by key ID or name:
//
//	token, ok := plan.Roster.ByFingerprint(key.Fingerprint())
//
// The package does not talk to devices. It knows what the plan says of them.
package roster

import (
	"errors"
	"fmt"
	"strings"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
)

// Holder is a person with one device or more.
type Holder struct {
	Name   string
	Tokens []*Token
}

// Token is one key on one device of one holder, or an online key, which has
// no holder and no device.
type Token struct {
	Name    string // what is typed after `sign --token`, and what roles list
	Holder  string // empty for an online key
	URI     string // how the device is reached; empty where the plan does not say
	Model   string
	Serial  string // as the device reports it; empty where unknown
	KeyFile string // "keys/holder-1.pem"
	// EvidenceFile is "keys/holder-1.attestation.pem": what the device says of
	// the key, signed by its maker. Empty where there is none.
	EvidenceFile string
	Lost         bool // cannot sign any more: lost, broken, or its holder is gone
	OneTime      bool // made for one ceremony: destroyed when it has signed what it owes
	// End is what the evidence of an earlier ceremony says of a one-time key of it:
	// a comment in the next plan, for people, which is not read again.
	End string
	// Compromised is a key in other hands: it is not counted on to sign, whoever
	// can. Weak is one that is to be replaced and is still its holder's: it signs
	// the threshold of the old root once more.
	Compromised, Weak bool
	Key               *tufmeta.Key
}

// Roster is everybody whom a plan names.
type Roster struct {
	Holders []Holder
	Online  []*Token
}

// Tokens lists all tokens, holders' first, in the order of the plan.
func (r *Roster) Tokens() []*Token {
	var tokens []*Token
	for _, h := range r.Holders {
		tokens = append(tokens, h.Tokens...)
	}
	return append(tokens, r.Online...)
}

// Token finds a token by its name.
func (r *Roster) Token(name string) (*Token, bool) {
	for _, t := range r.Tokens() {
		if t.Name == name {
			return t, true
		}
	}
	return nil, false
}

// ByFingerprint finds the token that holds a public key.
func (r *Roster) ByFingerprint(fingerprint string) (*Token, bool) {
	for _, t := range r.Tokens() {
		if t.Key != nil && fingerprint != "" && t.Key.Fingerprint() == fingerprint {
			return t, true
		}
	}
	return nil, false
}

// LoadKeys reads the public key of each token from the folder's keys/.
func (r *Roster) LoadKeys(files folder.Files) error {
	for _, t := range r.Tokens() {
		data, ok := files[t.KeyFile]
		if !ok {
			return fmt.Errorf("reading the key of token %q: the folder has no file %q", t.Name, t.KeyFile)
		}
		public, err := tufmeta.ParsePEM(data)
		if err != nil {
			return fmt.Errorf("reading the key of token %q from %q: %w", t.Name, t.KeyFile, err)
		}
		t.Key, err = tufmeta.NewKey(public)
		if errors.Is(err, tufmeta.ErrWeak) {
			err = fmt.Errorf("%w: KEY-WEAK", err)
		}
		if err != nil {
			return fmt.Errorf("reading the key of token %q from %q: %w", t.Name, t.KeyFile, err)
		}
	}
	return r.distinct()
}

// LoadKeysThere reads the public keys that are there and can be read, for
// screens that say whose a device is while a plan is being written. Nothing is
// decided by them.
func (r *Roster) LoadKeysThere(files folder.Files) {
	for _, t := range r.Tokens() {
		if public, err := tufmeta.ParsePEM(files[t.KeyFile]); err == nil {
			t.Key, _ = tufmeta.NewKey(public)
		}
	}
}

// distinct refuses one public key under two names: it would look like two
// signers.
func (r *Roster) distinct() error {
	seen := map[string]string{}
	for _, t := range r.Tokens() {
		fingerprint := t.Key.Fingerprint()
		if first, twice := seen[fingerprint]; twice {
			return fmt.Errorf("reading the keys: tokens %q and %q have the same public key; one of the files in keys/ is a copy of the other", first, t.Name)
		}
		seen[fingerprint] = t.Name
	}
	return nil
}

// Describe says whose key this is, by holder, device and fingerprint: a name
// alone is never enough, since the same holder comes back with a new device.
func (r *Roster) Describe(fingerprint string) string {
	return r.Who(fingerprint) + ", key " + Short(fingerprint)
}

// Who says whose key this is by holder and device, for where the fingerprint
// stands beside it.
func (r *Roster) Who(fingerprint string) string {
	if t, ok := r.ByFingerprint(fingerprint); ok {
		return t.Describe()
	}
	return "unknown holder"
}

// CanSign reports whether the token is counted on to sign.
func (t *Token) CanSign() bool { return !t.Lost && !t.Compromised }

// Out says why a token does not sign, in a word for tables; empty where it does.
func (t *Token) Out() string {
	switch {
	case t.Compromised:
		return "revoked"
	case t.Lost:
		return "lost"
	}
	return ""
}

// Describe says whose token this is, and which device.
func (t *Token) Describe() string {
	who := tufmeta.Printable(t.Holder)
	switch {
	case t.Holder == "":
		who = "the online key " + t.Name
	case t.Holder != t.Name:
		who += " (" + t.Name + ")"
	}
	if device := t.Device(); device != "" {
		who += ", " + device
	}
	return who
}

// Device names the device of a token: model and serial as far as known.
func (t *Token) Device() string {
	device := tufmeta.Printable(t.Model)
	if t.Serial != "" {
		device = strings.TrimSpace(device + " serial " + tufmeta.Printable(t.Serial))
	}
	return device
}

// Short is the form of a fingerprint in tables: 16 of its 64 digits in groups
// of four. Nothing is ever compared in this form.
func Short(fingerprint string) string {
	if len(fingerprint) < 16 {
		return "unreadable"
	}
	return fingerprint[:4] + "-" + fingerprint[4:8] + "-" + fingerprint[8:12] + "-" + fingerprint[12:16]
}
