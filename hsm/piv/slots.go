package piv

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"tufceremony/hsm/piv/internal/card"
)

// readSlots reads all slots that hold a key. A slot that cannot be read is no
// reason not to show the others; a card that does not answer is.
func readSlots(c *card.Card, firmware card.Firmware) ([]SlotInfo, error) {
	var used []SlotInfo
	for _, slot := range slots {
		info, err := readSlot(c, firmware, slot)
		_, refused := statusOf(err)
		switch {
		case err == nil && info.Slot != 0:
			used = append(used, info)
		case refused || errors.Is(err, card.ErrMalformed):
			used = append(used, SlotInfo{Slot: slot, Err: fmt.Errorf("reading slot %s: %w", slot, translate(err))})
		case err != nil:
			return nil, fmt.Errorf("reading slot %s: %w", slot, err)
		}
	}
	return used, nil
}

// readSlot asks the device first. A certificate is asked for only where it
// tells nothing: whoever has the management key can put any certificate there.
// The result is zero where there is no key.
func readSlot(c *card.Card, firmware card.Firmware, slot Slot) (SlotInfo, error) {
	switch {
	case firmware.AtLeast(5, 3, 0):
		return fromMetadata(c, slot)
	case firmware.AtLeast(4, 3, 0):
		if info, err := fromAttestation(c, slot); info.Slot != 0 || err != nil {
			return info, err
		}
	}
	return fromCertificate(c, slot)
}

// fromMetadata knows everything that the device does. Its word is final: an
// empty slot is empty, whatever certificate lies there.
func fromMetadata(c *card.Card, slot Slot) (SlotInfo, error) {
	metadata, err := c.Metadata(byte(slot))
	if absent(err) {
		return SlotInfo{}, nil
	}
	if err != nil {
		return SlotInfo{}, err
	}
	info := SlotInfo{
		Slot:        slot,
		Algorithm:   Algorithm(metadata.Algorithm),
		PINPolicy:   PINPolicy(metadata.PINPolicy),
		TouchPolicy: TouchPolicy(metadata.TouchPolicy),
		Origin:      Origin(metadata.Origin),
		From:        FromMetadata,
	}
	info.Public, err = card.PublicKey(metadata.Algorithm, metadata.Public)
	if errors.Is(err, card.ErrNoSigningKey) {
		err = nil
	}
	if err != nil {
		return SlotInfo{}, err
	}
	return info, nil
}

// fromAttestation knows generated keys. The certificate is not verified here;
// it is the device's word, and hsm/attest can make it a proof.
func fromAttestation(c *card.Card, slot Slot) (SlotInfo, error) {
	der, err := c.Attest(byte(slot))
	if absent(err) {
		return SlotInfo{}, nil // empty, or imported
	}
	if err != nil {
		return SlotInfo{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return SlotInfo{}, fmt.Errorf("%w: the attestation is no certificate: %w", card.ErrMalformed, err)
	}
	info := SlotInfo{
		Slot:      slot,
		Algorithm: Algorithm(card.AlgorithmOf(certificate.PublicKey)),
		Public:    certificate.PublicKey,
		Origin:    Generated,
		From:      FromAttestation,
	}
	for _, extension := range certificate.Extensions {
		if extension.Id.Equal(oidPolicies) && len(extension.Value) == 2 {
			info.PINPolicy = PINPolicy(extension.Value[0])
			info.TouchPolicy = TouchPolicy(extension.Value[1])
		}
	}
	return info, nil
}

// oidPolicies marks the PIN and touch policy in an attestation.
var oidPolicies = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}

// fromCertificate is for imported keys, and for devices before 4.3. A
// certificate without a key cannot be told from one with: the first signature
// shows it.
func fromCertificate(c *card.Card, slot Slot) (SlotInfo, error) {
	der, err := c.Certificate(byte(slot))
	if absent(err) {
		return SlotInfo{}, nil
	}
	if err != nil && !errors.Is(err, card.ErrMalformed) {
		return SlotInfo{}, err
	}
	certificate, parseError := x509.ParseCertificate(der)
	if err != nil || parseError != nil {
		return SlotInfo{}, nil // another program's data, which names no key
	}
	return SlotInfo{
		Slot:      slot,
		Algorithm: Algorithm(card.AlgorithmOf(certificate.PublicKey)),
		Public:    certificate.PublicKey,
		From:      FromCertificate,
	}, nil
}

// absent says whether the card answered that there is nothing: 6A88 for
// metadata, 6A80 for attestations, 6A82 for certificates.
func absent(err error) bool {
	code, _ := statusOf(err)
	return code == 0x6A88 || code == 0x6A80 || code == 0x6A82
}
