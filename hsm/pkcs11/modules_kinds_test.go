//go:build cgo

package pkcs11_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

// keyKind is a kind of key as a module is asked for it. The driver itself is
// asked for nothing here: what a vendor's tool has made must sign as well.
type keyKind struct {
	name       string
	mechanism  uint
	attributes []*p11.Attribute // of the public half
	always     bool             // the PIN is wanted for each signature
}

func ecParams(der ...byte) []*p11.Attribute {
	return []*p11.Attribute{p11.NewAttribute(p11.CKA_EC_PARAMS, der)}
}

const edwardsGeneration = 0x1055 // CKM_EC_EDWARDS_KEY_PAIR_GEN, which the binding does not name

var (
	onP256   = ecParams(0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07)
	keyKinds = []keyKind{
		{name: "P-256", mechanism: p11.CKM_EC_KEY_PAIR_GEN, attributes: onP256},
		{name: "P-384", mechanism: p11.CKM_EC_KEY_PAIR_GEN, attributes: ecParams(0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22)},
		{name: "Ed25519", mechanism: edwardsGeneration, attributes: ecParams(append([]byte{0x13, 12}, "edwards25519"...)...)},
		{name: "RSA-2048 with PSS", mechanism: p11.CKM_RSA_PKCS_KEY_PAIR_GEN, attributes: []*p11.Attribute{
			p11.NewAttribute(p11.CKA_MODULUS_BITS, 2048), p11.NewAttribute(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})}},
		{name: "PIN for each signature", mechanism: p11.CKM_EC_KEY_PAIR_GEN, attributes: onP256, always: true},
	}
)

// bare speaks to the module without the driver, on the first token.
type bare struct {
	*p11.Ctx
	session p11.SessionHandle
}

// openBare logs in; the module is finalised at the end of the test.
func openBare(t *testing.T, u uri.URI, pin string) *bare {
	c := p11.New(u.ModulePath)
	options := []p11.InitializeOption{}
	if u.InitReserved != "" {
		text := append([]byte(u.InitReserved), 0)
		var pinner runtime.Pinner
		pinner.Pin(&text[0])
		defer pinner.Unpin()
		options = append(options, p11.InitializeWithReserved(unsafe.Pointer(&text[0])))
	}
	if err := c.Initialize(options...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Finalize() })
	slots, err := c.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		info, err := c.GetTokenInfo(slot)
		if err != nil || strings.TrimRight(info.Label, " \x00") != u.Token && info.SerialNumber != u.Serial {
			continue
		}
		r := &bare{Ctx: c}
		if r.session, err = c.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION); err == nil {
			err = c.Login(r.session, p11.CKU_USER, pin)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	t.Fatalf("%s has no token %q", u.ModulePath, u.Token)
	return nil
}

// generate leaves a key pair on the token, with the kind's name as its label.
func (r *bare) generate(k keyKind, id byte) (private p11.ObjectHandle, err error) {
	common := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_LABEL, k.name), p11.NewAttribute(p11.CKA_ID, []byte{0xA0, id}),
	}
	secret := append(common[:3:3], p11.NewAttribute(p11.CKA_PRIVATE, true), p11.NewAttribute(p11.CKA_SIGN, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false))
	if k.always {
		secret = append(secret, p11.NewAttribute(p11.CKA_ALWAYS_AUTHENTICATE, true))
	}
	_, private, err = r.GenerateKeyPair(r.session, []*p11.Mechanism{p11.NewMechanism(k.mechanism, nil)}, append(common[:3:3], k.attributes...), secret)
	return private, err
}

// evidence is what the module says of a key that was generated on it. A value
// that it does not know is a question mark.
func (r *bare) evidence(private p11.ObjectHandle) string {
	var values []string
	for _, a := range []uint{p11.CKA_LOCAL, p11.CKA_NEVER_EXTRACTABLE, p11.CKA_ALWAYS_SENSITIVE} {
		value, err := r.GetAttributeValue(r.session, private, []*p11.Attribute{p11.NewAttribute(a, nil)})
		if err != nil || len(value) != 1 || len(value[0].Value) != 1 {
			values = append(values, "?")
			continue
		}
		values = append(values, fmt.Sprint(value[0].Value[0]))
	}
	return strings.Join(values, "/")
}

// enforces says whether a signature without the login for it is refused.
func (r *bare) enforces(private p11.ObjectHandle) bool {
	if r.SignInit(r.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_ECDSA, nil)}, private) != nil {
		return true
	}
	_, err := r.Sign(r.session, make([]byte, sha256.Size))
	return err != nil
}

