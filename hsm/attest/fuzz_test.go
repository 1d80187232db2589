package attest

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"slices"
	"strings"
	"testing"
)

// FuzzEvidence: what is accepted is written as it was read, and Verify believes
// only what was signed.
func FuzzEvidence(f *testing.F) {
	virtual, err := os.ReadFile("testdata/rehearsal-9c.pem")
	if err != nil {
		f.Fatal(err)
	}
	genuine, err := ParseEvidence(virtual)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(virtual)
	f.Add(bytes.ReplaceAll(virtual, []byte("\n"), []byte("\r\n\r\n")))
	f.Add(newHierarchy(f).attest(f, leafTemplate()).PEM())
	f.Add(encodePEM(duplicated(genuine.Leaf.Raw)))
	f.Add(yubicoRoots)
	f.Add(yubicoIntermediates[:4096])
	f.Add(rehearsalRoot)
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ParseEvidence(text)
		if err != nil {
			return
		}
		again, err := ParseEvidence(e.PEM())
		if err != nil {
			t.Fatalf("written again it is refused: %v", err)
		}
		if !bytes.Equal(again.PEM(), e.PEM()) || len(again.all()) != len(e.all()) {
			t.Fatal("written again it is another")
		}
		if facts, err := Verify(e, Yubico(), now); err == nil || facts != (Facts{}) {
			t.Fatalf("believed %+v, %v", facts, err)
		}
		facts, err := Verify(e, Rehearsal(), now)
		if err != nil && facts != (Facts{}) {
			t.Fatalf("refused (%v), and says %+v", err, facts)
		}
		if err == nil && (!facts.Rehearsal || !bytes.Equal(e.Leaf.RawTBSCertificate, genuine.Leaf.RawTBSCertificate)) {
			t.Fatalf("believed %+v", facts)
		}
		_, _ = Yubico().With(text)
	})
}

// FuzzExtensions: a device may write anything into its extensions. Each fact is
// an error, or Unknown with a reason, or one of the known values.
func FuzzExtensions(f *testing.F) {
	f.Add([]byte{5, 4, 3}, []byte{2, 4, 0, 0xc7, 0x90, 0xfa}, []byte{3, 2}, []byte{3}, "9c")
	f.Add([]byte{4, 3, 4, 3, 7}, []byte{2, 5, 0, 0xff, 0xff, 0xff, 0xff}, []byte{4, 2, 3, 2}, []byte{4, 1, 0x83}, "95")
	f.Add([]byte{}, []byte{2, 0}, []byte{6, 0}, []byte{0x40}, "f9")
	f.Fuzz(func(t *testing.T, firmware, serial, policy, formFactor []byte, slot string) {
		leaf := &x509.Certificate{
			Subject:   pkix.Name{CommonName: subject + slot, Names: []pkix.AttributeTypeAndValue{{Type: oidCommonName, Value: subject + slot}}},
			PublicKey: rehearsal().roots[0].certificate.PublicKey,
			Extensions: []pkix.Extension{
				raw(oidFirmware, firmware...), raw(oidSerial, serial...), raw(oidPolicy, policy...), raw(oidFormFactor, formFactor...),
			},
		}
		if checkLeaf(leaf) != nil {
			return
		}
		facts, err := readFacts([]*x509.Certificate{leaf, {}, Rehearsal().roots[0].certificate}, Rehearsal())
		if err != nil {
			return
		}
		for what, fact := range map[string]Fact{
			"slot": facts.Slot, "firmware": facts.Firmware, "serial": facts.Serial, "form factor": facts.FormFactor,
			"PIN policy": facts.PINPolicy, "touch policy": facts.TouchPolicy,
		} {
			if (fact.Answer == Yes) != (fact.Value != "") || (fact.Answer == Unknown) != (fact.Why != "") || clean(fact.Value) != fact.Value {
				t.Errorf("%s is %+v", what, fact)
			}
		}
		if _, err := FirmwareBelow(facts.Firmware.Value, "5.7.0"); err != nil {
			t.Error(err)
		}
	})
}

