package main

import (
	"strings"
	"testing"

	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/hsm/attest"
)

// From firmware 5.7 on keys can be moved, and what is said of the end of one says
// so: the attestation of another key in its slot is not all.
func TestOnceWordsOfMovableKeys(t *testing.T) {
	for firmware, movable := range map[string]bool{"5.4.3": false, "5.6.9": false, "5.7.0": true, "5.7.4": true, "": true} {
		o := evidence.Once{End: evidence.Proved, What: &evidence.Destruction{At: "2027-01-31T09:00:00Z", Serial: "2001", ID: "9c"}}
		o.Made = true
		o.Facts.Firmware = attest.Fact{Answer: attest.Yes, Value: firmware}
		if words := onceWords(o); strings.Contains(words, "no other slot has it is the holder's word") != movable {
			t.Errorf("firmware %q: %s", firmware, words)
		}
	}
}

// A key that was brought to the device may be with whoever brought it: of one that
// its device has not attested as made in it the words say so, and it is not gone.
func TestOnceWordsOfKeysNotMadeInTheDevice(t *testing.T) {
	for _, made := range []bool{true, false} {
		o := evidence.Once{Token: &roster.Token{Name: "once"}, End: evidence.Proved, Made: made, What: &evidence.Destruction{At: "2027-01-31T09:00:00Z", Serial: "2001", ID: "9c"}}
		o.Facts.Firmware = attest.Fact{Answer: attest.Yes, Value: "5.4.3"}
		if words := onceWords(o); strings.Contains(words, "that it was made in the device nothing proves") == made {
			t.Errorf("made %t: %s", made, words)
		}
		b := past{verified: true, once: []evidence.Once{o}}
		if d := b.destroyed()["once"]; d.Gone != made || !d.Proved {
			t.Errorf("made %t: %+v", made, d)
		}
	}
}
