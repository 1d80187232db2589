package tufmeta_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/tufmeta"
)

func TestCount(t *testing.T) {
	payload := []byte(`{"_type":"root"}`)
	first, second, stranger := ceremonytest.Object(t, "holder-1"), ceremonytest.Object(t, "holder-2"), ceremonytest.Object(t, "stranger")
	again := *first // the same public key under another key ID
	again.ID = "again"
	unusable := tufmeta.ParseKey("unusable", object{"keytype": "sphincs"})
	keys := map[string]*tufmeta.Key{first.ID: first, second.ID: second, "again": &again, "unusable": unusable, stranger.ID: stranger}
	role := &tufmeta.Role{KeyIDs: []string{first.ID, second.ID, "again", "unusable", "absent"}, Threshold: 2}
	sig := func(id, token string) tufmeta.Signature {
		return tufmeta.Signature{KeyID: id, Sig: hex.EncodeToString(ceremonytest.Signature(t, token, payload))}
	}
	good1, good2 := sig(first.ID, "holder-1"), sig(second.ID, "holder-2")
	const valid, empty, invalid, foreign, duplicate = tufmeta.Valid, tufmeta.Empty, tufmeta.Invalid, tufmeta.Foreign, tufmeta.Duplicate
	for _, row := range []struct {
		name       string
		signatures []tufmeta.Signature
		verdicts   []tufmeta.Verdict
		count      int
	}{
		{"two signers", []tufmeta.Signature{good1, good2}, []tufmeta.Verdict{valid, valid}, 2},
		{"in another order", []tufmeta.Signature{good2, good1}, []tufmeta.Verdict{valid, valid}, 2},
		{"none", nil, nil, 0},
		{"one signer", []tufmeta.Signature{good1}, []tufmeta.Verdict{valid}, 1},
		{"one signer twice", []tufmeta.Signature{good1, good1}, []tufmeta.Verdict{valid, duplicate}, 1},
		{"one key under two key IDs", []tufmeta.Signature{good1, sig("again", "holder-1")}, []tufmeta.Verdict{valid, valid}, 1},
		{"an empty one and a good one", []tufmeta.Signature{{KeyID: first.ID}, good1}, []tufmeta.Verdict{empty, valid}, 1},
		{"an empty one of a stranger", []tufmeta.Signature{{KeyID: "nobody"}, good1}, []tufmeta.Verdict{empty, valid}, 1},
		{"a stranger", []tufmeta.Signature{good1, sig(stranger.ID, "stranger")}, []tufmeta.Verdict{valid, foreign}, 1},
		{"a stranger under a holder's key ID", []tufmeta.Signature{good1, sig(second.ID, "stranger")}, []tufmeta.Verdict{valid, invalid}, 1},
		{"a bad one before the good one", []tufmeta.Signature{sig(first.ID, "holder-2"), good1}, []tufmeta.Verdict{invalid, valid}, 1},
		{"no hex", []tufmeta.Signature{{KeyID: first.ID, Sig: "xx"}}, []tufmeta.Verdict{invalid}, 0},
		{"cut short", []tufmeta.Signature{{KeyID: first.ID, Sig: good1.Sig[:len(good1.Sig)-2]}}, []tufmeta.Verdict{invalid}, 0},
		{"upper-case hex", []tufmeta.Signature{{KeyID: first.ID, Sig: strings.ToUpper(good1.Sig)}}, []tufmeta.Verdict{valid}, 1},
		{"a key that cannot be used", []tufmeta.Signature{sig("unusable", "holder-1")}, []tufmeta.Verdict{invalid}, 0},
		{"a key that is not there", []tufmeta.Signature{sig("absent", "holder-1")}, []tufmeta.Verdict{foreign}, 0},
	} {
		tally := tufmeta.Count(payload, row.signatures, keys, role)
		var verdicts []tufmeta.Verdict
		for _, j := range tally.Judged {
			verdicts = append(verdicts, j.Verdict)
		}
		if !slices.Equal(verdicts, row.verdicts) || tally.Valid() != row.count || tally.Reached() != (row.count == 2) {
			t.Errorf("%s: %v, %d valid, reached: %t; want %v, %d", row.name, verdicts, tally.Valid(), tally.Reached(), row.verdicts, row.count)
		}
	}
}

// Without a threshold nothing is ever reached, however many have signed.
func TestThresholdZero(t *testing.T) {
	payload := []byte("payload")
	key := ceremonytest.Object(t, "holder-1")
	keys := map[string]*tufmeta.Key{key.ID: key}
	signatures := []tufmeta.Signature{{KeyID: key.ID, Sig: hex.EncodeToString(ceremonytest.Signature(t, "holder-1", payload))}}
	for _, threshold := range []int{0, -1} {
		tally := tufmeta.Count(payload, signatures, keys, &tufmeta.Role{KeyIDs: []string{key.ID}, Threshold: threshold})
		if tally.Valid() != 1 || tally.Reached() {
			t.Errorf("threshold %d: %d valid, reached: %t", threshold, tally.Valid(), tally.Reached())
		}
	}
	if tally := tufmeta.Count(payload, signatures, keys, nil); tally.Reached() || tally.Valid() != 0 {
		t.Error("a role that is not there counts signatures")
	}
	if (tufmeta.Tally{}).Reached() {
		t.Error("a zero Tally has reached something")
	}
}
