package virtual

import (
	"bytes"
	"testing"
)

func TestParseCommand(t *testing.T) {
	for _, test := range []struct {
		name, raw, data string
		room            int
		fails           bool
	}{
		{name: "no data", raw: "00fd0000", room: 256},
		{name: "Le", raw: "00fd000010", room: 16},
		{name: "Le of 256", raw: "00fd000000", room: 256},
		{name: "data", raw: "0020008002 3132", data: "3132", room: 256},
		{name: "data and Le", raw: "0020008002 3132 08", data: "3132", room: 8},
		{name: "extended Le", raw: "00fd0000 00 0200", room: 512},
		{name: "extended Le of 65536", raw: "00fd0000 00 0000", room: 65536},
		{name: "extended data", raw: "00fd0000 000002 3132", data: "3132", room: 65536},
		{name: "extended data and Le", raw: "00fd0000 000002 3132 0102", data: "3132", room: 258},
		{name: "too short", raw: "00fd00", fails: true},
		{name: "data missing", raw: "0020008003 3132", fails: true},
		{name: "data left over", raw: "0020008001 3132 33 34", fails: true},
		{name: "extended data missing", raw: "00fd0000 000004 3132", fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := parseCommand(unhex(t, test.raw))
			if (err != nil) != test.fails {
				t.Fatal(err)
			}
			if test.fails {
				return
			}
			if !bytes.Equal(c.data, unhex(t, test.data)) || c.room != test.room {
				t.Errorf("it was read as % x with room for %d", c.data, c.room)
			}
		})
	}
}

// An answer longer than the reader has room for comes in pieces, and says how
// much is left.
func TestGetResponse(t *testing.T) {
	d := newDesk(t, Config{})
	d.manage(d.factoryKey())
	object := bytes.Repeat([]byte{0xab}, 600)
	data := append([]byte{tagList, 3, 0x5f, 0xc1, 0x05}, encodeTLV(tagObject, object)...)
	d.want(ok, insPutData, 0x3f, 0xff, data...) // in a chain of three
	ask := []byte{0, insGetData, 0x3f, 0xff, 5, tagList, 3, 0x5f, 0xc1, 0x05}
	whole := encodeTLV(tagObject, object)

	first, sw := d.transmit(ask)
	if sw != 0x6100 || !bytes.Equal(first, whole[:256]) {
		t.Fatalf("the first piece has %d bytes and %04x", len(first), sw)
	}
	second, sw := d.transmit([]byte{0, insGetResponse, 0, 0, 0})
	if sw != 0x6100|status(len(whole)-512) || !bytes.Equal(second, whole[256:512]) {
		t.Fatalf("the second piece has %d bytes and %04x", len(second), sw)
	}
	third, sw := d.transmit([]byte{0, insGetResponse, 0, 0, byte(len(whole) - 512)})
	if sw != ok || !bytes.Equal(third, whole[512:]) {
		t.Fatalf("the third piece has %d bytes and %04x", len(third), sw)
	}
	if _, sw := d.transmit([]byte{0, insGetResponse, 0, 0, 0}); sw != conditions {
		t.Errorf("there was more: %04x", sw)
	}

	extended := append([]byte{0, insGetData, 0x3f, 0xff, 0, 0, 5}, append(ask[5:], 0, 0)...)
	if all, sw := d.transmit(extended); sw != ok || !bytes.Equal(all, whole) {
		t.Errorf("an extended command got %d bytes and %04x", len(all), sw)
	}
}

func TestChainBrokenOff(t *testing.T) {
	d := newDesk(t, Config{})
	d.transmit([]byte{chaining, insPutData, 0x3f, 0xff, 2, tagList, 3})
	d.want(ok, insVersion, 0, 0)
	d.want(wrongData, insGetData, 0x3f, 0xff, 0x5f, 0xc1, 0x05) // the end of no chain
}

func TestTLV(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 600} {
		value := bytes.Repeat([]byte{1}, n)
		for _, tag := range []uint32{0x53, 0x5f2f, 0x7f49} {
			fields, whole := parseTLV(encodeTLV(tag, value))
			if !whole || len(fields) != 1 || fields[0].tag != tag || !bytes.Equal(fields[0].value, value) {
				t.Errorf("%x with %d bytes came back as %v", tag, n, fields)
			}
		}
	}
	for _, broken := range []string{"53", "5302 01", "5381", "538201", "5380 00", "7f"} {
		if _, whole := parseTLV(unhex(t, broken)); whole {
			t.Errorf("%s was taken", broken)
		}
	}
}

// Nothing that a client sends stops the card.
func FuzzCard(f *testing.F) {
	f.Add([]byte("\x00\xa4\x04\x00\x05\xa0\x00\x00\x03\x08"), []byte("\x00\x87\x11\x9a\x06\x7c\x04\x82\x00\x81\x00"))
	f.Add([]byte("\x00\xf9\x9a\x00"), []byte("\x00\xcb\x3f\xff\x05\x5c\x03\x5f\xff\x01"))
	f.Add([]byte("\x10\xfe\x11\x9a\x02\x06\x20"), []byte("\x00\xfe\x11\x9a\x03\x01\x02\x03"))
	f.Add([]byte("\x00\xff\xff\xff\x03\x03\x9b\x18"), []byte("\x00\x47\x00\x9a\x05\xac\x03\x80\x01\xe0"))
	card, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	piv := card.applets[0].(*pivApplet)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		card.selectApplet(piv)
		piv.manager, piv.pinVerified, piv.pinFresh = true, true, true
		for _, raw := range [][]byte{first, second} {
			if len(raw) > 1 && raw[1] == insGenerate {
				continue // RSA keys take time
			}
			if out := card.Transmit(raw); len(out) < 2 {
				t.Errorf("% x was answered with % x", raw, out)
			}
		}
	})
}
