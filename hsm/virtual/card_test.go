package virtual

import (
	"bytes"
	"encoding/binary"
	"testing"
)

var matrix = []string{"4.3.5", "5.2.4", "5.4.3", "5.7.1"}

// What each firmware knows and does not.
func TestFirmware(t *testing.T) {
	type row struct {
		serial, metadata, ed25519, rsa3072, aes status
		algorithm                               byte // of the factory's management key
	}
	for version, want := range map[string]row{
		"4.3.5": {unknownIns, unknownIns, wrongData, wrongData, wrongData, algorithm3DES},
		"5.2.4": {ok, unknownIns, wrongData, wrongData, wrongData, algorithm3DES},
		"5.4.3": {ok, ok, wrongData, wrongData, ok, algorithm3DES},
		"5.7.1": {ok, ok, ok, ok, ok, algorithmAES192},
	} {
		t.Run(version, func(t *testing.T) {
			d := newDesk(t, Config{Firmware: version, Serial: 14470876})
			numbers := d.want(ok, insVersion, 0, 0)
			if parsed, _ := parseFirmware(version); !bytes.Equal(numbers, parsed[:]) {
				t.Errorf("the version is % x", numbers)
			}
			d.want(want.serial, insSerial, 0, 0)
			d.want(want.metadata, insMetadata, 0, referencePIN)
			if got := d.factoryKey().algorithm; got != want.algorithm {
				t.Errorf("the management key has algorithm %02x", got)
			}
			if sw := d.manage(d.factoryKey()); sw != ok {
				t.Fatalf("the management key was answered with %04x", sw)
			}
			d.want(want.ed25519, insGenerate, 0, 0x9a, 0xac, 3, 0x80, 1, algorithmEd25519)
			d.want(ok, insGenerate, 0, 0x9a, 0xac, 3, 0x80, 1, algorithmP384)
			if want.rsa3072 != ok { // making one takes time
				d.want(want.rsa3072, insGenerate, 0, 0x9a, 0xac, 3, 0x80, 1, algorithmRSA3072)
			}
			key := append([]byte{algorithmAES128, slotManagement, 16}, make([]byte, 16)...)
			d.want(want.aes, insSetManagementKey, 0xff, 0xff, key...)
		})
	}
}

// Before firmware 5 only the OTP applet tells the serial number, and asking it
// costs the login.
func TestSerialFromOTP(t *testing.T) {
	for _, version := range matrix {
		d := newDesk(t, Config{Firmware: version, Serial: 14470876})
		if sw := d.login("123456"); sw != ok {
			t.Fatalf("the PIN was answered with %04x", sw)
		}
		d.want(ok, insSelect, 4, 0, 0xa0, 0, 0, 5, 0x27, 0x20, 1, 1)
		if got := binary.BigEndian.Uint32(d.want(ok, 0x01, 0x10, 0)); got != 14470876 {
			t.Errorf("the serial number is %d", got)
		}
		d.selectPIV()
		d.want(triesLeft(3), insVerify, 0, referencePIN)
	}
}

func TestFormFactor(t *testing.T) {
	for version, want := range map[string]byte{"4.3.5": 0, "5.4.3": 4} {
		d := newDesk(t, Config{Firmware: version, Form: "usb-c-nano"})
		d.want(ok, insSelect, 4, 0, 0xa0, 0, 0, 5, 0x27, 0x47, 0x11, 0x17)
		fields, whole := parseTLV(d.want(ok, insReadConfig, 0, 0)[1:])
		form := append(bytes.Clone(field(fields, 4)), 0)
		if !whole || form[0] != want {
			t.Errorf("firmware %s tells form factor % x", version, form)
		}
	}
}

// Selecting PIV again keeps who has authenticated; another applet and a power
// cycle do not.
func TestSessions(t *testing.T) {
	d := newDesk(t, Config{})
	login := func() {
		if d.login("123456") != ok || d.manage(d.factoryKey()) != ok {
			t.Fatal("the factory's secrets were refused")
		}
	}
	put := []byte{tagList, 3, 0x5f, 0xc1, 0x05, tagObject, 0}
	login()
	d.selectPIV()
	d.want(ok, insVerify, 0, referencePIN)
	d.want(ok, insPutData, 0x3f, 0xff, put...)
	for name, end := range map[string]func(){
		"another applet": func() { d.want(ok, insSelect, 4, 0, 0xa0, 0, 0, 5, 0x27, 0x47, 0x11, 0x17) },
		"a power cycle":  func() { d.card.PowerCycle() },
	} {
		login()
		end()
		d.selectPIV()
		if _, sw := d.send(insVerify, 0, referencePIN); sw != triesLeft(3) {
			t.Errorf("after %s the PIN is still verified: %04x", name, sw)
		}
		if _, sw := d.send(insPutData, 0x3f, 0xff, put...); sw != securityStatus {
			t.Errorf("after %s the management key is still good: %04x", name, sw)
		}
	}
	login()
	d.want(notFound, insSelect, 4, 0, 0xa0, 0, 0, 6, 0x47)
	d.want(ok, insVerify, 0, referencePIN) // an applet that is not there changes nothing
}

func TestPlainCard(t *testing.T) {
	card, err := New(Config{Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(card.ATR(), yubikeyATR) {
		t.Error("it says that it is a YubiKey")
	}
	d := &desk{t, card}
	d.want(notFound, insSelect, 4, 0, 0xa0, 0, 0, 3, 8)
	d.want(unknownIns, insVersion, 0, 0)
}

func TestUnknown(t *testing.T) {
	d := newDesk(t, Config{})
	d.want(unknownIns, 0xee, 0, 0)
	if _, sw := d.transmit([]byte{0x80, insVersion, 0, 0}); sw != unknownClass {
		t.Errorf("another class was answered with %04x", sw)
	}
	if _, sw := d.transmit([]byte{0, insVersion}); sw != wrongLength {
		t.Errorf("half a command was answered with %04x", sw)
	}
	d.card.PowerCycle()
	d.want(unknownIns, insVersion, 0, 0) // nothing is selected
}

func TestConfig(t *testing.T) {
	text := "serial=14470876,firmware=5.4.3,form=usb-c-nano,touch-wait=500ms,reader=Other Reader,port=35963,fips,pin-complexity"
	c, err := ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	if c.String() != text {
		t.Errorf("%q came back as %q", text, c)
	}
	if c, err := ParseConfig(""); err != nil || c != (Config{}) {
		t.Errorf("an empty text was read as %v, %v", c, err)
	}
	for _, wrong := range []string{"serial=x", "serial=4294967296", "firmware=5", "firmware=4.2.6", "form=square",
		"touch-wait=-1s", "touch-wait=soon", "port=70000", "empty=yes", "empty,plain", "colour=red", `reader=a"b`} {
		if _, err := ParseConfig(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}
