package attest

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// A chain has five certificates at most: root, intermediate, the PIV applet's
// intermediate, device, slot. A YubiHSM 2's has four. Real ones are smaller than one kilobyte each.
const (
	maxCertificates = 8
	maxCertificate  = 8 << 10  // bytes of DER
	maxFile         = 64 << 10 // bytes of PEM
	maxRSA          = 8192     // bits, since checking a signature takes time
)

// Evidence is what a device gave: an attestation of one key, and the
// certificates below the root.
type Evidence struct {
	Leaf          *x509.Certificate   // the attestation of the slot or the object
	Intermediates []*x509.Certificate // the device's certificate (f9, opaque object 0), then any others
}

// ParseEvidence reads PEM certificates (RFC 7468): the key's attestation
// first, then the device's certificate and any others. Between them may
// be white space and nothing else. There may be 8 of them, in 64 KiB, each
// once. Errors wrap ErrEvidence.
func ParseEvidence(pem []byte) (Evidence, error) {
	certificates, err := parsePEM(pem, maxCertificates)
	if err != nil {
		return Evidence{}, fmt.Errorf("reading attestation: %w: %w", ErrEvidence, err)
	}
	return Evidence{Leaf: certificates[0], Intermediates: certificates[1:]}, nil
}

// PEM gives the certificates in the form that ParseEvidence reads: lines of 64
// characters that end in a newline, nothing between the certificates.
func (e Evidence) PEM() []byte {
	var out []byte
	for _, c := range e.all() {
		if c != nil {
			out = append(out, encodePEM(c.Raw)...)
		}
	}
	return out
}

func (e Evidence) all() []*x509.Certificate {
	return append([]*x509.Certificate{e.Leaf}, e.Intermediates...)
}

// reparse reads each certificate anew from its bytes. The fields of a
// certificate that someone built or changed need not agree with what was
// signed.
func (e Evidence) reparse() (Evidence, error) {
	if len(e.all()) > maxCertificates {
		return Evidence{}, fmt.Errorf("there are more than %d certificates", maxCertificates)
	}
	var parsed []*x509.Certificate
	for i, c := range e.all() {
		if c == nil {
			return Evidence{}, fmt.Errorf("certificate %d is missing", i+1)
		}
		fresh, err := parseDER(c.Raw)
		if err != nil {
			return Evidence{}, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		parsed = append(parsed, fresh)
	}
	return Evidence{Leaf: parsed[0], Intermediates: parsed[1:]}, checkTwice(parsed)
}

// parsePEM reads at least one and at most limit certificates.
func parsePEM(data []byte, limit int) ([]*x509.Certificate, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("it holds more than %d bytes", maxFile)
	}
	var certificates []*x509.Certificate
	for data = bytes.TrimSpace(data); len(data) > 0; data = bytes.TrimSpace(data) {
		number := len(certificates) + 1
		if number > limit {
			return nil, fmt.Errorf("it holds more than %d certificates", limit)
		}
		der, rest, err := nextPEM(data)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", number, err)
		}
		certificate, err := parseDER(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", number, err)
		}
		certificates = append(certificates, certificate)
		data = rest
	}
	if len(certificates) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	return certificates, checkTwice(certificates)
}

// nextPEM takes the block at the very beginning. Package pem skips whatever it
// cannot read, so the block is encoded again and compared.
func nextPEM(data []byte) (der, rest []byte, err error) {
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, nil, errors.New("it is no PEM block")
	case block.Type != "CERTIFICATE" || len(block.Headers) != 0:
		return nil, nil, errors.New("only PEM certificates without headers belong here")
	case !bytes.Equal(squeeze(data[:len(data)-len(rest)]), squeeze(encodePEM(block.Bytes))):
		return nil, nil, errors.New("text stands beside the certificate, or its encoding is broken")
	}
	return block.Bytes, rest, nil
}

// squeeze drops white space: line lengths and line ends differ among tools.
func squeeze(text []byte) []byte {
	return bytes.Join(bytes.Fields(text), nil)
}

func encodePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func parseDER(der []byte) (*x509.Certificate, error) {
	if len(der) > maxCertificate {
		return nil, fmt.Errorf("it holds more than %d bytes", maxCertificate)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New(clean(err.Error()))
	}
	if key, ok := certificate.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSA {
		return nil, fmt.Errorf("its RSA key has more than %d bits", maxRSA)
	}
	return certificate, nil
}

// checkTwice refuses the same certificate twice.
func checkTwice(certificates []*x509.Certificate) error {
	for i, c := range certificates {
		for j, earlier := range certificates[:i] {
			if c.Equal(earlier) {
				return fmt.Errorf("certificates %d and %d are the same", j+1, i+1)
			}
		}
	}
	return nil
}
