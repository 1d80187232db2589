package attest

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Verify reads evidence. The chain from the attestation to a root of trust
// must be valid at the given time. Every certificate of the evidence must have
// its part in that chain. The order of the intermediates does not matter.
//
// Errors, each with its own words, wrap ErrEvidence, ErrNotAttestation,
// ErrChain (some with ErrForged, ErrExpired or ErrRehearsal), ErrIncomplete or
// ErrMalformed, and come with empty Facts. They mean that nothing is known of
// the key. A nil trust and a zero time are errors of the caller and wrap none.
//
// Two values are not errors but Unknown: one that is not known to this version
// (a form factor, a policy), and one that firmware 4 does not give (form
// factor, serial number).
func Verify(e Evidence, trust *Trust, at time.Time) (Facts, error) {
	facts, err := verify(e, trust, at)
	if err != nil {
		return Facts{}, fmt.Errorf("verifying attestation: %w", err)
	}
	return facts, nil
}

func verify(e Evidence, trust *Trust, at time.Time) (Facts, error) {
	if trust == nil || at.IsZero() {
		return Facts{}, errors.New("no trust or no time was given")
	}
	e, err := e.reparse()
	if err != nil {
		return Facts{}, fmt.Errorf("%w: %w", ErrEvidence, err)
	}
	if err := checkLeaf(e.Leaf); err != nil {
		return Facts{}, fmt.Errorf("%w: %w", ErrNotAttestation, err)
	}
	chain, err := findChain(e, trust, at)
	if err != nil {
		return Facts{}, err
	}
	return readFacts(chain, trust)
}

// findChain returns the chain, attestation first, root last.
func findChain(e Evidence, trust *Trust, at time.Time) ([]*x509.Certificate, error) {
	options := trust.options(e.Intermediates)
	options.CurrentTime = at
	chains, err := e.Leaf.Verify(options)
	if err != nil {
		return nil, explain(e, trust, at, err)
	}
	var first error
	for _, chain := range chains {
		err := checkChain(chain, e, trust)
		if err == nil {
			return chain, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrChain, first)
}
