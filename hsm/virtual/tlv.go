package virtual

import "encoding/binary"

// tlv is one field of a template: a tag of up to three bytes and its value.
type tlv struct {
	tag   uint32
	value []byte
}

// parseTLV splits BER-TLV of definite length. Fields after a broken one are
// given up, and reported.
func parseTLV(data []byte) (fields []tlv, whole bool) {
	for len(data) > 0 {
		tag, rest := cutTag(data)
		n, rest, ok := cutLength(rest)
		if !ok || n > len(rest) {
			return fields, false
		}
		fields = append(fields, tlv{tag, rest[:n]})
		data = rest[n:]
	}
	return fields, true
}

func cutTag(data []byte) (uint32, []byte) {
	tag, n := uint32(data[0]), 1
	if data[0]&0x1f == 0x1f {
		for more := true; more && n < len(data) && n < 3; n++ {
			tag = tag<<8 | uint32(data[n])
			more = data[n]&0x80 != 0
		}
	}
	return tag, data[n:]
}

func cutLength(data []byte) (n int, rest []byte, ok bool) {
	switch {
	case len(data) == 0:
		return 0, nil, false
	case data[0] < 0x80:
		return int(data[0]), data[1:], true
	case data[0] == 0x81 && len(data) > 1:
		return int(data[1]), data[2:], true
	case data[0] == 0x82 && len(data) > 2:
		return int(binary.BigEndian.Uint16(data[1:])), data[3:], true
	}
	return 0, nil, false
}

// field returns the value of the first field with a tag, or nil.
func field(fields []tlv, tag uint32) []byte {
	for _, f := range fields {
		if f.tag == tag {
			return f.value
		}
	}
	return nil
}

// encodeTLV writes one field around the values, joined.
func encodeTLV(tag uint32, values ...[]byte) []byte {
	var out []byte
	for shift := 24; shift >= 0; shift -= 8 {
		if b := byte(tag >> shift); b != 0 || shift == 0 || len(out) > 0 {
			out = append(out, b)
		}
	}
	n := 0
	for _, value := range values {
		n += len(value)
	}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	for _, value := range values {
		out = append(out, value...)
	}
	return out
}
