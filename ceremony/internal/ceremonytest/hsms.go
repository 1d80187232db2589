package ceremonytest

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"testing"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/roster"
)

// HSM is what a YubiHSM 2 says of itself and of a key, as its attestation has it.
type HSM struct {
	Serial       uint32
	Object       uint16
	Firmware     [3]byte
	Origin       byte // 1 generated, 2 imported, 0x10 besides: under wrap
	Domains      uint16
	Capabilities uint64
	Label        string
	FIPS         bool
	Without      []int // extensions that are left out: 1 firmware, 2 serial, 3 origin, 4 domains, 5 capabilities, 6 object, 9 label
}

// Capabilities of a key in a YubiHSM 2.
const (
	SignPKCS            = 1 << 0x05
	SignPSS             = 1 << 0x06
	SignECDSA           = 1 << 0x07
	ExportableUnderWrap = 1 << 0x10
)

// YubiHSM is one as a careful holder has it.
func YubiHSM(serial uint32) HSM {
	return HSM{Serial: serial, Object: 3, Firmware: [3]byte{2, 4, 1}, Origin: 1, Domains: 1, Capabilities: SignECDSA, Label: "tuf-root"}
}

// HSMEvidence is what a YubiHSM 2 attests of a key: the object's certificate,
// and the device's own, which the maker has certified.
func (m Maker) HSMEvidence(t testing.TB, public crypto.PublicKey, h HSM) []byte {
	t.Helper()
	return m.hsmEvidence(t, public, h, m)
}

// HSMForged is the same from a device that has certified itself, under the name
// of the maker.
func (m Maker) HSMForged(t testing.TB, public crypto.PublicKey, h HSM) []byte {
	t.Helper()
	return m.hsmEvidence(t, public, h, m.impostor(t))
}

func (m Maker) hsmEvidence(t testing.TB, public crypto.PublicKey, h HSM, certifier Maker) []byte {
	t.Helper()
	der := func(value any) []byte {
		out, err := asn1.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	bits := func(value []byte) []byte { return der(asn1.BitString{Bytes: value, BitLength: 8 * len(value)}) }
	serial := der(int64(h.Serial))
	device := Maker{key: Key(t, fmt.Sprintf("hsm %d", h.Serial))}
	own := &x509.Certificate{Subject: pkix.Name{CommonName: fmt.Sprintf("YubiHSM Attestation (%d)", h.Serial)}, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		ExtraExtensions: []pkix.Extension{hsmExtension(2, serial)}}
	if h.FIPS {
		own.ExtraExtensions = append(own.ExtraExtensions, hsmExtension(10, der(6)))
	}
	device.certificate = certifier.issue(t, own, device.key.Public())
	object := &x509.Certificate{Subject: pkix.Name{CommonName: fmt.Sprintf("YubiHSM Attestation id:0x%04x", h.Object)}}
	for _, e := range []pkix.Extension{
		hsmExtension(1, der(h.Firmware[:])), hsmExtension(2, serial), hsmExtension(3, bits([]byte{h.Origin})),
		hsmExtension(4, bits(binary.BigEndian.AppendUint16(nil, h.Domains))), hsmExtension(5, bits(binary.BigEndian.AppendUint64(nil, h.Capabilities))),
		hsmExtension(6, der(int64(h.Object))), hsmExtension(9, append([]byte{asn1.TagUTF8String, byte(len(h.Label))}, h.Label...)),
	} {
		if !slices.Contains(h.Without, e.Id[len(e.Id)-1]) {
			object.ExtraExtensions = append(object.ExtraExtensions, e)
		}
	}
	return append(certificatePEM(device.issue(t, object, public)), device.PEM()...)
}

func hsmExtension(id int, value []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 4, id}, Value: value}
}

// HSMs is Attested on the real day, with all keys in YubiHSMs of a maker that
// the plan names, and nothing asked that they do not have.
func HSMs(t testing.TB) *Ceremony {
	t.Helper()
	c := Attested(t, false)
	c.Plan.Policy.Firmware, c.Plan.Policy.PIN, c.Plan.Policy.Touch = "2.4.0", "", ""
	for i, h := range c.Plan.Roster.Holders {
		token := h.Tokens[0]
		token.URI, token.Serial = "pkcs11:token=YubiHSM;object=tuf-root?module-path=/usr/lib/yubihsm_pkcs11.so", fmt.Sprintf("%d", 1001+i)
		c.Files[token.EvidenceFile] = NewMaker(t, "Example Maker Root").HSMEvidence(t, Key(t, token.Name).Public(), YubiHSM(uint32(1001+i)))
	}
	c.Files[folder.Plan] = c.Plan.Text()
	return c
}

