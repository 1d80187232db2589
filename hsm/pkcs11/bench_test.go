//go:build cgo && linux

package pkcs11_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
)

// BenchmarkSign counts signatures a second through the driver, and through the
// binding alone, in one run. The two take turns, a few signatures at a time, and
// the median of the turns counts: machines have their moods.
//
//	go test -run '^$' -bench Sign ./hsm/pkcs11
func BenchmarkSign(b *testing.B) {
	const turn = 20
	newSoftHSM(b)
	createToken(b, "holder-1")
	addKeys(b, softHSM, "holder-1", kinds...)
	for _, r := range []request{requests[0], requests[1], requests[2], requests[4]} {
		b.Run(r.key, func(b *testing.B) {
			digest := []byte("message")
			if hash := r.opts.HashFunc(); hash != 0 {
				digest = make([]byte, hash.Size())
			}
			signer := signersOf(b, tokenURI("holder-1"), &person{})[r.key]
			// The driver has initialised the module and logged in, which counts
			// for all sessions.
			c, session, mechanism, private := rawKey(b, r.key)
			var driver, raw []time.Duration
			for b.Loop() {
				start := time.Now()
				for range turn {
					if _, err := signer.Sign(rand.Reader, digest, r.opts); err != nil {
						b.Fatal(err)
					}
				}
				middle := time.Now()
				for range turn {
					if err := c.SignInit(session, mechanism, private); err != nil {
						b.Fatal(err)
					}
					if _, err := c.Sign(session, digest); err != nil {
						b.Fatal(err)
					}
				}
				driver, raw = append(driver, middle.Sub(start)), append(raw, time.Since(middle))
			}
			rate := func(turns []time.Duration) float64 {
				slices.Sort(turns)
				return turn / turns[len(turns)/2].Seconds()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rate(driver), "driver-sig/s")
			b.ReportMetric(rate(raw), "raw-sig/s")
			b.ReportMetric(100*rate(driver)/rate(raw), "%-of-raw")
		})
	}
}

func rawKey(b *testing.B, label string) (*p11.Ctx, p11.SessionHandle, []*p11.Mechanism, p11.ObjectHandle) {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	mechanism := map[string]*p11.Mechanism{
		"P-256": p11.NewMechanism(p11.CKM_ECDSA, nil), "P-384": p11.NewMechanism(p11.CKM_ECDSA, nil),
		"Ed25519": p11.NewMechanism(0x1057, nil),
		"RSA":     p11.NewMechanism(p11.CKM_RSA_PKCS_PSS, p11.NewPSSParams(p11.CKM_SHA256, p11.CKG_MGF1_SHA256, 32)),
	}[label]
	c := p11.New(softHSM)
	slots, err := c.GetSlotList(true)
	must(err)
	for _, slot := range slots {
		if info, err := c.GetTokenInfo(slot); err != nil || info.Label != "holder-1" {
			continue
		}
		s, err := c.OpenSession(slot, p11.CKF_SERIAL_SESSION)
		must(err)
		must(c.FindObjectsInit(s, []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY), p11.NewAttribute(p11.CKA_LABEL, label)}))
		objects, _, err := c.FindObjects(s, 1)
		must(err)
		must(c.FindObjectsFinal(s))
		if len(objects) != 1 {
			b.Fatalf("%d keys", len(objects))
		}
		return c, s, []*p11.Mechanism{mechanism}, objects[0]
	}
	b.Fatal("the token is gone")
	return nil, 0, nil, 0
}
