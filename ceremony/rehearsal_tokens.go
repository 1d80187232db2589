package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/youmark/pkcs8"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/uri"
	"tufceremony/hsm/soft"
)

// stock is a token made for the rehearsal, as its holder would describe it to
// the one who writes the plan.
type stock struct {
	uri    string
	model  string
	serial string
	pin    []byte
	puk    []byte // of a YubiKey
	pem    []byte // the public key

	evidence []byte // the device's attestation, where it has one
}

// entry is what the plan says of the token.
func (s stock) entry(token string) string {
	text := fmt.Sprintf("      - name: %s\n        uri: %q\n        model: %q\n        serial: %q\n        key: keys/%s.pem\n", token, s.uri, s.model, s.serial, token)
	if s.evidence != nil {
		text += fmt.Sprintf("        attestation: keys/%s.attestation.pem\n", token)
	}
	return text
}

// maker makes tokens: this is all that differs between a rehearsal on embedded
// tokens and one on devices.
type maker interface {
	// policy is the section of that name in the plan, or nothing.
	policy() string
	// make gives a holder a token with a key, for a ceremony of which the
	// coordinator has a folder.
	make(ceremony, holder, name string) (stock, error)
}

// softMaker makes embedded tokens, in a folder of the holder.
type softMaker struct{ r *rehearsal }

func (m *softMaker) policy() string { return "" }

func (m *softMaker) make(_, holder, name string) (stock, error) {
	private, err := m.r.key("token " + name)
	if err != nil {
		return stock{}, err
	}
	pin, err := m.r.pin(name)
	if err != nil {
		return stock{}, err
	}
	number, err := m.r.derive("serial "+name, 4)
	if err != nil {
		return stock{}, err
	}
	serial := fmt.Sprintf("soft-%x", number)
	place := filepath.Join(m.r.dir, holder, "tokens")
	if err := os.MkdirAll(place, 0o700); err != nil {
		return stock{}, fmt.Errorf("making a folder for tokens: %w", err)
	}
	if err := soft.Create(place, name, pin, private, soft.Options{Serial: serial, Model: "embedded token"}); err != nil {
		return stock{}, err
	}
	text, err := publicPEM(&private.PublicKey)
	return stock{uri: "soft:" + name, model: "embedded token", serial: serial, pin: pin, pem: text}, err
}

// key makes a P-256 key from the seed.
func (r *rehearsal) key(name string) (*ecdsa.PrivateKey, error) {
	raw, err := r.derive("key "+name, 32)
	if err != nil {
		return nil, err
	}
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
}

func publicPEM(public any) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// pkcs11Maker makes SoftHSM tokens in a store of the rehearsal's own.
type pkcs11Maker struct {
	r      *rehearsal
	module string
	prefix string // of the tokens' labels
}

// newPKCS11Maker points SoftHSM at a new store, so that the machine's own is
// neither read nor written.
func newPKCS11Maker(r *rehearsal, module string) (maker, error) {
	store := filepath.Join(r.dir, "softhsm")
	if err := os.MkdirAll(filepath.Join(store, "tokens"), 0o700); err != nil {
		return nil, fmt.Errorf("making a store for SoftHSM: %w", err)
	}
	config := filepath.Join(store, "softhsm2.conf")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", filepath.Join(store, "tokens"))
	if err := durable.Create(config, []byte(text)); err != nil {
		return nil, err
	}
	if err := os.Setenv("SOFTHSM2_CONF", config); err != nil {
		return nil, err
	}
	return &pkcs11Maker{r, module, rehearsalLabel + " "}, nil
}

func (m *pkcs11Maker) policy() string { return "" }

func (m *pkcs11Maker) make(_, _, name string) (stock, error) {
	pin, err := m.r.pin(name)
	if err != nil {
		return stock{}, err
	}
	soPIN, err := m.r.pin("security officer of " + name)
	if err != nil {
		return stock{}, err
	}
	label := m.prefix + name
	at := uri.URI{Token: label, Object: "tuf", ModulePath: m.module}
	at.Serial, err = pkcs11.CreateToken(at.String(), soPIN, pin, pkcs11.Options{})
	if err != nil {
		return stock{}, hint(err, "scripts/rehearse --pkcs11 installs SoftHSM where it is missing")
	}
	key, err := m.r.generate(at, pin)
	if err != nil {
		return stock{}, err
	}
	text, err := publicPEM(key.Public)
	return stock{uri: at.String(), model: "SoftHSM", serial: at.Serial, pin: pin, pem: text}, err
}

// generate makes a key with a random ID, which the plan need not know.
func (r *rehearsal) generate(at uri.URI, pin []byte) (_ hsm.Key, err error) {
	if at.ID, err = pkcs11.NewID(r.env.random); err != nil {
		return hsm.Key{}, err
	}
	return pkcs11.GenerateKey(at.String(), pin, pkcs11.Options{})
}

// onlineKey writes a key of the publisher's as such keys are kept: encrypted.
func (r *rehearsal) onlineKey(name string) ([]byte, error) {
	private, err := r.key(name)
	if err != nil {
		return nil, err
	}
	secret, err := r.pin("online")
	if err != nil {
		return nil, err
	}
	der, err := pkcs8.MarshalPrivateKey(private, secret, nil)
	if err != nil {
		return nil, fmt.Errorf("encrypting the online key: %w", err)
	}
	r.tokens["online"] = stock{pin: secret}
	if err := durable.Create(filepath.Join(r.dir, "publisher", name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})); err != nil {
		return nil, err
	}
	return publicPEM(&private.PublicKey)
}
