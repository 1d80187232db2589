package virtual

import (
	"bytes"
	"testing"
)

func TestPINCounts(t *testing.T) {
	d := newDesk(t, Config{})
	for _, want := range []status{triesLeft(2), triesLeft(1)} {
		if sw := d.login("999999"); sw != want {
			t.Fatalf("a wrong PIN was answered with %04x, not %04x", sw, want)
		}
		d.want(want, insVerify, 0, referencePIN) // asking spends nothing
	}
	if sw := d.login("123456"); sw != ok {
		t.Fatalf("the PIN was answered with %04x", sw)
	}
	d.want(ok, insVerify, 0, referencePIN)
	d.want(ok, insVerify, 0xff, referencePIN) // logs out
	for _, want := range []status{triesLeft(2), triesLeft(1), triesLeft(0), blocked} {
		if sw := d.login("999999"); sw != want {
			t.Fatalf("a wrong PIN was answered with %04x, not %04x", sw, want)
		}
	}
	if sw := d.login("123456"); sw != blocked {
		t.Errorf("the PIN still opens a blocked card: %04x", sw)
	}
	d.want(blocked, insVerify, 0, referencePIN)
	d.want(conditions, insReset, 0, 0) // the PUK is not blocked
	d.want(ok, insResetRetry, 0, referencePIN, append(padPIN("12345678"), padPIN("246810")...)...)
	if sw := d.login("246810"); sw != ok {
		t.Errorf("the new PIN was answered with %04x", sw)
	}
}

func TestChangePIN(t *testing.T) {
	d := newDesk(t, Config{})
	change := func(old, new string) []byte { return append(padPIN(old), padPIN(new)...) }
	d.want(ok, insChangeReference, 0, referencePIN, change("123456", "246810")...)
	d.want(ok, insChangeReference, 0, referencePUK, change("12345678", "87654321")...)
	d.want(triesLeft(2), insChangeReference, 0, referencePIN, change("123456", "135790")...)
	d.want(triesLeft(2), insChangeReference, 0, referencePUK, change("12345678", "11111111")...)
	d.want(wrongData, insChangeReference, 0, referencePIN, change("246810", "12345")...)
	d.want(referenceNotFound, insChangeReference, 0, 0x96, change("246810", "135790")...)
	// The PUK is counted before anybody looks at the new PIN.
	d.want(triesLeft(1), insResetRetry, 0, referencePIN, change("00000000", "")...)
	d.want(wrongData, insResetRetry, 0, referencePIN, change("87654321", "")...)
	d.want(triesLeft(2), insResetRetry, 0, referencePIN, change("00000000", "135790")...)
}

func TestPINComplexity(t *testing.T) {
	d := newDesk(t, Config{PINComplexity: true})
	for _, pin := range []string{"111111", "654321", "123123"} {
		d.want(conditions, insChangeReference, 0, referencePIN, append(padPIN("123456"), padPIN(pin)...)...)
	}
	d.want(ok, insChangeReference, 0, referencePIN, append(padPIN("123456"), padPIN("481516")...)...)
}

// Firmware 5.3.1 logs out whoever asks whether he is logged in.
func TestAskingLogsOut(t *testing.T) {
	for version, second := range map[string]status{"5.3.1": triesLeft(3), "5.4.3": ok} {
		d := newDesk(t, Config{Firmware: version})
		d.login("123456")
		d.want(ok, insVerify, 0, referencePIN)
		d.want(second, insVerify, 0, referencePIN)
	}
}

func TestSetRetries(t *testing.T) {
	d := newDesk(t, Config{})
	d.want(ok, insChangeReference, 0, referencePIN, append(padPIN("123456"), padPIN("246810")...)...)
	d.want(securityStatus, insSetRetries, 5, 4)
	d.manage(d.factoryKey())
	d.want(securityStatus, insSetRetries, 5, 4) // the PIN too
	d.login("246810")
	d.want(wrongData, insSetRetries, 0, 4)
	d.want(ok, insSetRetries, 5, 4)
	if sw := d.login("123456"); sw != ok {
		t.Errorf("the factory's PIN is not back: %04x", sw)
	}
	out := d.want(ok, insMetadata, 0, referencePUK)
	if !bytes.Equal(out, unhex(t, "0101ff 050101 06020404")) {
		t.Errorf("the PUK's metadata are % x", out)
	}
}

