package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Gather makes evidence of files as devices export them: each a certificate in
// DER, as yubihsm-shell writes it, or certificates in PEM, in any order. The
// attestation is found and put first; that of two keys is refused. PEM of the
// result is the file that ParseEvidence reads. Errors wrap ErrEvidence.
func Gather(files ...[]byte) (Evidence, error) {
	certificates, err := gather(files)
	if err != nil {
		return Evidence{}, fmt.Errorf("reading attestation: %w: %w", ErrEvidence, err)
	}
	return Evidence{Leaf: certificates[0], Intermediates: certificates[1:]}, nil
}

func gather(files [][]byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for i, file := range files {
		some, err := parseFile(file)
		if err != nil {
			return nil, fmt.Errorf("file %d of %d: %w", i+1, len(files), err)
		}
		all = append(all, some...)
	}
	switch {
	case len(all) == 0:
		return nil, errors.New("it holds no certificate")
	case len(all) > maxCertificates:
		return nil, fmt.Errorf("there are more than %d certificates", maxCertificates)
	}
	if err := checkTwice(all); err != nil {
		return nil, err
	}
	return attestationFirst(all)
}

// parseFile tells DER from PEM. A certificate in DER is a SEQUENCE.
func parseFile(file []byte) ([]*x509.Certificate, error) {
	if len(file) == 0 || file[0] != 0x30 {
		return parsePEM(file, maxCertificates)
	}
	certificate, err := parseDER(file)
	return []*x509.Certificate{certificate}, err
}

// attestationFirst keeps the order where there is no attestation, for Verify to
// say what there is.
func attestationFirst(all []*x509.Certificate) ([]*x509.Certificate, error) {
	first := -1
	for i, c := range all {
		switch {
		case !isAttestation(c):
		case first >= 0:
			return nil, fmt.Errorf("certificates %d and %d each attest a key: give the files of one key", first+1, i+1)
		default:
			first = i
		}
	}
	if first > 0 {
		c := all[first]
		copy(all[1:first+1], all[:first])
		all[0] = c
	}
	return all, nil
}

// ParsePublicKey reads a public key as devices and their tools export it, for
// Facts.Bind: PEM "PUBLIC KEY", the same in DER, or the bare point of an
// elliptic curve, uncompressed (SEC 1, section 2.3.3), whose length says which
// curve: P-256, P-384 or P-521.
func ParsePublicKey(data []byte) (crypto.PublicKey, error) {
	key, err := parsePublicKey(data)
	if err != nil {
		return nil, fmt.Errorf("reading a public key: %w", err)
	}
	return key, nil
}

func parsePublicKey(data []byte) (crypto.PublicKey, error) {
	if curve := curveOf(data); curve != nil {
		return ecdsa.ParseUncompressedPublicKey(curve, data)
	}
	if len(data) > 0 && data[0] == 0x30 {
		return x509.ParsePKIXPublicKey(data)
	}
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("it is neither PEM nor DER nor a point of P-256, P-384 or P-521")
	case block.Type != "PUBLIC KEY":
		return nil, fmt.Errorf("its PEM block is %q, not \"PUBLIC KEY\"", clean(block.Type))
	case !bytes.Equal(squeeze(data[:len(data)-len(rest)]), squeeze(pem.EncodeToMemory(block))) || len(squeeze(rest)) > 0:
		return nil, errors.New("text stands beside the PEM block")
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}

// curveOf says of which curve a bare point is, or nil where it is none.
func curveOf(data []byte) elliptic.Curve {
	if len(data) == 0 || data[0] != 4 {
		return nil
	}
	switch len(data) {
	case 1 + 2*32:
		return elliptic.P256()
	case 1 + 2*48:
		return elliptic.P384()
	case 1 + 2*66:
		return elliptic.P521()
	}
	return nil
}
