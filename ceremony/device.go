package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/attest"
	"tufceremony/hsm/piv"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/uri"
	"tufceremony/hsm/soft"
)

// openToken opens the device that a token URI names. Software tokens are files
// in a folder `tokens` beside the ceremony folder: they stay where they are
// when the folder travels, as devices do.
func openToken(uri, dir string, o pkcs11.Options) (hsm.Token, error) {
	scheme, _, _ := strings.Cut(uri, ":")
	switch scheme {
	case "soft":
		place, err := tokensFolder(dir)
		if err != nil {
			return nil, fmt.Errorf("opening token %q: %w", uri, err)
		}
		return soft.OpenURI(place, uri)
	case "pkcs11":
		return pkcs11.OpenWith(uri, o)
	case "piv":
		return piv.Open(uri)
	}
	return nil, fmt.Errorf("opening token %q: no driver for such a URI: %w", uri, hsm.ErrUnsupported)
}

// tokensFolder is where the software tokens of a ceremony folder are, or were.
func tokensFolder(dir string) (string, error) {
	place, err := filepath.Abs(dir)
	return filepath.Join(beside(place), "tokens"), err
}

// beside is the folder in which a ceremony folder lies, or the standby folder
// that it is in.
func beside(dir string) string {
	parent := filepath.Dir(dir)
	if len(standbys(parent)) > 0 {
		return filepath.Dir(parent)
	}
	return parent
}

// moduleOptions is what a plan says of PKCS#11 modules, which may be nothing.
func moduleOptions(timeout time.Duration) pkcs11.Options { return pkcs11.Options{Timeout: timeout} }

// open finds the device. Nothing has been asked of its holder yet.
func (s *signing) open() (hsm.Token, error) {
	if s.uri == "" {
		return nil, hint(fmt.Errorf("%s: the plan does not say where the device of token %q is", s.doing(), s.token.Name),
			"say where it is on this machine: --uri 'pkcs11:token=…;object=…?module-path=/…'. Its key and serial are compared with the plan all the same")
	}
	if err := trustedModule(s.uri, s.elsewhere); err != nil {
		return nil, err
	}
	device, err := openToken(s.uri, s.dir, moduleOptions(s.report.Plan.ModuleTimeout))
	if err != nil {
		return nil, s.deviceHint(fmt.Errorf("%s with token %q: %w", s.doing(), s.token.Name, err))
	}
	return device, nil
}

// at takes the place of the device from the command line. Which device
// it is, its serial and its key, stays the plan's to say; how its PIN is given
// does too.
func (s *signing) at(uri string) error {
	s.uri = s.token.URI
	switch rehearsal := s.report.Plan.Rehearsal; {
	case uri == "":
		return nil
	case strings.Contains(uri, "pin-source") || strings.Contains(uri, "pin-value"):
		return hint(fmt.Errorf("%s: --uri says how the PIN is given, and only the plan may", s.doing()), "take it out; the PIN is then asked for")
	case strings.HasPrefix(uri, "soft:") && !rehearsal:
		return hint(fmt.Errorf("%s: --uri names a software token, which only a rehearsal may use", s.doing()), "name a device")
	}
	s.uri, s.elsewhere = uri, true
	return nil
}

// match compares device and key with the plan. It comes before approval and
// PIN, so that no try is spent on the wrong device.
func (s *signing) match(device hsm.Token) (hsm.Key, error) {
	info, err := device.Info()
	if err != nil {
		return hsm.Key{}, s.deviceHint(err)
	}
	s.device = deviceName(info)
	if info.TriesLeft == 0 {
		return hsm.Key{}, s.deviceHint(fmt.Errorf("%s with token %q: %w", s.doing(), s.token.Name, hsm.ErrPINLocked))
	}
	if s.token.Serial != "" && info.Serial != s.token.Serial {
		return hsm.Key{}, hint(fmt.Errorf("%s: this is another device: it says serial %q, and the plan has %q for token %q", s.doing(), tufmeta.Printable(info.Serial), s.token.Serial, s.token.Name),
			"insert the device that the plan names; no PIN was asked for")
	}
	keys, err := device.Keys()
	if err != nil {
		return hsm.Key{}, s.deviceHint(err)
	}
	for _, key := range keys {
		if fingerprint, err := tufmeta.Fingerprint(key.Public); err == nil && fingerprint == s.token.Key.Fingerprint() {
			made, err := madeForRehearsals(device, info, key, s.now)
			if err == nil {
				err = realOrRehearsed(s.report.Plan.Rehearsal, made)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", s.doing(), err)
			}
			return key, err
		}
	}
	holds := "does not hold"
	if len(keys) == 0 {
		holds = "holds no key, and so not"
	}
	return hsm.Key{}, hint(fmt.Errorf("%s: SIG-FOREIGN: the device %s the key that the plan has for token %q", s.doing(), holds, s.token.Name),
		"it may be another holder's device; no PIN was asked for, and %s", s.soFar())
}