// PSF begins a repository with the three HSMs of a real ceremony, whose public
// keys and, as far as there is any, evidence are in ../shared/data: two YubiHSMs,
// one of them with keys on P-384, and a Nitrokey, which attests nothing. Each
// has a key for root and one for targets. Nobody here can sign with them.
func PSF(t testing.TB, policy plan.Policy) *Ceremony {
	t.Helper()
	p := newPlan(plan.Genesis)
	files := psf(t, p, policy, 1)
	p.Targets = &plan.TargetsPlan{Version: 1, Expires: day(2028, 1, 10)}
	return startWith(t, p, nil, files)
}

// PSFRotation hands the repository of the Genesis over to those three HSMs, of
// holder-6 to holder-8: holder-1 to holder-5 sign once more, and leave.
func PSFRotation(t testing.TB, policy plan.Policy) *Ceremony {
	t.Helper()
	p := newPlan(plan.Rotation)
	p.Roster.Holders = GenesisPlan().Roster.Holders
	for _, h := range p.Roster.Holders {
		h.Tokens[0].URI = ""
	}
	files := psf(t, p, policy, len(p.Roster.Holders)+1)
	p.Root.Version = 2
	p.Targets = &plan.TargetsPlan{Version: 2, Expires: day(2028, 1, 10)}
	return startWith(t, p, Trusted(t), files)
}

func startWith(t testing.TB, p *plan.Plan, trusted, more folder.Files) *Ceremony {
	t.Helper()
	c := Start(t, p, trusted)
	maps.Copy(c.Files, more)
	return c
}

// psf puts the three HSMs into a plan, their holders numbered from first on, and
// gives what belongs into keys/.
func psf(t testing.TB, p *plan.Plan, policy plan.Policy, first int) folder.Files {
	t.Helper()
	policy.Roots = "keys/yubihsm-roots.pem"
	p.Policy = &policy
	files := folder.Files{policy.Roots: slices.Concat(Read(t, "yubico/yubihsm2-root-ca.pem"), Read(t, "yubico/yubihsm2-sub-ca-6742036.pem"))}
	names := map[string][]string{}
	for i, d := range []struct{ folder, serial, token, module string }{
		{"0013200460", "13200460", "YubiHSM", "yubihsm_pkcs11.so"}, {"0013200461", "13200461", "YubiHSM", "yubihsm_pkcs11.so"},
		{"DENK0102947", "DENK0102947", "SmartCard-HSM", "opensc-pkcs11.so"},
	} {
		holder := roster.Holder{Name: fmt.Sprintf("holder-%d", first+i)}
		for _, role := range []string{"root", "targets"} {
			name, prefix := fmt.Sprintf("%s-%s", holder.Name, role), fmt.Sprintf("psf/%s/%s_", d.folder, d.folder)
			token := &roster.Token{Name: name, Holder: holder.Name, Serial: d.serial, KeyFile: "keys/" + name + ".pem", URI: "pkcs11:token=" + d.token + ";object=tuf-" + role + "?module-path=/usr/lib/" + d.module}
			files[token.KeyFile] = Read(t, prefix+role+"_pubkey.pem")
			if d.token == "YubiHSM" {
				token.EvidenceFile = "keys/" + name + ".attestation.pem"
				files[token.EvidenceFile] = derPEM(Read(t, prefix+role+"_attestation.der"), Read(t, prefix+"cert.der"))
			}
			holder.Tokens = append(holder.Tokens, token)
			names[role] = append(names[role], name)
		}
		p.Roster.Holders = append(p.Roster.Holders, holder)
	}
	p.Root = &plan.Root{Version: 1, Expires: day(2028, 1, 10), Roles: roles(names["root"], names["targets"])}
	for role, tokens := range names {
		p.Root.Roles[role] = plan.Role{Threshold: 2, Tokens: tokens}
	}
	return files
}

func derPEM(certificates ...[]byte) (out []byte) {
	for _, der := range certificates {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}
