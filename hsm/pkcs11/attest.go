//go:build cgo

package pkcs11

import (
	"encoding/hex"
	"fmt"
	"strings"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
)

var _ hsm.Attester = (*token)(nil)

// ykcs11 shows what a YubiKey attests as certificates: one for each key that
// was generated, with the key's ID, and that of slot f9, which signed them.
const yubicoAttestation = "X.509 Certificate for PIV Attestation"

// Attest implements hsm.Attester for YubiKeys behind ykcs11. PKCS#11 itself has
// no attestation, and no other module has been seen to show one: elsewhere the
// error wraps ErrUnsupported.
func (t *token) Attest(key hsm.Key) ([][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.alive(); err != nil {
		return nil, err
	}
	chain, err := t.attest(key)
	if err != nil {
		return nil, fmt.Errorf("attesting key %q of token %q: %w", key.ID, t.name(), err)
	}
	return chain, nil
}

func (t *token) attest(key hsm.Key) ([][]byte, error) {
	id, err := hex.DecodeString(key.ID)
	if err != nil {
		return nil, err
	}
	type certificates struct{ statement, device []byte }
	found, err := within(t, t.limit, func(c cryptoki, s p11.SessionHandle) (found certificates, err error) {
		objects, err := search(c, s, []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE)})
		for _, object := range objects {
			label, err := read(c, s, object, p11.CKA_LABEL)
			slot, ok := strings.CutPrefix(trim(string(label)), yubicoAttestation)
			if err != nil || !ok {
				continue
			}
			its, _ := read(c, s, object, p11.CKA_ID)
			value, err := read(c, s, object, p11.CKA_VALUE)
			switch {
			case err != nil:
				return found, err
			case slot == "":
				found.device = value
			case string(its) == string(id):
				found.statement = value
			}
		}
		return found, err
	})
	switch {
	case err != nil:
		return nil, err
	case found.statement == nil || found.device == nil:
		return nil, fmt.Errorf("the module shows no attestation of it: %w", hsm.ErrUnsupported)
	}
	return [][]byte{found.statement, found.device}, nil
}