// plannedDevices reads the plan's URIs as signing will, long before a holder
// sits there.
func plannedDevices(p *plan.Plan) error {
	for _, t := range p.Roster.Tokens() {
		switch scheme, _, _ := strings.Cut(t.URI, ":"); scheme {
		case "soft":
			if _, _, err := soft.ParseURI(t.URI); err != nil {
				return hint(fmt.Errorf("reading the uri of token %q: %w", t.Name, err), "correct it in plan.yaml")
			}
		case "pkcs11":
			u, err := uri.Parse(t.URI)
			if err != nil {
				return hint(fmt.Errorf("reading the uri of token %q: %w", t.Name, err), "correct it in plan.yaml")
			}
			if u.ModulePath == "" {
				return hint(fmt.Errorf("reading the uri of token %q: it has no module-path", t.Name), "add ?module-path=/… with the module's file")
			}
			if made := strings.HasPrefix(u.Token, rehearsalLabel); u.Token != "" && made != p.Rehearsal {
				return hint(fmt.Errorf("reading the uri of token %q: its label is %q, and labels that begin with %q are for rehearsals", t.Name, u.Token, rehearsalLabel), "a rehearsal has tokens of its own, and so has the real day")
			}
		case "piv":
			if _, err := piv.Parse(t.URI); err != nil {
				return hint(fmt.Errorf("reading the uri of token %q: %w", t.Name, err), "correct it in plan.yaml")
			}
		}
	}
	return nil
}

// rehearsalLabel is how the labels of PKCS#11 tokens begin that are made for
// rehearsals.
const rehearsalLabel = "rehearsal"

// realOrRehearsed keeps the two worlds apart: a device of the real day would
// sign for real in a rehearsal as well, since clients do not know the
// difference.
func realOrRehearsed(rehearsal, made bool) error {
	switch {
	case rehearsal && !made:
		return hint(errors.New("this is a rehearsal, and the device is none that was made for one: its signature would be a real one"),
			"rehearse with `ceremony rehearse`, with PKCS#11 tokens whose labels begin with %q, or with virtual YubiKeys", rehearsalLabel)
	case !rehearsal && made:
		return hint(errors.New("the token was made for rehearsals"), "real keys live in devices of their own")
	}
	return nil
}

// madeForRehearsals says whether a token can be none of the real day: by its
// label, or, of a YubiKey, by the factory's certificate, whose root is another
// one on virtual cards. Where that cannot be read nothing is known, which is an
// error on either day.
func madeForRehearsals(device hsm.Token, info hsm.Info, key hsm.Key, at time.Time) (bool, error) {
	switch info.Driver {
	case "piv":
		certificate, err := factoryCertificate(device.(certified))
		return err == nil && isVirtual(certificate, at), err
	case "pkcs11":
		// Yubico's module shows what the device attests. OpenSC does not, and
		// names a token by a certificate, as its owner has chosen.
		if evidence, err := fetchEvidence(device, key); err == nil && len(evidence.Intermediates) > 0 {
			return isVirtual(evidence.Intermediates[0].Raw, at), nil
		}
		return strings.HasPrefix(info.Label, rehearsalLabel), nil
	}
	return info.Driver == "soft", nil
}

// certified is a YubiKey that shows what its factory has certified.
type certified interface{ FactoryCertificate() ([]byte, error) }

func factoryCertificate(device certified) ([]byte, error) {
	certificate, err := device.FactoryCertificate()
	if err != nil {
		return nil, hint(fmt.Errorf("telling a device from a virtual card: %w", err), "a device that does not show its factory's certificate is not signed with; if it happens again put it aside")
	}
	return certificate, nil
}

// isVirtual tells a virtual card by the root of its factory.
func isVirtual(certificate []byte, at time.Time) bool {
	_, err := attest.VerifyDevice(certificate, attest.Rehearsal(), at)
	return err == nil
}

func deviceName(info hsm.Info) string {
	name := strings.TrimSpace(tufmeta.Printable(info.Model))
	if info.Label != "" {
		name += " " + fmt.Sprintf("%q", tufmeta.Printable(info.Label))
	}
	return strings.TrimSpace(name + ", serial " + tufmeta.Printable(info.Serial))
}

