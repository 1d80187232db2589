package card

import (
	"bytes"
	"compress/gzip"
	"io"
)

// Object is the name of a data object: three bytes.
type Object uint32

// Objects that do not belong to a slot.
const (
	// ObjectPrinted is PIV's "printed information", which can be read with the
	// PIN only. Yubico's programs keep the management key there.
	ObjectPrinted Object = 0x5FC109
	// ObjectAdmin is where Yubico's programs keep what anybody may know.
	ObjectAdmin Object = 0x5FFF00
	// ObjectAttestation holds the factory's certificate for slot f9.
	ObjectAttestation Object = 0x5FFF01
)

// CertificateObject is where the certificate of a slot is.
func CertificateObject(slot byte) Object {
	switch slot {
	case 0x9A:
		return 0x5FC105
	case 0x9C:
		return 0x5FC10A
	case 0x9D:
		return 0x5FC10B
	case 0x9E:
		return 0x5FC101
	case RefAttestation:
		return ObjectAttestation
	default: // 82 to 95
		return 0x5FC10D + Object(slot) - 0x82
	}
}

func (o Object) tagList() []byte {
	return wrap(0x5C, byte(o>>16), byte(o>>8), byte(o))
}

const tagObject = 0x53

// Get reads an object. One that is not there answers 6A82, and one that is
// empty gives no bytes.
func (c *Card) Get(object Object) ([]byte, error) {
	reply, err := c.command(insGetData, 0x3F, 0xFF, object.tagList())
	if err != nil {
		return nil, err
	}
	return unwrap(reply, tagObject)
}

// Put writes an object, for which the management key must have been given. No
// bytes remove it.
func (c *Card) Put(object Object, contents []byte) error {
	_, err := c.command(insPutData, 0x3F, 0xFF, append(object.tagList(), wrap(tagObject, contents...)...))
	return err
}

const (
	tagCertificate = 0x70
	tagCertInfo    = 0x71
	tagCheck       = 0xFE
	compressed     = 0x01
)

// maxCertificate bounds what a compressed certificate may unfold to.
const maxCertificate = 32 << 10

// Certificate reads the DER of a slot's certificate: 6A82 if there is none.
func (c *Card) Certificate(slot byte) ([]byte, error) {
	contents, err := c.Get(CertificateObject(slot))
	if err != nil {
		return nil, err
	}
	if len(contents) == 0 {
		return nil, Status(0x6A82)
	}
	elements, err := readAll(contents)
	if err != nil {
		return nil, err
	}
	der := find(elements, tagCertificate)
	if info := find(elements, tagCertInfo); len(info) == 1 && info[0] == compressed {
		return gunzip(der)
	}
	if len(der) == 0 {
		return nil, malformed("the certificate object holds no certificate")
	}
	return der, nil
}

func gunzip(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, malformed("the compressed certificate: %v", err)
	}
	der, err := io.ReadAll(io.LimitReader(reader, maxCertificate))
	if err != nil {
		return nil, malformed("the compressed certificate: %v", err)
	}
	return der, nil
}

// PutCertificate writes a slot's certificate as it is, not compressed.
func (c *Card) PutCertificate(slot byte, der []byte) error {
	contents := wrap(tagCertificate, der...)
	contents = append(contents, wrap(tagCertInfo, 0)...)
	contents = append(contents, wrap(tagCheck)...)
	return c.Put(CertificateObject(slot), contents)
}

// Attest returns the DER of the statement that the card makes about a key:
// 6A80 for an empty slot, or a key that was imported.
func (c *Card) Attest(slot byte) ([]byte, error) {
	return c.command(insAttest, slot, 0, nil)
}
