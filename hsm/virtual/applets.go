package virtual

import "encoding/binary"

// managementApplet tells what the device is.
type managementApplet struct {
	config  Config
	version firmware
}

func (*managementApplet) aid() []byte { return []byte("\xa0\x00\x00\x05\x27\x47\x11\x17") }

func (m *managementApplet) greeting() []byte {
	return []byte("Virtual mgr - FW version " + m.version.String())
}

func (*managementApplet) forget() {}

const insReadConfig = 0x1d

func (m *managementApplet) do(c command) ([]byte, status) {
	if c.ins != insReadConfig {
		return nil, unknownIns
	}
	if c.p1 != 0 { // later pages
		return nil, wrongParameters
	}
	const piv, otp = 0x10, 0x01
	supported := []byte{0, piv | otp}
	fields := encodeTLV(0x01, supported)
	fields = append(fields, encodeTLV(0x02, serialBytes(m.config))...)
	fields = append(fields, encodeTLV(0x03, supported)...)
	if m.version.atLeast(5, 0) {
		fields = append(fields, encodeTLV(0x04, []byte{m.config.formFactor()})...)
		fields = append(fields, encodeTLV(0x05, m.version[:])...)
	}
	fields = append(fields, encodeTLV(0x0a, []byte{0})...) // not locked
	return append([]byte{byte(len(fields))}, fields...), ok
}

// otpApplet is here for the serial number, which PIV tells from firmware 5 on.
type otpApplet struct {
	config  Config
	version firmware
}

func (*otpApplet) aid() []byte { return []byte("\xa0\x00\x00\x05\x27\x20\x01\x01") }

// greeting is the status: version, a counter of changes, no slot configured.
func (o *otpApplet) greeting() []byte { return append(o.version[:], 0, 0, 0) }

func (*otpApplet) forget() {}

func (o *otpApplet) do(c command) ([]byte, status) {
	switch {
	case c.ins == 0x01 && c.p1 == 0x10:
		return serialBytes(o.config), ok
	case c.ins == 0x01:
		return nil, wrongParameters
	case c.ins == 0x03:
		return o.greeting(), ok
	}
	return nil, unknownIns
}

func serialBytes(c Config) []byte { return binary.BigEndian.AppendUint32(nil, c.serial()) }