// A reset empties the card, but for what attests.
func TestReset(t *testing.T) {
	d := newDesk(t, Config{})
	d.generate(slotSignature, algorithmP256, pinNever, touchNever)
	attestation := d.want(ok, insGetData, 0x3f, 0xff, tagList, 3, 0x5f, 0xff, 0x01)
	for range 3 {
		d.login("999999")
		d.send(insResetRetry, 0, referencePIN, append(padPIN("99999999"), padPIN("999999")...)...)
	}
	d.want(ok, insReset, 0, 0)
	d.want(referenceNotFound, insMetadata, 0, slotSignature)
	d.want(wrongData, insAttest, slotSignature, 0)
	if after := d.want(ok, insGetData, 0x3f, 0xff, tagList, 3, 0x5f, 0xff, 0x01); !bytes.Equal(after, attestation) {
		t.Error("the attestation certificate is another one")
	}
	if sw := d.login("123456"); sw != ok {
		t.Errorf("the factory's PIN was answered with %04x", sw)
	}
	d.generate(slotSignature, algorithmP256, pinNever, touchNever)
	d.want(ok, insAttest, slotSignature, 0)
}

func TestManagementKey(t *testing.T) {
	for algorithm, length := range managementKeyLengths {
		d := newDesk(t, Config{})
		key := managementKey{algorithm: algorithm, value: bytes.Repeat([]byte{0x5a, 0xa5, 0x11, 0x77}, length/4)}
		set := append([]byte{algorithm, slotManagement, byte(length)}, key.value...)
		d.want(securityStatus, insSetManagementKey, 0xff, 0xff, set...)
		d.manage(d.factoryKey())
		d.want(wrongData, insSetManagementKey, 0xff, 0xff, set[:len(set)-1]...)
		d.want(ok, insSetManagementKey, 0xff, 0xff, set...)
		d.card.PowerCycle()
		d.selectPIV()
		if sw := d.manage(d.factoryKey()); sw == ok {
			t.Errorf("algorithm %02x: the factory's key is still good", algorithm)
		}
		d.want(securityStatus, insPutData, 0x3f, 0xff, tagList, 3, 0x5f, 0xc1, 0x05, tagObject, 0)
		if sw := d.manage(key); sw != ok {
			t.Errorf("algorithm %02x: the key was answered with %04x", algorithm, sw)
		}
		out := d.want(ok, insMetadata, 0, slotManagement)
		if !bytes.Equal(out, append(unhex(t, "0101"), algorithm, 2, 2, 0, 1, 5, 1, 0)) {
			t.Errorf("the metadata are % x", out)
		}
	}
}

// The standard's other way: the client alone proves that it knows the key.
func TestManagementKeyOneWay(t *testing.T) {
	d := newDesk(t, Config{Firmware: "5.4.3"})
	for _, right := range []bool{false, true} {
		out := d.want(ok, insAuthenticate, algorithm3DES, slotManagement, tagDynamic, 2, tagChallenge, 0)
		sealed := make([]byte, 8)
		newCipher(t, d.factoryKey()).Encrypt(sealed, out[4:])
		sw := ok
		if !right {
			sealed[0] ^= 1
			sw = securityStatus
		}
		response := encodeTLV(tagDynamic, encodeTLV(tagResponse, sealed))
		d.want(sw, insAuthenticate, algorithm3DES, slotManagement, response...)
		d.want(sw, insPutData, 0x3f, 0xff, tagList, 3, 0x5f, 0xc1, 0x05, tagObject, 0)
		d.want(wrongData, insAuthenticate, algorithm3DES, slotManagement, response...) // once
	}
}

// A touch can be asked of whoever provisions the card.
func TestManagementKeyTouch(t *testing.T) {
	d := newDesk(t, Config{TouchWait: 1})
	d.manage(d.factoryKey())
	d.want(ok, insSetManagementKey, 0xff, 0xfe,
		append([]byte{algorithmAES192, slotManagement, 24}, factoryManagementKey...)...)
	d.card.bench.miss = 1
	if sw := d.manage(d.factoryKey()); sw != securityStatus {
		t.Errorf("without a touch it was answered with %04x", sw)
	}
	if sw := d.manage(d.factoryKey()); sw != ok || d.card.bench.counters.Touches != 2 {
		t.Errorf("with a touch it was answered with %04x", sw)
	}
}
