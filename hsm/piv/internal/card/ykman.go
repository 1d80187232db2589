package card

// Yubico's programs keep two objects that NIST gives other meanings or none:
// who may read them differs, and so does what they hold.
//
//	ObjectAdmin    80 { 81 flags, 82 salt, 83 time of the last PIN change }
//	ObjectPrinted  88 { 89 management key }, which only the PIN reads
//
// Fields that this package does not know are kept.
const (
	tagAdmin     = 0x80
	tagFlags     = 0x81
	tagSalt      = 0x82
	tagProtected = 0x88
	tagKey       = 0x89
)

// FlagPINProtected in the flags of ObjectAdmin says that ObjectPrinted holds
// the management key.
const FlagPINProtected byte = 0x02

// AdminFlags reads the flags from the contents of ObjectAdmin.
func AdminFlags(contents []byte) (byte, error) {
	elements, err := fieldsOf(contents, tagAdmin)
	if err != nil {
		return 0, err
	}
	if flags := find(elements, tagFlags); len(flags) == 1 {
		return flags[0], nil
	}
	return 0, nil
}

// WithPINProtected returns the contents of ObjectAdmin with the flag set. The
// salt of a key that was derived from the PIN goes: the key is another one now.
func WithPINProtected(contents []byte) ([]byte, error) {
	flags, err := AdminFlags(contents)
	if err != nil {
		return nil, err
	}
	return replace(contents, tagAdmin, tagFlags, []byte{flags | FlagPINProtected}, tagSalt)
}

// ProtectedKey reads the management key from the contents of ObjectPrinted; nil
// if there is none.
func ProtectedKey(contents []byte) ([]byte, error) {
	elements, err := fieldsOf(contents, tagProtected)
	if err != nil {
		return nil, err
	}
	key := find(elements, tagKey)
	switch len(key) {
	case 0:
		return nil, nil
	case 16, 24, 32:
		return append([]byte(nil), key...), nil
	}
	return nil, malformed("the stored management key has %d bytes", len(key))
}

// WithProtectedKey returns the contents of ObjectPrinted with the key in it.
func WithProtectedKey(contents, key []byte) ([]byte, error) {
	return replace(contents, tagProtected, tagKey, key)
}

// fieldsOf reads what stands inside the one element that contents are. No
// contents have no fields.
func fieldsOf(contents []byte, outer uint16) ([]tlv, error) {
	if len(contents) == 0 {
		return nil, nil
	}
	inside, err := unwrap(contents, outer)
	if err != nil {
		return nil, err
	}
	return readAll(inside)
}

// replace puts a field in front of all others, and drops those of its tag and
// of the tags in drop.
func replace(contents []byte, outer, tag byte, value []byte, drop ...uint16) ([]byte, error) {
	elements, err := fieldsOf(contents, uint16(outer))
	if err != nil {
		return nil, err
	}
	inside := wrap(tag, value...)
	for _, e := range elements {
		if e.tag == uint16(tag) || len(drop) > 0 && e.tag == drop[0] {
			continue
		}
		if e.tag > 0xFF {
			return nil, malformed("a field has tag %04X", e.tag)
		}
		inside = append(inside, wrap(byte(e.tag), e.value...)...)
	}
	return wrap(outer, inside...), nil
}
