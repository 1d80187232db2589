package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
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
	public    string
	roots     string
	plan      string
	rehearsal bool
	json      bool
}

func tokenAttestCommand(env *environment) *cobra.Command {
	var o attestOptions
	c := &cobra.Command{
		Use:   "attest URI|FILE...",
		Short: "say what a device attests about a key",
		Long: `attest asks a device where a key was made, or reads the files that it gave before,
and verifies the answer: a chain to a root that is pinned in this program or
named, the serial number, firmware and policies that the device signed. It asks
for no PIN and changes nothing. An attestation holds no date: that the device is
here today is shown by a signature alone.

Files are of a YubiKey or of a YubiHSM 2, which the certificates themselves say:
one in PEM, as -o writes it, or several, in PEM or DER and in any order, as
yubihsm-shell exports them. The root of YubiHSMs is not pinned: --roots names it.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runAttest(env, args, o) },
	}
	c.Flags().StringVarP(&o.out, "output", "o", "", "write the evidence to `FILE`, which must not exist")
	c.Flags().StringVar(&o.key, "key", "", "the public key that must be the attested one, in `FILE`: PEM, DER, or a bare point of P-256 or P-384")
	c.Flags().StringVar(&o.public, "public", "", "write the attested key to `FILE`, as PEM, which must not exist")
	c.Flags().StringVar(&o.roots, "roots", "", "trust the certificates in `FILE` besides the pinned ones")
	c.Flags().StringVar(&o.plan, "plan", "", "give a PKCS#11 module the time that the plan in the ceremony folder `DIR` gives it")
	c.Flags().BoolVar(&o.rehearsal, "rehearsal", false, "judge as in a rehearsal: trust virtual cards, and nothing else")
	c.Flags().BoolVar(&o.json, "json", false, "write JSON")
	return c
}

func runAttest(env *environment, from []string, o attestOptions) error {
	trust, err := attestTrust(o)
	if err != nil {
		return err
	}
	_, options, err := readDevices(o.plan)
	if err != nil {
		return err
	}
	evidence, err := findEvidence(from, options)
	if err != nil {
		return err
	}
	facts, err := attest.Verify(evidence.Evidence, trust, env.today())
	if err == nil {
		err = evidence.binds(facts, o.key)
	}
	if err != nil {
		return attestHint(fmt.Errorf("reading the attestation of %q: %w", from[0], err))
	}
	if err := o.write(evidence.Evidence, facts); err != nil {
		return err
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

// write leaves what has held where it was asked for.
func (o attestOptions) write(evidence attest.Evidence, facts attest.Facts) error {
	public, err := publicPEM(facts.Key)
	if err != nil && o.public != "" {
		return fmt.Errorf("writing the attested key: %w", err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{o.out, evidence.PEM()}, {o.public, public}} {
		if f.name == "" {
			continue
		}
		if err := durable.Create(f.name, f.data); err != nil {
			return hint(err, "name a new file")
		}
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
		key, err := readPublic(text)
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

// readPublic reads a public key as people have it, in PEM, or as devices do.
func readPublic(data []byte) (crypto.PublicKey, error) {
	if block, _ := pem.Decode(data); block != nil {
		return tufmeta.ParsePEM(data)
	}
	return attest.ParsePublicKey(data)
}

func findEvidence(from []string, o pkcs11.Options) (asked, error) {
	switch device := slices.ContainsFunc(from, isURI); {
	case device && len(from) > 1:
		return asked{}, &usageError{errors.New("token attest: a device is asked alone"), "name one URI, or files"}
	case device:
		return askDevice(from[0], o)
	}
	evidence, err := readEvidence(from)
	return asked{Evidence: evidence}, err
}

// readEvidence reads files: one as a ceremony folder has it, or those that a
// device has exported.
func readEvidence(names []string) (attest.Evidence, error) {
	var files [][]byte
	for _, name := range names {
		data, err := readEvidenceFile(name)
		if err != nil {
			return attest.Evidence{}, err
		}
		files = append(files, data)
	}
	if len(files) == 1 && bytes.HasPrefix(bytes.TrimSpace(files[0]), []byte("-----BEGIN")) {
		evidence, err := attest.ParseEvidence(files[0])
		return evidence, attestHint(err)
	}
	evidence, err := attest.Gather(files...)
	return evidence, attestHint(err)
}

// readEvidenceFile refuses what people name in its place.
func readEvidenceFile(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	switch {
	case err != nil:
		return nil, hint(fmt.Errorf("reading the attestation: %w", err), "name a file with evidence, or a device: %s", uriHint(name))
	case bytes.Contains(data, []byte("PUBLIC KEY")):
		return nil, hint(fmt.Errorf("reading the attestation: %q is a public key", name), "the evidence is the file beside it whose name ends in .attestation.pem")
	case bytes.Contains(data, []byte("plan.yaml")):
		return nil, hint(fmt.Errorf("reading the attestation: %q is a bundle", name), "`ceremony verify BUNDLE --trusted-root ROOT` reads the evidence in it")
	}
	return data, nil
}

func askDevice(from string, o pkcs11.Options) (asked, error) {
	device, err := openToken(from, ".", o)
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
		return hsm.Key{}, hint(fmt.Errorf("looking for a key at %q: the device is here, and slot %s holds none", uri, slot), "`ceremony token show %s` shows what it holds", strings.TrimSuffix(uri, ";slot="+slot))
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