// FuzzObjects is FuzzExtensions for a YubiHSM 2.
func FuzzObjects(f *testing.F) {
	good := objectTemplate().ExtraExtensions
	f.Add(good[0].Value, good[1].Value, good[2].Value, good[3].Value, good[4].Value, good[5].Value, good[6].Value, "0x0003")
	f.Add([]byte{2, 4, 0}, []byte{2, 1, 0}, []byte{3, 2, 0, 0x21}, []byte{3, 3, 0, 0, 0}, []byte{3, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255}, []byte{2, 2, 0xff, 0xff}, []byte("\x0c\x02\x1b\xff"), "0xffff")
	f.Add([]byte{}, []byte{2, 0}, []byte{3, 0}, []byte{3}, []byte{3, 1, 0}, []byte{2, 1, 0}, []byte{12}, "0x0000")
	f.Fuzz(func(t *testing.T, firmware, serial, origin, domains, capabilities, object, label []byte, id string) {
		subject := hsmSubject + "id:" + id
		leaf := &x509.Certificate{
			Subject:   pkix.Name{CommonName: subject, Names: []pkix.AttributeTypeAndValue{{Type: oidCommonName, Value: subject}}},
			PublicKey: rehearsal().roots[0].certificate.PublicKey,
			Extensions: []pkix.Extension{
				raw(oidHSMFirmware, firmware...), raw(oidHSMSerial, serial...), raw(oidOrigin, origin...), raw(oidDomains, domains...),
				raw(oidCapabilities, capabilities...), raw(oidObject, object...), raw(oidLabel, label...),
			},
		}
		if checkLeaf(leaf) != nil {
			return
		}
		facts, err := readFacts([]*x509.Certificate{leaf, {}, Rehearsal().roots[0].certificate}, Rehearsal())
		if err != nil {
			return
		}
		if facts.Object.Answer != Yes || facts.Device != YubiHSM || (facts.Generated.Answer == Yes) != (facts.Origin.Value == "generated") {
			t.Errorf("%+v", facts)
		}
		for what, fact := range map[string]Fact{
			"firmware": facts.Firmware, "serial": facts.Serial, "origin": facts.Origin, "domains": facts.Domains,
			"capabilities": facts.Capabilities, "object": facts.Object, "label": facts.Label,
		} {
			if (fact.Answer == Yes) != (fact.Value != "") || (fact.Answer == Yes) == (fact.Why != "") || !printable(fact.Value) {
				t.Errorf("%s is %+v", what, fact)
			}
		}
		if slices.Contains(facts.CapabilityNames(), CapabilitySign) != (len(capabilities) == 11 && capabilities[10]&0x80 != 0) {
			t.Errorf("of % x it says %q", capabilities, facts.CapabilityNames())
		}
	})
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// FuzzGather: whatever devices export, what is accepted is written in a form
// that is read again as the same.
func FuzzGather(f *testing.F) {
	h := newHSM(f, hsmTemplate())
	e := h.attest(f, objectTemplate())
	f.Add(e.Leaf.Raw, h.device.certificate.Raw)
	f.Add(h.sub.certificate.Raw, e.PEM())
	f.Add([]byte("0"), []byte{4})
	f.Fuzz(func(t *testing.T, one, two []byte) {
		if key, err := ParsePublicKey(one); (key == nil) == (err == nil) {
			t.Fatalf("%v, %v", key, err)
		}
		e, err := Gather(one, two)
		if err != nil {
			return
		}
		again, err := ParseEvidence(e.PEM())
		if err != nil || !bytes.Equal(again.PEM(), e.PEM()) {
			t.Fatalf("written it is another: %v", err)
		}
		if facts, err := Verify(e, Yubico(), now); err == nil || facts != (Facts{}) {
			t.Fatalf("believed %+v, %v", facts, err)
		}
	})
}
