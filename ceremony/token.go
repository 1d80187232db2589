package main

import (
	"errors"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/hsm/attest"
	"tufceremony/hsm/pkcs11"
)

func tokenCommand(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "look at devices, and make keys in them",
		Args:  known,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	for _, sub := range []*cobra.Command{tokenListCommand(env), tokenShowCommand(env), tokenProvisionCommand(env), tokenAttestCommand(env), tokenUnblockCommand(env), tokenDestroyCommand(env), tokenResetCommand(env)} {
		c.AddCommand(sub)
	}
	return c
}

// readDevices reads who has which token, and what the plan says of PKCS#11
// modules, for the commands that say whose a device is.
func readDevices(dir string) (*roster.Roster, pkcs11.Options, error) {
	if dir == "" {
		return nobody, pkcs11.Options{}, nil
	}
	files, err := readFolder(dir)
	if err != nil {
		return nil, pkcs11.Options{}, err
	}
	devices, err := plan.ParseDevices(files[folder.Plan])
	if err != nil {
		return nil, pkcs11.Options{}, err
	}
	devices.Roster.LoadKeysThere(files)
	return &devices.Roster, moduleOptions(devices.ModuleTimeout), nil
}

// nobody is the roster of no plan.
var nobody = &roster.Roster{}

// attestHint says what to do about evidence that does not hold.
func attestHint(err error) error {
	switch {
	case errors.Is(err, attest.ErrRehearsal):
		return hint(err, "a virtual card protects nothing; with --rehearsal it is judged as in a rehearsal")
	case errors.Is(err, attest.ErrForged), errors.Is(err, attest.ErrNotBound), errors.Is(err, attest.ErrWrongSerial), errors.Is(err, attest.ErrWrongSlot):
		return hint(err, "do not use the key; find out where the file comes from, and keep it")
	case errors.Is(err, attest.ErrChain):
		return hint(err, "the root of YubiHSMs is not built in, and Yubico may have published newer certificates: compare fingerprints with Yubico's pages, and name the file with --roots, in a plan with policy.roots")
	case errors.Is(err, attest.ErrNotAttestation), errors.Is(err, attest.ErrEvidence):
		return hint(err, "the file holds, as PEM, the attestation of the key first and the device's own certificate after it; `ceremony token attest URI -o FILE` writes one")
	}
	return hint(err, "do not use the key before somebody can say why")
}
