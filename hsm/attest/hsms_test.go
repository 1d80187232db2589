package attest

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// publishedRoots is the file that a plan names with policy.roots.
func publishedRoots(t testing.TB) []byte {
	t.Helper()
	return append(published(t, "yubico/yubihsm2-root-ca.pem"), published(t, "yubico/yubihsm2-sub-ca-6742036.pem")...)
}

func publishedTrust(t testing.TB) *Trust {
	t.Helper()
	trust, err := Yubico().With(publishedRoots(t))
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// hsm is a YubiHSM 2 of a real ceremony. Folders are named by the label on the
// device, with zeros in front.
type hsm struct{ folder, serial, role, object string }

var hsms = []hsm{
	{"0013200460", "13200460", "root", "0x0003"}, {"0013200460", "13200460", "targets", "0x0004"},
	{"0013200461", "13200461", "root", "0x0003"}, {"0013200461", "13200461", "targets", "0x0004"},
}

func (h hsm) file(t testing.TB, end string) []byte {
	t.Helper()
	return published(t, "psf/"+h.folder+"/"+h.folder+"_"+end)
}

func (h hsm) evidence(t testing.TB) Evidence {
	t.Helper()
	e, err := Gather(h.file(t, h.role+"_attestation.der"), h.file(t, "cert.der"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPublishedHSMs(t *testing.T) {
	trust := publishedTrust(t)
	why := "trusted because a file names it; SHA-256 094a3ac493c2bdcd65a54bdf40190f52bb03f7156397a3fc69d8aa9a392fb724"
	for _, h := range hsms {
		t.Run(h.serial+" "+h.role, func(t *testing.T) {
			facts, err := Verify(h.evidence(t), trust, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, end := range []string{".pub", ".pem"} {
				key, err := ParsePublicKey(h.file(t, h.role+"_pubkey"+end))
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(facts.Bind(key), facts.WantSerial(h.serial), facts.WantSerial(h.folder)); err != nil {
					t.Error(err)
				}
			}
			facts.Key = nil
			want := objectFacts("Yubico YubiHSM Root CA", h.serial, "2.1.2", h.object, "tuf-"+h.role, why, yes("YSA-2024-03"))
			if facts != want {
				t.Errorf("got  %+v\nwant %+v", facts, want)
			}
		})
	}
}

// TestPublishedHSMsAreNotInterchangeable: each key, device and serial number is
// its own, and nothing of a device without attestations passes.
func TestPublishedHSMsAreNotInterchangeable(t *testing.T) {
	trust := publishedTrust(t)
	strangers := [][]byte{published(t, "psf/DENK0102947/DENK0102947_root_pubkey.pub"), published(t, "psf/DENK0102947/DENK0102947_targets_pubkey.pem")}
	for _, h := range hsms {
		facts, err := Verify(h.evidence(t), trust, now)
		if err != nil {
			t.Fatal(err)
		}
		keys := slices.Clone(strangers)
		for _, other := range hsms {
			if other != h {
				keys = append(keys, other.file(t, other.role+"_pubkey.pub"))
			}
			if other.serial == h.serial {
				continue
			}
			if err := facts.WantSerial(other.serial); !errors.Is(err, ErrWrongSerial) || !strings.Contains(err.Error(), `the attestation says "`+h.serial+`"`) {
				t.Errorf("%s passes for %s: %v", h.serial, other.serial, err)
			}
			mixed := h.evidence(t)
			mixed.Intermediates = other.evidence(t).Intermediates
			refusal(t, mixed, trust, `was issued by "YubiHSM Attestation (`+h.serial+`)", which is neither trusted nor beside it`, ErrChain)
		}
		for i, text := range keys {
			key, err := ParsePublicKey(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := facts.Bind(key); !errors.Is(err, ErrNotBound) {
				t.Errorf("key %d passes for that of %s: %v", i, h.serial, err)
			}
		}
	}
}

func TestPublishedHSMsRefused(t *testing.T) {
	trust := publishedTrust(t)
	for _, h := range hsms {
		e := h.evidence(t)
		refusal(t, e, Yubico(), `was issued by "Yubico YubiHSM 6742036 Sub-CA", which is neither trusted nor beside it`, ErrChain)
		refusal(t, e, Rehearsal(), "it is of a YubiHSM 2, and a rehearsal knows none", ErrChain)
		refusal(t, e, newHSM(t, hsmTemplate()).trust, `was issued by "Yubico YubiHSM 6742036 Sub-CA"`, ErrChain)
		refusal(t, Evidence{Leaf: e.Leaf}, trust, "(opaque object 0) is missing beside", ErrChain)
		refusal(t, Evidence{e.Intermediates[0], e.all()[:1]}, trust, "the certificate of a YubiHSM 2 itself", ErrNotAttestation)

		// The sub-CA may come with the evidence instead: only the root must be named.
		root, err := Yubico().With(published(t, "yubico/yubihsm2-root-ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := Gather(published(t, "yubico/yubihsm2-sub-ca-6742036.pem"), h.file(t, "cert.der"), h.file(t, h.role+"_attestation.der"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(whole, root, now); err != nil {
			t.Error(err)
		}
	}
}

// TestForgedHSMs copies everything of published certificates but keys and
// signatures.
func TestForgedHSMs(t *testing.T) {
	trust := publishedTrust(t)
	roots, err := parsePEM(publishedRoots(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hsms {
		real := h.evidence(t)
		refusal(t, forged(t, real, newAuthority(t, nil, copied(real.Intermediates[0]))), trust,
			"is self-signed and is none of the trusted roots", ErrChain, ErrForged)
		impostor := newAuthority(t, nil, copied(roots[1]))
		refusal(t, forged(t, real, newAuthority(t, impostor, copied(real.Intermediates[0]))), trust,
			`names "Yubico YubiHSM 6742036 Sub-CA" as its issuer, which did not sign it`, ErrChain, ErrForged)
		root := newAuthority(t, nil, copied(roots[0]))
		sub := newAuthority(t, root, copied(roots[1]))
		refusal(t, forged(t, real, newAuthority(t, sub, copied(real.Intermediates[0])), sub, root), trust,
			"is self-signed and is none of the trusted roots", ErrChain, ErrForged)
		for i := range len(real.Leaf.Raw) {
			if i%37 != 0 {
				continue
			}
			flipped := slices.Clone(real.Leaf.Raw)
			flipped[i] ^= 0x10
			e, err := Gather(flipped, h.file(t, "cert.der"))
			if err != nil {
				continue
			}
			if facts, err := Verify(e, trust, now); err == nil || facts != (Facts{}) {
				t.Errorf("%s, byte %d: believed %+v", h.serial, i, facts)
			}
		}
	}
}
