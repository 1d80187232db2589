package virtual

import (
	"bytes"
	"crypto/rand"
)

// pivApplet is PIV (NIST SP 800-73-4) with Yubico's extensions.
type pivApplet struct {
	config  Config
	version firmware
	bench   *bench

	// What the card keeps without power.
	pin, puk   secret
	management managementKey
	keys       map[byte]*key     // by slot
	objects    map[uint32][]byte // what stands inside tag 53

	// Who has authenticated since PIV was selected.
	session
}

// session is what another applet or a power cycle ends.
type session struct {
	pinVerified bool // good for keys of policy once, until the session ends
	pinFresh    bool // good for one use of a key of policy always
	manager     bool // the management key was proved
	witness     []byte
	challenge   []byte
}

const (
	slotAuthentication = 0x9a
	slotManagement     = 0x9b // the management key, not a key pair
	slotSignature      = 0x9c
	slotKeyManagement  = 0x9d
	slotCardAuth       = 0x9e
	slotRetiredFirst   = 0x82
	slotRetiredLast    = 0x95
	slotAttestation    = 0xf9
)

func isKeySlot(slot byte) bool {
	switch slot {
	case slotAuthentication, slotSignature, slotKeyManagement, slotCardAuth, slotAttestation:
		return true
	}
	return slot >= slotRetiredFirst && slot <= slotRetiredLast
}

func newPIV(config Config, version firmware, b *bench) (*pivApplet, error) {
	p := &pivApplet{config: config, version: version, bench: b}
	p.wipe()
	if err := p.makeAttestationKey(); err != nil {
		return nil, err
	}
	return p, nil
}

// wipe is what RESET does: everything goes but the attestation key and its
// certificate.
func (p *pivApplet) wipe() {
	p.pin = secret{value: padPIN("123456"), tries: 3, left: 3}
	p.puk = secret{value: padPIN("12345678"), tries: 3, left: 3}
	p.management = defaultManagementKey(p.version)
	keys, objects := map[byte]*key{}, map[uint32][]byte{}
	if old, found := p.keys[slotAttestation]; found {
		keys[slotAttestation] = old
	}
	if old, found := p.objects[objectAttestation]; found {
		objects[objectAttestation] = old
	}
	p.keys, p.objects = keys, objects
	p.session = session{}
}

func (*pivApplet) aid() []byte { return []byte("\xa0\x00\x00\x03\x08\x00\x00\x10\x00\x01\x00") }

func (p *pivApplet) greeting() []byte {
	aid := p.aid()
	return encodeTLV(0x61, encodeTLV(0x4f, aid[5:]), encodeTLV(0x79, encodeTLV(0x4f, aid[:5])))
}

func (p *pivApplet) forget() { p.session = session{} }

func (p *pivApplet) do(c command) ([]byte, status) {
	switch c.ins {
	case insVersion:
		return bytes.Clone(p.version[:]), ok
	case insSerial:
		if !p.version.atLeast(5, 0) {
			return nil, unknownIns
		}
		return serialBytes(p.config), ok
	case insMetadata:
		if !p.version.atLeast(5, 3) {
			return nil, unknownIns
		}
		return p.metadata(c)
	case insVerify:
		return nil, p.verify(c)
	case insChangeReference:
		return nil, p.changeReference(c)
	case insResetRetry:
		return nil, p.resetRetry(c)
	case insReset:
		return nil, p.reset()
	case insGetData:
		return p.getData(c)
	case insAuthenticate:
		return p.authenticate(c)
	case insAttest:
		return p.attest(c)
	}
	return p.doAsManager(c)
}

// doAsManager has the commands that want the management key first.
func (p *pivApplet) doAsManager(c command) ([]byte, status) {
	var do func(command) ([]byte, status)
	switch c.ins {
	case insGenerate:
		do = p.generate
	case insImport:
		do = p.importKey
	case insPutData:
		do = p.putData
	case insSetRetries:
		do = p.setRetries
	case insSetManagementKey:
		do = p.setManagementKey
	case insMoveKey:
		do = p.moveKey
	}
	if do == nil || c.ins == insMoveKey && !p.version.atLeast(5, 7) {
		return nil, unknownIns
	}
	if !p.manager {
		return nil, securityStatus
	}
	return do(c)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, as crypto/rand promises
	return b
}
