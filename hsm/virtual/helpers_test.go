package virtual

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"strings"
	"testing"
)

// desk is a card and the little that a client needs to speak to it.
type desk struct {
	*testing.T
	card *Card
}

func newDesk(t *testing.T, config Config) *desk {
	t.Helper()
	card, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t, card}
	d.selectPIV()
	return d
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// send sends one command as piv-go does, in a chain where it is long, and
// fetches the whole answer.
func (d *desk) send(ins, p1, p2 byte, data ...byte) ([]byte, status) {
	d.Helper()
	for len(data) > 255 {
		if _, sw := d.transmit(append([]byte{chaining, ins, p1, p2, 255}, data[:255]...)); sw != ok {
			return nil, sw
		}
		data = data[255:]
	}
	out, sw := d.transmit(append([]byte{0, ins, p1, p2, byte(len(data))}, data...))
	for sw>>8 == 0x61 {
		var more []byte
		more, sw = d.transmit([]byte{0, insGetResponse, 0, 0, 0})
		out = append(out, more...)
	}
	return out, sw
}

func (d *desk) transmit(raw []byte) ([]byte, status) {
	d.Helper()
	out := d.card.Transmit(raw)
	if len(out) < 2 {
		d.Fatalf("the answer to % x is % x", raw, out)
	}
	n := len(out) - 2
	return bytes.Clone(out[:n]), status(out[n])<<8 | status(out[n+1])
}

// want is send with the status word that is expected.
func (d *desk) want(sw status, ins, p1, p2 byte, data ...byte) []byte {
	d.Helper()
	out, got := d.send(ins, p1, p2, data...)
	if got != sw {
		d.Fatalf("%02x %02x %02x was answered with %04x, not %04x", ins, p1, p2, got, sw)
	}
	return out
}

func (d *desk) selectPIV() []byte {
	d.Helper()
	return d.want(ok, insSelect, 4, 0, 0xa0, 0, 0, 3, 8)
}

func (d *desk) login(pin string) status {
	d.Helper()
	_, sw := d.send(insVerify, 0, referencePIN, padPIN(pin)...)
	return sw
}

// manage proves a management key, the factory's unless another is given.
func (d *desk) manage(k managementKey) status {
	d.Helper()
	block := newCipher(d.T, k)
	size := block.BlockSize()
	out, sw := d.send(insAuthenticate, k.algorithm, slotManagement, tagDynamic, 2, tagWitness, 0)
	if sw != ok {
		return sw
	}
	witness, challenge, sealed := make([]byte, size), bytes.Repeat([]byte{7}, size), make([]byte, size)
	block.Decrypt(witness, out[4:])
	block.Encrypt(sealed, challenge)
	template := append(encodeTLV(tagWitness, witness), encodeTLV(tagChallenge, challenge)...)
	out, sw = d.send(insAuthenticate, k.algorithm, slotManagement, encodeTLV(tagDynamic, template)...)
	if sw == ok && !bytes.Equal(out[4:], sealed) {
		d.Fatal("the card does not know the management key")
	}
	return sw
}

func newCipher(t *testing.T, k managementKey) cipher.Block {
	t.Helper()
	var block cipher.Block
	var err error
	if k.algorithm == algorithm3DES {
		block, err = des.NewTripleDESCipher(k.value)
	} else {
		block, err = aes.NewCipher(k.value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return block
}

func (d *desk) factoryKey() managementKey {
	version, err := parseFirmware(d.card.config.firmware())
	if err != nil {
		d.Fatal(err)
	}
	return defaultManagementKey(version)
}

// generate makes a key as a manager and returns the public half's template.
func (d *desk) generate(slot, algorithm, pin, touch byte) []byte {
	d.Helper()
	if sw := d.manage(d.factoryKey()); sw != ok {
		d.Fatalf("the factory's management key was answered with %04x", sw)
	}
	return d.want(ok, insGenerate, 0, slot, 0xac, 9, 0x80, 1, algorithm, tagPINPolicy, 1, pin, tagTouchPolicy, 1, touch)
}

// sign asks for a signature over 32 bytes.
func (d *desk) sign(slot byte) ([]byte, status) {
	d.Helper()
	template := append(encodeTLV(tagResponse), encodeTLV(tagChallenge, make([]byte, 32))...)
	return d.send(insAuthenticate, algorithmP256, slot, encodeTLV(tagDynamic, template)...)
}
