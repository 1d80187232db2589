package virtual

import "errors"

// The instructions that the card knows. Those from F6 up are Yubico's own.
const (
	insVerify           = 0x20
	insChangeReference  = 0x24
	insResetRetry       = 0x2c
	insGenerate         = 0x47
	insAuthenticate     = 0x87
	insSelect           = 0xa4
	insGetResponse      = 0xc0
	insGetData          = 0xcb
	insPutData          = 0xdb
	insMoveKey          = 0xf6
	insMetadata         = 0xf7
	insSerial           = 0xf8
	insAttest           = 0xf9
	insSetRetries       = 0xfa
	insReset            = 0xfb
	insVersion          = 0xfd
	insImport           = 0xfe
	insSetManagementKey = 0xff
)

// status is the word at the end of every answer.
type status uint16

const (
	ok                = status(0x9000)
	wrongLength       = status(0x6700)
	securityStatus    = status(0x6982) // no PIN, no management key, or no finger came
	blocked           = status(0x6983)
	conditions        = status(0x6985)
	wrongData         = status(0x6a80)
	notFound          = status(0x6a82)
	noMemory          = status(0x6a84)
	wrongParameters   = status(0x6a86)
	referenceNotFound = status(0x6a88)
	unknownIns        = status(0x6d00)
	unknownClass      = status(0x6e00)
	noDiagnosis       = status(0x6f00)
)

// triesLeft is 63Cx, which has room for fifteen.
func triesLeft(n int) status { return 0x63c0 | status(min(n, 15)) }

// command is one APDU as it came, a piece of a chain or a whole.
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	room             int // how long an answer the reader has asked for
}

const chaining = 0x10 // the bit of CLA that says: more follows

var errLength = errors.New("the lengths of the APDU do not add up")

// parseCommand takes the short and the extended form. A short command without
// Le leaves room for 256 bytes: under T=1 libraries leave it out.
func parseCommand(raw []byte) (command, error) {
	if len(raw) < 4 {
		return command{}, errLength
	}
	c := command{cla: raw[0], ins: raw[1], p1: raw[2], p2: raw[3], room: 256}
	body := raw[4:]
	if len(body) <= 1 {
		if len(body) == 1 && body[0] != 0 {
			c.room = int(body[0])
		}
		return c, nil
	}
	width := 1
	if body[0] == 0 && len(body) >= 3 {
		width, body = 2, body[1:]
	}
	return c, c.parseBody(body, width)
}

// parseBody reads Lc, data and Le, whose lengths are width bytes each.
func (c *command) parseBody(body []byte, width int) error {
	number := func(b []byte) int {
		if width == 1 {
			return int(b[0])
		}
		return int(b[0])<<8 | int(b[1])
	}
	if width == 2 {
		c.room = 65536
	}
	n := number(body)
	switch rest := body[width:]; {
	case len(rest) == 0: // no data: the number was Le
		if n != 0 {
			c.room = n
		}
	case len(rest) == n:
		c.data = rest
	case len(rest) == n+width:
		c.data = rest[:n]
		if le := number(rest[n:]); le != 0 {
			c.room = le
		}
	default:
		return errLength
	}
	return nil
}

// answer puts the status word behind the data.
func answer(data []byte, sw status) []byte {
	return append(data[:len(data):len(data)], byte(sw>>8), byte(sw))
}
