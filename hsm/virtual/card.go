package virtual

import (
	"bytes"
	"sync"
	"time"
)

// Card is one card, in or out of a reader. What it keeps survives being
// pulled: keys, objects, PINs and their counters. It is safe for concurrent
// use, though a reader sends one command at a time.
type Card struct {
	config  Config
	atr     []byte
	applets []applet
	bench   *bench

	mu      sync.Mutex // one command at a time
	current applet     // the applet that was selected, or nil
	chain   *command   // the pieces so far of a chained command, or nil
	rest    []byte     // what GET RESPONSE is still to fetch
}

// applet is one application on the card.
type applet interface {
	aid() []byte
	greeting() []byte // the answer to SELECT
	do(command) ([]byte, status)
	forget() // drops who has authenticated
}

var (
	// The historical bytes say "YubiKey".
	yubikeyATR = []byte("\x3b\xfd\x13\x00\x00\x81\x31\xfe\x15\x80\x73\xc0\x21\xc0\x57YubiKey\x40")
	// T=0 and T=1, and nothing else to say.
	plainATR = []byte{0x3b, 0x80, 0x80, 0x01, 0x01}
)

// New makes a card as it leaves the factory.
func New(config Config) (*Card, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	c := &Card{config: config, atr: plainATR, bench: newBench(config.touchWait())}
	if config.Plain {
		return c, nil
	}
	version, err := parseFirmware(config.firmware())
	if err != nil {
		return nil, err
	}
	piv, err := newPIV(config, version, c.bench)
	if err != nil {
		return nil, err
	}
	c.atr = yubikeyATR
	c.applets = []applet{piv, &managementApplet{config, version}, &otpApplet{config, version}}
	return c, nil
}

// ATR is what the card answers to a reset.
func (c *Card) ATR() []byte { return bytes.Clone(c.atr) }

// PowerCycle forgets what a card forgets without power.
func (c *Card) PowerCycle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.selectApplet(nil)
	c.chain, c.rest = nil, nil
}

// Transmit answers one APDU.
func (c *Card) Transmit(raw []byte) []byte {
	out, _ := c.transmit(raw)
	return out
}

// transmit answers one APDU as the faults order, and says whether the card was
// pulled instead of answering.
func (c *Card) transmit(raw []byte) (out []byte, pulled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := time.Now()
	cmd, err := parseCommand(raw)
	fault := c.bench.arrived(cmd)
	sw := fault.sw
	switch {
	case fault.pull == pullBefore:
	case sw != 0:
		c.chain, c.rest = nil, nil
	case err != nil:
		sw = wrongLength
	default:
		out, sw = c.run(cmd)
	}
	c.bench.answered(cmd, sw, time.Since(start))
	if fault.pull != pullNot {
		return nil, true
	}
	return answer(out, sw), false
}

// run follows chains and hands out long answers in pieces.
func (c *Card) run(cmd command) ([]byte, status) {
	if cmd.ins == insGetResponse {
		return c.piece(cmd.room)
	}
	c.rest = nil
	if c.chain != nil {
		if c.chain.ins != cmd.ins || c.chain.p1 != cmd.p1 || c.chain.p2 != cmd.p2 {
			c.chain = nil // another command ends a chain
		} else {
			cmd.data = append(c.chain.data, cmd.data...)
		}
	}
	if cmd.cla&chaining != 0 {
		if len(cmd.data) > maxChain {
			c.chain = nil
			return nil, wrongLength
		}
		cmd.data = bytes.Clone(cmd.data)
		c.chain = &cmd
		return nil, ok
	}
	c.chain = nil
	out, sw := c.dispatch(cmd)
	if len(out) <= cmd.room {
		return out, sw
	}
	c.rest = out
	return c.piece(cmd.room)
}

const maxChain = 4096 // more than any command needs

// piece returns the next part of the answer, with 61xx while there is more;
// 6100 says 256 or more.
func (c *Card) piece(room int) ([]byte, status) {
	if len(c.rest) == 0 {
		return nil, conditions
	}
	n := min(room, len(c.rest))
	out := c.rest[:n]
	c.rest = c.rest[n:]
	switch left := len(c.rest); {
	case left == 0:
		return out, ok
	case left < 256:
		return out, 0x6100 | status(left)
	default:
		return out, 0x6100
	}
}

func (c *Card) dispatch(cmd command) ([]byte, status) {
	if cmd.cla&^chaining != 0 {
		return nil, unknownClass
	}
	if cmd.ins == insSelect {
		return c.choose(cmd)
	}
	if c.current == nil {
		return nil, unknownIns
	}
	return c.current.do(cmd)
}

// choose selects an applet by its name or the beginning of it. An applet that
// is already selected keeps who has authenticated; any other start is fresh.
func (c *Card) choose(cmd command) ([]byte, status) {
	if cmd.p1 != 0x04 {
		return nil, wrongParameters
	}
	for _, a := range c.applets {
		name := a.aid()
		if n := min(len(name), len(cmd.data)); n >= 5 && bytes.Equal(cmd.data[:n], name[:n]) {
			c.selectApplet(a)
			return a.greeting(), ok
		}
	}
	return nil, notFound
}

func (c *Card) selectApplet(a applet) {
	if c.current != nil && c.current != a {
		c.current.forget()
	}
	c.current = a
}