// info notes which module this is.
func (d *moduleTest) info(t *testing.T) {
	info, err := openBare(t, d.tokens[0], d.pin).GetInfo()
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) string { return strings.TrimRight(s, " \x00") }
	d.note(moduleLine, "%s, %s, %d.%d", text(info.ManufacturerID), text(info.LibraryDescription), info.LibraryVersion.Major, info.LibraryVersion.Minor)
}

// moduleLine is the first line of what is kept.
const moduleLine = "module"

// kinds has the module generate keys of every kind, and the driver sign with
// them.
func (d *moduleTest) kinds(t *testing.T) {
	t.Run("info", d.info)
	if d.cards {
		d.slots(t)
		return
	}
	refused, evidence, enforced := map[string]error{}, "?", false
	t.Run("generate", func(t *testing.T) {
		r := openBare(t, d.tokens[0], d.pin)
		for i, k := range keyKinds {
			private, err := r.generate(k, byte(i))
			switch {
			case err != nil:
				refused[k.name] = err
			case k.always:
				enforced = r.enforces(private)
			default:
				evidence = r.evidence(private)
			}
		}
	})
	for _, k := range keyKinds {
		t.Run(k.name, func(t *testing.T) {
			if err := refused[k.name]; err != nil {
				d.note(k.name, "no, generating one ends in %s", codeName(err))
				t.Skipf("the module makes no such key: %v", err)
			}
			u := d.tokens[0]
			u.Object = k.name
			d.signKind(t, k.name, u, k.always)
			if k.always && !enforced {
				d.replace(k.name, "kept, and not enforced")
			}
		})
	}
	d.note("LOCAL/NEVER_EXTRACTABLE/ALWAYS_SENSITIVE of a generated key", "%s", evidence)
}

// slots has the two keys of a virtual YubiKey sign.
func (d *moduleTest) slots(t *testing.T) {
	for _, slot := range []struct {
		name string
		id   []byte
	}{{"P-256", slot9a}, {"PIN for each signature", slot9c}} {
		t.Run(slot.name, func(t *testing.T) {
			u := d.tokens[0]
			u.ID = slot.id
			d.signKind(t, slot.name, u, bytes.Equal(slot.id, slot9c))
		})
	}
}

// counting types a PIN, and counts.
type counting struct {
	pin   string
	asked int
}

func (p *counting) PIN(hsm.PINRequest) ([]byte, error) {
	p.asked++
	return []byte(p.pin), nil
}
func (p *counting) Touch(hsm.TouchRequest) func() { return func() {} }

// signKind has the driver sign twice with the one key that fits.
func (d *moduleTest) signKind(t *testing.T, name string, u uri.URI, always bool) {
	token := openToken(t, u.String())
	keys, err := token.Keys()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys: %v, %v", keys, err)
	}
	p := &counting{pin: d.pin}
	signer, err := token.Signer(keys[0], p)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := signMessage(signer); errors.Is(err, hsm.ErrUnsupported) {
			d.note(name, "no, signing ends in %v", err)
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if asked := p.asked > 1; asked != always {
		t.Errorf("asked for the PIN %d times", p.asked)
	}
	d.note(name, "yes")
}

// signMessage signs as TUF has it, and has the standard library verify.
func signMessage(signer crypto.Signer) error {
	message := []byte("message")
	long, short := sha512.Sum384(message), sha256.Sum256(message)
	digest, options := short[:], crypto.SignerOpts(crypto.SHA256)
	var verifies func(signature []byte) bool
	switch key := signer.Public().(type) {
	case *ecdsa.PublicKey:
		if key.Curve.Params().BitSize == 384 {
			digest, options = long[:], crypto.SHA384
		}
		verifies = func(signature []byte) bool { return ecdsa.VerifyASN1(key, digest, signature) }
	case ed25519.PublicKey:
		digest, options = message, crypto.Hash(0)
		verifies = func(signature []byte) bool { return ed25519.Verify(key, message, signature) }
	case *rsa.PublicKey:
		pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		options = pss
		verifies = func(signature []byte) bool { return rsa.VerifyPSS(key, crypto.SHA256, digest, signature, pss) == nil }
	}
	signature, err := crypto.SignMessage(signer, rand.Reader, message, options)
	if err == nil && !verifies(signature) {
		err = errors.New("the signature does not verify")
	}
	return err
}

// codeName is a return value as the standard calls it.
func codeName(err error) string {
	code := p11.Error(0)
	if errors.As(err, &code) {
		if _, name, ok := strings.Cut(err.Error(), "CKR_"); ok {
			return "CKR_" + name
		}
	}
	return err.Error()
}
