package card

// tlv is one BER-TLV element.
type tlv struct {
	tag   uint16
	value []byte
}

var errCutShort = malformed("it is cut short")

// readTLV takes the first element from data. Tags have one or two bytes, as all
// tags of PIV do.
func readTLV(data []byte) (element tlv, rest []byte, err error) {
	if len(data) < 2 {
		return tlv{}, nil, errCutShort
	}
	tag, data := uint16(data[0]), data[1:]
	if tag&0x1F == 0x1F {
		tag, data = tag<<8|uint16(data[0]), data[1:]
	}
	length, data, err := readLength(data)
	if err != nil {
		return tlv{}, nil, err
	}
	if length > len(data) {
		return tlv{}, nil, errCutShort
	}
	return tlv{tag, data[:length]}, data[length:], nil
}

func readLength(data []byte) (length int, rest []byte, err error) {
	if len(data) == 0 {
		return 0, nil, errCutShort
	}
	first, data := data[0], data[1:]
	if first < 0x80 {
		return int(first), data, nil
	}
	count := int(first & 0x7F)
	if count < 1 || count > 2 {
		return 0, nil, malformed("it has a length that no object has")
	}
	if len(data) < count {
		return 0, nil, errCutShort
	}
	for _, b := range data[:count] {
		length = length<<8 | int(b)
	}
	return length, data[count:], nil
}

// readAll reads elements until the data ends.
func readAll(data []byte) ([]tlv, error) {
	var all []tlv
	for len(data) > 0 {
		element, rest, err := readTLV(data)
		if err != nil {
			return nil, err
		}
		all, data = append(all, element), rest
	}
	return all, nil
}

// find returns the first element of that tag, or nil.
func find(elements []tlv, tag uint16) []byte {
	for _, e := range elements {
		if e.tag == tag {
			return e.value
		}
	}
	return nil
}

// unwrap returns the value of the one element that data must be.
func unwrap(data []byte, tag uint16) ([]byte, error) {
	element, _, err := readTLV(data)
	if err != nil {
		return nil, err
	}
	if element.tag != tag {
		return nil, malformed("it begins with tag %02X instead of %02X", element.tag, tag)
	}
	return element.value, nil
}

// wrap encodes one element. Values have less than 64 KiB.
func wrap(tag byte, value ...byte) []byte {
	switch n := len(value); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, value...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, value...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, value...)
	}
}
