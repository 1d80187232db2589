package tufmeta

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Signature is one entry of a metadata file's signatures. Sig is hex, and
// empty where a tool left a placeholder.
type Signature struct {
	KeyID string
	Sig   string
}

// KeyIDs are those under which signatures were made.
func KeyIDs(signatures []Signature) []string {
	var ids []string
	for _, s := range signatures {
		ids = append(ids, s.KeyID)
	}
	return ids
}

// Verdict says what a signature is worth to a role.
type Verdict string

// The verdicts, of which only Valid counts. Foreign is a signature under a key
// ID that the role does not name.
const (
	Valid     Verdict = "valid"
	Empty     Verdict = "empty"
	Invalid   Verdict = "invalid"
	Foreign   Verdict = "foreign"
	Duplicate Verdict = "duplicate"
)

// Judged is a signature with its verdict; Key is nil for a foreign one.
type Judged struct {
	Signature
	Verdict Verdict
	Key     *Key
}

// SignersText stands for a threshold and the distinct public keys that can reach
// it: two roles ask for the same signatures where their texts are equal, under
// whatever key IDs they list the keys. Nothing is shown in this form.
func SignersText(keys map[string]*Key, role *Role) string {
	var fingerprints []string
	for _, id := range role.KeyIDs {
		if key := keys[id]; key != nil {
			fingerprints = append(fingerprints, key.Fingerprint())
		}
	}
	slices.Sort(fingerprints)
	return fmt.Sprintf("%d of %s", role.Threshold, strings.Join(slices.Compact(fingerprints), " "))
}

// Tally is the result of counting signatures against a role. Its zero value
// has reached nothing.
type Tally struct {
	Threshold int
	Signers   []string // fingerprints of the distinct public keys, sorted
	Judged    []Judged // one for each signature, in the order of the file
}

// Valid is the number of distinct public keys with a valid signature.
func (t Tally) Valid() int { return len(t.Signers) }

// Reached reports whether the signers reach a threshold of at least 1.
func (t Tally) Reached() bool { return t.Threshold >= 1 && t.Valid() >= t.Threshold }

// Count judges each signature over payload for a role. One public key counts
// once, under however many key IDs it signs: that is what a threshold means,
// and what two of three clients get wrong. A nil role counts nothing.
func Count(payload []byte, signatures []Signature, keys map[string]*Key, role *Role) Tally {
	t := Tally{}
	if role == nil {
		role = &Role{}
	}
	t.Threshold = role.Threshold
	signers := map[string]bool{}
	seen := map[string]bool{}
	for _, s := range signatures {
		j := Judged{Signature: s, Verdict: Foreign}
		if slices.Contains(role.KeyIDs, s.KeyID) {
			j.Key = keys[s.KeyID]
		}
		switch {
		case s.Sig == "":
			j.Verdict = Empty
		case j.Key == nil:
		case seen[s.KeyID]:
			j.Verdict = Duplicate
		case !verifyHex(j.Key, payload, s.Sig):
			j.Verdict = Invalid
		default:
			j.Verdict = Valid
			signers[j.Key.Fingerprint()] = true
		}
		seen[s.KeyID] = seen[s.KeyID] || j.Verdict == Valid
		t.Judged = append(t.Judged, j)
	}
	for fingerprint := range signers {
		t.Signers = append(t.Signers, fingerprint)
	}
	slices.Sort(t.Signers)
	return t
}

func verifyHex(key *Key, payload []byte, sig string) bool {
	raw, err := hex.DecodeString(sig)
	return err == nil && key.Verify(payload, raw) == nil
}
