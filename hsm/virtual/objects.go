package virtual

import "bytes"

// Data objects with a meaning to the card itself.
const (
	objectDiscovery   = 0x7e
	objectPrinted     = 0x5fc109
	objectAttestation = 0x5fff01
)

// Objects that hold the person's own data want the PIN.
var privateObjects = map[uint32]bool{0x5fc103: true, 0x5fc108: true, objectPrinted: true, 0x5fc121: true}

const (
	tagList    = 0x5c
	tagObject  = 0x53
	maxObject  = 3063
	objectByte = 0x5f // all objects that can be written have a tag 5Fxxxx
)

// getData is GET DATA: 3FFF, 5C{tag} -> 53{object}.
func (p *pivApplet) getData(c command) ([]byte, status) {
	fields, whole := parseTLV(c.data)
	name := field(fields, tagList)
	switch {
	case c.p1 != 0x3f || c.p2 != 0xff:
		return nil, wrongParameters
	case !whole || len(name) == 0 || len(name) > 3:
		return nil, wrongData
	}
	tag := number(name)
	if tag == objectDiscovery {
		// The PIV PIN, and no other, opens this card.
		return encodeTLV(objectDiscovery, encodeTLV(0x4f, p.aid()), encodeTLV(0x5f2f, []byte{0x40, 0x00})), ok
	}
	if privateObjects[tag] && !p.pinVerified {
		return nil, securityStatus
	}
	object, found := p.objects[tag]
	if !found {
		return nil, notFound
	}
	return encodeTLV(tagObject, object), ok
}

// putData is PUT DATA: 3FFF, 5C{tag} 53{object}; an empty object deletes.
func (p *pivApplet) putData(c command) ([]byte, status) {
	fields, whole := parseTLV(c.data)
	switch {
	case c.p1 != 0x3f || c.p2 != 0xff:
		return nil, wrongParameters
	case !whole || len(fields) != 2 || fields[0].tag != tagList || fields[1].tag != tagObject:
		return nil, wrongData
	}
	name, object := fields[0].value, fields[1].value
	switch {
	case len(name) != 3 || name[0] != objectByte:
		return nil, wrongData
	case len(object) > maxObject:
		return nil, noMemory
	case len(object) == 0:
		delete(p.objects, number(name))
	default:
		p.objects[number(name)] = bytes.Clone(object)
	}
	return nil, ok
}

func number(b []byte) uint32 {
	var n uint32
	for _, digit := range b {
		n = n<<8 | uint32(digit)
	}
	return n
}

// metadata is GET METADATA.
func (p *pivApplet) metadata(c command) ([]byte, status) {
	if c.p1 != 0 {
		return nil, wrongParameters
	}
	switch c.p2 {
	case referencePIN:
		return p.pin.metadata("123456"), ok
	case referencePUK:
		return p.puk.metadata("12345678"), ok
	case slotManagement:
		m := p.management
		out := encodeTLV(0x01, []byte{m.algorithm})
		out = append(out, encodeTLV(0x02, []byte{0, m.touch})...)
		isDefault := bytes.Equal(m.value, factoryManagementKey) && m.algorithm == defaultManagementKey(p.version).algorithm
		return append(out, encodeTLV(0x05, flag(isDefault))...), ok
	}
	k, found := p.keys[c.p2]
	if !found {
		return nil, referenceNotFound
	}
	origin := byte(1)
	if k.imported {
		origin = 2
	}
	out := encodeTLV(0x01, []byte{k.algorithm})
	out = append(out, encodeTLV(0x02, []byte{k.pin, k.touch})...)
	out = append(out, encodeTLV(0x03, []byte{origin})...)
	return append(out, encodeTLV(0x04, k.public())...), ok
}

func (s *secret) metadata(factory string) []byte {
	out := encodeTLV(0x01, []byte{0xff})
	out = append(out, encodeTLV(0x05, flag(bytes.Equal(s.value, padPIN(factory))))...)
	return append(out, encodeTLV(0x06, []byte{byte(s.tries), byte(s.left)})...)
}

func flag(set bool) []byte {
	if set {
		return []byte{1}
	}
	return []byte{0}
}