// pinPrompter asks the holder on behalf of a driver.
type pinPrompter struct {
	env    *environment
	name   string // of the token
	signs  string // what is being signed, if anything is
	before bool   // the PIN was asked for already: some keys want it for every signature
}

func (p *pinPrompter) PIN(r hsm.PINRequest) ([]byte, error) {
	tries := "tries left: not told by the device"
	if r.TriesLeft == 1 {
		if err := lastTry(p.env, "PIN", "only the "+opener(r.Device)+" opens the device again"); err != nil {
			return nil, err
		}
	}
	if r.TriesLeft != hsm.Unknown {
		tries = triesLeft("", r.TriesLeft)
	}
	token := p.name
	if p.before {
		token += " once more, to sign " + p.signs
	}
	p.before = true
	pin, err := p.env.ask.Secret(fmt.Sprintf("PIN of token %s (%s): ", token, tries))
	return pin, hint(err, "a PIN is typed at a terminal, or read from a file that the plan's token URI names with pin-source")
}

// triesLeft says "1 try left" or "3 PIN tries left".
func triesLeft(of string, n int) string {
	tries := "tries"
	if n == 1 {
		tries = "try"
	}
	return fmt.Sprintf("%d %s%s left", n, of, tries)
}

// lastTry has the holder say that the last try is to be spent: a hand that
// types a PIN by habit would otherwise lock the device.
func lastTry(env *environment, what, costs string) error {
	const words = "last try"
	typed, err := env.ask.Line(fmt.Sprintf("\nOne %s try is left.\nA wrong %s now locks it, and %s.\nType %q to go on: ", what, what, costs, words))
	if err == nil && typed != words {
		err = errors.New("asking for the last try: something else was typed")
	}
	return hint(err, "no %s was asked for, and the try is still there; let the others sign, or come back with the right one", what)
}

// opener is what opens a device whose PIN is locked.
func opener(device hsm.Info) string {
	if device.Driver == "piv" {
		return "PUK"
	}
	return "SO PIN"
}

func (p *pinPrompter) Touch(r hsm.TouchRequest) func() {
	fmt.Fprintf(p.env.out, "Touch the device now: %s, to sign %s. It waits %d seconds.\n", p.name, p.signs, r.Seconds)
	return p.env.ask.Countdown(r.Seconds)
}

// deviceHint says what to do about what a device answered.
func (s *signing) deviceHint(err error) error {
	again := fmt.Sprintf("`ceremony %s %s --token %s`", s.command(), s.dir, s.token.Name)
	var pin *hsm.PINError
	var status *piv.StatusError
	switch {
	case errors.Is(err, errStopped):
		return &hinted{errStopped, s.soFar()}
	case errors.As(err, &pin):
		return hint(err, "%s, and nothing is tried again by itself; think before you run %s again", s.soFar(), again)
	case errors.Is(err, hsm.ErrPINLocked):
		return hint(err, "%s; only the PUK (`ceremony token unblock URI`) or the SO PIN opens the device again. Let the others sign: `ceremony status %s` says how many are needed", s.soFar(), s.dir)
	case errors.Is(err, sign.ErrDeviceLies):
		return hint(err, "%s; run %s once more, and if it happens again put the device aside", s.soFar(), again)
	case errors.Is(err, hsm.ErrLastTry):
		return hint(err, "%s; have the holder type the PIN: run %s with --uri and the token's URI less pin-source", s.soFar(), again)
	case errors.Is(err, hsm.ErrRemoved):
		return hint(err, "%s; insert the device again and run %s", s.soFar(), again)
	case errors.Is(err, hsm.ErrTouchMissed):
		return hint(err, "%s, and no PIN try was spent; run %s again and touch the device when it blinks", s.soFar(), again)
	case errors.Is(err, hsm.ErrNoAnswer):
		return hint(err, "%s; unplug the device, or have its maker's service restarted, and run %s. A device that needs longer: module-timeout in the plan", s.soFar(), again)
	case errors.As(err, &status):
		return hint(err, "%s; %s", s.soFar(), status.Do())
	case s.elsewhere:
		return hint(err, "%s; correct --uri, or insert the device", s.soFar())
	case errors.Is(err, hsm.ErrNotFound):
		return hint(err, "insert the device that the plan names for token %q, and run %s again", s.token.Name, again)
	}
	return hint(err, "%s; `ceremony status %s` says where the ceremony stands", s.soFar(), s.dir)
}
