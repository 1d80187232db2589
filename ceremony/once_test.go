package main

import (
	"strings"
	"testing"

	"tufceremony/ceremony/internal/evidence"
	"tufceremony/hsm/attest"
)

// From firmware 5.7 on keys can be moved, and what is said of the end of one says
// so: the attestation of another key in its slot is not all.
func TestOnceWordsOfMovableKeys(t *testing.T) {
	for firmware, movable := range map[string]bool{"5.4.3": false, "5.6.9": false, "5.7.0": true, "5.7.4": true, "": true} {
		o := evidence.Once{End: evidence.Proved, What: &evidence.Destruction{At: "2027-01-31T09:00:00Z", Serial: "2001", ID: "9c"}}
		o.Facts.Firmware = attest.Fact{Answer: attest.Yes, Value: firmware}
		if words := onceWords(o); strings.Contains(words, "no other slot has it is the holder's word") != movable {
			t.Errorf("firmware %q: %s", firmware, words)
		}
	}
}
