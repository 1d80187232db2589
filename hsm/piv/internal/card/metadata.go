package card

// References of what is no slot.
const (
	RefPIN           byte = 0x80
	RefPUK           byte = 0x81
	RefManagementKey byte = 0x9B
	RefAttestation   byte = 0xF9
)

// Metadata is what a card of firmware 5.3 or newer tells about a slot, a PIN or
// the management key. Zero fields were not told.
type Metadata struct {
	Algorithm   byte
	PINPolicy   byte
	TouchPolicy byte
	Origin      byte   // 1 generated, 2 imported
	Public      []byte // see PublicKey
	Default     byte   // of a PIN or key: 1 another than the factory's, 2 the factory's
	Tries       int    // of a PIN: wrong ones until it is blocked
	TriesLeft   int
	HasTries    bool
}

const (
	tagAlgorithm = 0x01
	tagPolicy    = 0x02
	tagOrigin    = 0x03
	tagPublic    = 0x04
	tagDefault   = 0x05
	tagTries     = 0x06
)

// Metadata asks what is known about a slot or a reference. An empty slot
// answers 6A88.
func (c *Card) Metadata(reference byte) (Metadata, error) {
	reply, err := c.command(insMetadata, 0, reference, nil)
	if err != nil {
		return Metadata{}, err
	}
	elements, err := readAll(reply)
	if err != nil {
		return Metadata{}, err
	}
	var m Metadata
	for _, e := range elements {
		if err := m.set(e); err != nil {
			return Metadata{}, err
		}
	}
	return m, nil
}

var errMetadata = malformed("a field of the metadata has a length that it cannot have")

// set takes one field. Fields that are not known are of newer firmware, and
// passed over.
func (m *Metadata) set(e tlv) error {
	lengths := map[uint16]int{tagAlgorithm: 1, tagPolicy: 2, tagOrigin: 1, tagDefault: 1, tagTries: 2}
	if want, known := lengths[e.tag]; known && len(e.value) != want {
		return errMetadata
	}
	switch e.tag {
	case tagAlgorithm:
		m.Algorithm = e.value[0]
	case tagPolicy:
		m.PINPolicy, m.TouchPolicy = e.value[0], e.value[1]
	case tagOrigin:
		m.Origin = e.value[0]
	case tagPublic:
		m.Public = e.value
	case tagDefault:
		m.Default = 1
		if e.value[0] == 1 {
			m.Default = 2
		}
	case tagTries:
		m.Tries, m.TriesLeft, m.HasTries = int(e.value[0]), int(e.value[1]), true
	}
	return nil
}
