//go:build cgo && linux

package piv

import (
	"crypto"
	"crypto/rand"
	"testing"
	"time"

	"tufceremony/hsm/virtual"
)

// BenchmarkSign is one signature with a session that is open. The card's own
// time is told apart: what is left is this driver, piv-go, pcscd and the link
// to the virtual card.
func BenchmarkSign(b *testing.B) {
	c := fresh(b, "5.7.1")
	c.generate(Signature, P256, PINOnce, TouchNever)
	signer := mustSigner(b, c.mustToken(Signature), &person{pin: testPIN})
	inside := c.counters().Inside
	for b.Loop() {
		if _, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
	card := c.counters().Inside - inside
	b.ReportMetric(float64(card.Nanoseconds())/float64(b.N), "card-ns/op")
}

// BenchmarkSession is all of it: finding the card, a PIN, one signature.
func BenchmarkSession(b *testing.B) {
	for _, firmware := range firmwares {
		b.Run(firmware, func(b *testing.B) {
			c := fresh(b, firmware)
			c.generate(Signature, P256, PINOnce, TouchNever)
			for b.Loop() {
				must(b, c.session(&person{pin: testPIN}))
			}
		})
	}
}

// BenchmarkList has five cards, and each APDU take what a device on USB takes.
func BenchmarkList(b *testing.B) {
	first := fresh(b, "5.7.1")
	first.generate(Signature, P256, PINOnce, TouchNever)
	cards := []virtual.Config{{Firmware: "4.3.5"}, {Firmware: "5.2.4"}, {Firmware: "5.4.3"}, {Firmware: "5.7.1"}}
	for i := range cards {
		cards[i].Serial = serial + 1 + uint32(i)
	}
	others(b, cards...)
	for name, delay := range map[string]time.Duration{"virtual": 0, "5 ms an APDU": 5 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			for n := range readerCount {
				if n != plain {
					must(b, stack.Card(n).Slow(delay))
					defer stack.Card(n).Slow(0)
				}
			}
			for b.Loop() {
				devices, err := List()
				if err != nil || len(devices) != 5 {
					b.Fatalf("%d devices, %v", len(devices), err)
				}
			}
		})
	}
}
