package main

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/attest"
	"tufceremony/hsm/pkcs11"
)

type attestOptions struct {
	out       string
	key       string
	roots     string
	rehearsal bool
	json      bool
}

func tokenAttestCommand(env *environment) *cobra.Command {
	var o attestOptions
	c := &cobra.Command{
		Use:   "attest URI|FILE",
		Short: "say what a device attests about a key",
		Long: `attest asks a device where a key was made, or reads the file that it gave before,
and verifies the answer: a chain to a root that is pinned in this program, the
serial number, slot, firmware and policies that the device signed. It asks for no
PIN and changes nothing. An attestation holds no date: that the device is here
today is shown by a signature alone.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runAttest(env, args[0], o) },
	}
	c.Flags().StringVarP(&o.out, "output", "o", "", "write the evidence to `FILE`, which must not exist")
	c.Flags().StringVar(&o.key, "key", "", "the public key that must be the attested one, as PEM in `FILE`")
	c.Flags().StringVar(&o.roots, "roots", "", "trust the certificates in `FILE` besides the pinned ones")
	c.Flags().BoolVar(&o.rehearsal, "rehearsal", false, "judge as in a rehearsal: trust virtual cards, and nothing else")
	c.Flags().BoolVar(&o.json, "json", false, "write JSON")
	return c
}

func runAttest(env *environment, from string, o attestOptions) error {
	trust, err := attestTrust(o)
	if err != nil {
		return err
	}
	evidence, err := findEvidence(env, from)
	if err != nil {
		return err
	}
	facts, err := attest.Verify(evidence.Evidence, trust, env.today())
	if err == nil {
		err = evidence.binds(facts, o.key)
	}
	if err != nil {
		return attestHint(fmt.Errorf("reading the attestation of %q: %w", from, err))
	}
	if o.out != "" {
		if err := durable.Create(o.out, evidence.PEM()); err != nil {
			return hint(err, "name a new file")
		}
	}
	fingerprint, err := tufmeta.Fingerprint(facts.Key)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(env.out, struct {
			Fingerprint string       `json:"fingerprint"`
			Facts       attest.Facts `json:"facts"`
		}{fingerprint, facts})
	}
	fmt.Fprintf(env.out, "The attested key has the fingerprint, SHA-256:\n      %s\nOf it the device says:\n", fingerprint)
	printFacts(env.out, facts)
	if facts.Rehearsal {
		fmt.Fprintln(env.out, "This is a virtual card, made for rehearsals. It protects nothing.")
	}
	return nil
}

func attestTrust(o attestOptions) (*attest.Trust, error) {
	switch {
	case o.rehearsal && o.roots != "":
		return nil, &usageError{errors.New("token attest: --rehearsal trusts virtual cards and nothing else"), "leave out --roots"}
	case o.rehearsal:
		return attest.Rehearsal(), nil
	case o.roots == "":
		return attest.Yubico(), nil
	}
	text, err := os.ReadFile(o.roots)
	if err != nil {
		return nil, hint(err, "name a file with certificates, as PEM")
	}
	trust, err := attest.Yubico().With(text)
	if err != nil {
		return nil, hint(fmt.Errorf("reading %q: %w", o.roots, err), "the file holds certificates of CAs and nothing else")
	}
	return trust, nil
}

// asked is evidence with the key that it should be about, where a device was
// asked and could say.
type asked struct {
	attest.Evidence
	keys []crypto.PublicKey
}

// binds compares the attested key with the device's own and with the one in a
// file.
func (a asked) binds(facts attest.Facts, file string) error {
	keys := a.keys
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		key, err := tufmeta.ParsePEM(text)
		if err != nil {
			return fmt.Errorf("reading %q: %w", file, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil
	}
	return facts.Bind(keys...)
}

func findEvidence(env *environment, from string) (asked, error) {
	if !isURI(from) {
		text, err := os.ReadFile(from)
		if err != nil {
			return asked{}, hint(fmt.Errorf("reading the attestation: %w", err), "name a file, or a device by its URI; `ceremony token list` shows them")
		}
		evidence, err := attest.ParseEvidence(text)
		return asked{Evidence: evidence}, attestHint(err)
	}
	device, err := openToken(from, ".", pkcs11.Options{})
	if err != nil {
		return asked{}, lookHint(err)
	}
	defer device.Close()
	key, err := onlyKey(device, from)
	if err != nil {
		return asked{}, lookHint(err)
	}
	evidence, err := fetchEvidence(device, key)
	return asked{evidence, []crypto.PublicKey{key.Public}}, lookHint(err)
}

// isURI tells a device from a file.
func isURI(text string) bool {
	scheme, _, _ := strings.Cut(text, ":")
	return scheme == "piv" || scheme == "pkcs11" || scheme == "soft"
}

// onlyKey finds the key that a URI names.
func onlyKey(device hsm.Token, uri string) (hsm.Key, error) {
	keys, err := device.Keys()
	if err != nil {
		return hsm.Key{}, err
	}
	if slot := slotOf(uri); slot != "" {
		for _, key := range keys {
			if key.ID == slot {
				return key, nil
			}
		}
		return hsm.Key{}, fmt.Errorf("looking for a key at %q: %w", uri, hsm.ErrNotFound)
	}
	if len(keys) != 1 {
		return hsm.Key{}, fmt.Errorf("looking for a key at %q: the device has %s, and the URI must name one", uri, plural(len(keys), "key"))
	}
	return keys[0], nil
}

// fetchEvidence asks a device where it got a key from.
func fetchEvidence(device hsm.Token, key hsm.Key) (attest.Evidence, error) {
	attester, ok := device.(hsm.Attester)
	if !ok {
		return attest.Evidence{}, fmt.Errorf("asking for an attestation: such a device gives none: %w", hsm.ErrUnsupported)
	}
	chain, err := attester.Attest(key)
	if err != nil {
		return attest.Evidence{}, err
	}
	return parseChain(chain)
}

// parseChain reads the certificates that a device gave.
func parseChain(chain [][]byte) (evidence attest.Evidence, err error) {
	for i, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return attest.Evidence{}, fmt.Errorf("reading certificate %d that the device gave: %w", i+1, err)
		}
		if i == 0 {
			evidence.Leaf = c
		} else {
			evidence.Intermediates = append(evidence.Intermediates, c)
		}
	}
	return evidence, nil
}

// judgeEvidence verifies the attestation of a key that a device holds now.
func judgeEvidence(evidence attest.Evidence, key hsm.Key, trust *attest.Trust, at time.Time) (attest.Facts, error) {
	facts, err := attest.Verify(evidence, trust, at)
	if err != nil {
		return facts, err
	}
	return facts, facts.Bind(key.Public)
}
