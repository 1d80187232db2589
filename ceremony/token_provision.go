package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tufceremony/ceremony/internal/durable"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm"
	"tufceremony/hsm/attest"
	"tufceremony/hsm/piv"
	"tufceremony/hsm/secret"
)

func tokenProvisionCommand(env *environment) *cobra.Command {
	var token, uri string
	c := &cobra.Command{
		Use:   "provision DIR --token NAME --uri URI",
		Short: "take a new device to a key in the plan",
		Long: `provision sets up a YubiKey as the plan's policy says: a PIN and a PUK of the holder's
own, a random management key, and a key that is made in the device and cannot leave
it. It has the device attest that key, verifies the answer, and writes public key and
evidence into keys/. A slot that is in use is left alone. Stopped at any point, it can
be run again, and goes on from there.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if token == "" {
				return &usageError{errors.New("token provision: no token is named"), "usage: " + c.UseLine()}
			}
			return runProvision(env, args[0], token, uri)
		},
	}
	c.Flags().StringVar(&token, "token", "", "`NAME` of the token in the plan, and of its files in keys/")
	c.Flags().StringVar(&uri, "uri", "", "device and slot, as a `URI`: piv:serial=14470876;slot=9c; may be left out where the plan has it")
	_ = c.RegisterFlagCompletionFunc("token", completeToken)
	return c
}

// provisioning is one device on its way into a plan. What is done to the device
// is done in steps of which each can be seen afterwards, so that a run that was
// stopped is taken up where it ended.
type provisioning struct {
	env    *environment
	dir    string
	name   string
	uri    piv.URI
	now    time.Time
	plan   *plan.Devices
	files  folder.Files
	admin  *piv.Admin
	state  piv.State
	step   int
	pin    []byte // while it is at hand
	manage []byte // the management key, from the step that gave it
}

func runProvision(env *environment, dir, token, uri string) (err error) {
	p, err := newProvisioning(env, dir, token, uri)
	if err != nil {
		return err
	}
	defer func() {
		secret.Free(p.pin)
		secret.Free(p.manage)
		err = errors.Join(err, p.close())
	}()
	for _, step := range []func() error{p.look, p.setPIN, p.setPUK, p.setManagementKey, p.makeKey, p.attestKey, p.storeCertificate} {
		if err := step(); err != nil {
			return p.hint(err)
		}
	}
	return p.finish()
}

// newProvisioning reads what the plan asks for. Nothing is asked of the device
// yet.
func newProvisioning(env *environment, dir, token, uri string) (*provisioning, error) {
	files, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	devices, err := plan.ParseDevices(files[folder.Plan])
	if err != nil {
		return nil, err
	}
	if uri == "" {
		if t, ok := devices.Roster.Token(token); ok {
			uri = t.URI
		}
	}
	if uri == "" {
		return nil, hint(fmt.Errorf("provisioning token %q: neither the plan nor --uri says which device", token),
			"give --uri \"piv:serial=14470876;slot=9c\", with the number on the back of the device; `ceremony token list` shows those that are there")
	}
	if scheme, _, _ := strings.Cut(uri, ":"); scheme != "piv" {
		return nil, hint(fmt.Errorf("provisioning %q: only YubiKeys are provisioned: %w", uri, hsm.ErrUnsupported),
			"make the key with the tools that came with the device, and put its public half into keys/")
	}
	p := &provisioning{env: env, dir: dir, name: token, plan: devices, files: files, now: env.today()}
	if p.uri, err = piv.Parse(uri); err != nil {
		return nil, hint(err, "give --uri \"piv:serial=14470876;slot=9c\"")
	}
	return p, p.plannable()
}

// plannable wants the plan to decide what this command would otherwise have to
// choose.
func (p *provisioning) plannable() error {
	if !plan.TokenName(p.name) {
		return hint(fmt.Errorf("provisioning token %q: a name has lower-case letters, digits, dot, dash and underscore", p.name), "it is what is typed after `sign --token`")
	}
	policy := p.plan.Policy
	if policy == nil {
		return hint(errors.New("provisioning: the plan has no policy, so nobody has decided how the key is to be made"), "write policy: into plan.yaml, as `ceremony init` proposes it in comments")
	}
	for _, field := range [][2]string{{"pin", policy.PIN}, {"touch", policy.Touch}, {"management-key", policy.ManagementKey}} {
		if field[1] == "" {
			return hint(fmt.Errorf("provisioning: the plan does not say policy.%s, so nobody has decided it", field[0]), "write it into plan.yaml; `ceremony init` proposes a policy in comments")
		}
	}
	return nil
}

// look opens the device, says what it is, and refuses what could not be undone.
func (p *provisioning) look() (err error) {
	if p.admin, err = piv.OpenAdmin(p.uri.Serial, p.env.random); err != nil {
		return err
	}
	if p.state, err = p.admin.State(); err != nil {
		return err
	}
	seen := describeDevice(p.state.Info, &p.plan.Roster)
	wrapTo(p.env.out, "", "  ", fmt.Sprintf("Token %s will be a key in slot %s of this device: %s.", p.name, p.uri.Slot, seen.title()))
	policy := p.plan.Policy
	wrapTo(p.env.out, "", "  ", fmt.Sprintf("The plan asks for: PIN %s, touch %s, management key %s.", policy.PIN, policy.Touch, policy.ManagementKey))
	if err := p.rightWorld(); err != nil {
		return err
	}
	if policy.Firmware != "" {
		if below, err := attest.FirmwareBelow(p.state.Info.Firmware, policy.Firmware); err != nil || below {
			return errors.Join(err, hint(fmt.Errorf("provisioning: the device has firmware %s, and the plan asks for %s or newer", p.state.Info.Firmware, policy.Firmware),
				"nothing was changed; firmware cannot be updated, so use a newer device"))
		}
	}
	return p.slotIsFree()
}

// rightWorld keeps rehearsals on virtual cards, and virtual cards in rehearsals,
// by the certificate that the factory put into the device.
func (p *provisioning) rightWorld() error {
	certificate, err := p.admin.FactoryCertificate()
	made := false
	if err == nil {
		_, err = attest.VerifyDevice(certificate, attest.Rehearsal(), p.now)
		made = err == nil
	}
	if err := realOrRehearsed(p.plan.Rehearsal, made); err != nil {
		return fmt.Errorf("provisioning: %w; nothing was changed", err)
	}
	return nil
}

// slotIsFree refuses a slot in use, unless the key in it is this token's.
func (p *provisioning) slotIsFree() error {
	key := p.slotKey()
	public, written := p.written()
	switch {
	case key == nil && p.state.Occupied(p.uri.Slot):
		return hint(fmt.Errorf("provisioning: slot %s holds a certificate, and no key that can be read", p.uri.Slot), "it is not this command's to remove: choose another slot, or another device")
	case key == nil && written:
		return hint(fmt.Errorf("provisioning: %s is there already, and slot %s is empty", p.file("pem"), p.uri.Slot),
			"the key in the file is in another device or slot; remove the file if nobody needs it")
	case key == nil:
		return nil
	case written && samePublic(public, key.Public):
		fmt.Fprintf(p.env.out, "Slot %s holds the key of %s: going on from there.\n", p.uri.Slot, p.file("pem"))
		return nil
	case written, key.Origin != piv.Generated, p.hasCertificate():
		return hint(fmt.Errorf("provisioning: slot %s holds another key already", p.uri.Slot),
			"nothing was changed; choose another slot, or another device. `ceremony token reset %s` wipes all keys of the device", piv.URI{Serial: p.uri.Serial})
	}
	return p.adopt()
}

// adopt takes over a key that an earlier run has made and not written down.
// Whether it was this command cannot be seen: the holder must say so.
func (p *provisioning) adopt() error {
	fmt.Fprintln(p.env.out)
	wrapTo(p.env.out, "", "", fmt.Sprintf("Slot %s holds a key without a certificate, as this command leaves it when it is stopped. If you began with a device that was new, it is yours.", p.uri.Slot))
	typed, err := p.env.ask.Line("Type the serial number of the device to go on with that key: ")
	if err == nil && strings.TrimSpace(typed) != p.uri.SerialText() {
		err = errors.New("provisioning: another number was typed")
	}
	return hint(err, "nothing was changed; choose another slot, or wipe the device with `ceremony token reset %s`", piv.URI{Serial: p.uri.Serial})
}

func (p *provisioning) slotKey() *piv.SlotInfo {
	for i, s := range p.state.Slots {
		if s.Slot == p.uri.Slot {
			return &p.state.Slots[i]
		}
	}
	return nil
}

func (p *provisioning) hasCertificate() bool {
	for _, s := range p.state.Certificates {
		if s == p.uri.Slot {
			return true
		}
	}
	return false
}

// keep writes one of the token's files, or finds it written so before.
func (p *provisioning) keep(suffix string, data []byte) error {
	_, err := durable.Ensure(filepath.Join(p.dir, filepath.FromSlash(p.file(suffix))), data)
	return err
}

// file is the name in the folder of one of the token's files.
func (p *provisioning) file(suffix string) string {
	return folder.Keys + "/" + p.name + "." + suffix
}

// begin says which step comes.
func (p *provisioning) begin(format string, args ...any) {
	p.step++
	fmt.Fprintln(p.env.out)
	wrapTo(p.env.out, fmt.Sprintf("%d. ", p.step), "   ", fmt.Sprintf(format, args...))
}

func (p *provisioning) close() error {
	if p.admin == nil {
		return nil
	}
	err := p.admin.Close()
	p.admin = nil
	return err
}

// finish says what goes into the plan.
func (p *provisioning) finish() error {
	fmt.Fprintln(p.env.out)
	wrapTo(p.env.out, "", "", fmt.Sprintf("Done. %s and %s are public: send them to whoever writes the plan, and say the key's fingerprint on the phone. The plan needs these lines:", p.file("pem"), p.file("attestation.pem")))
	s := stock{uri: p.uri.String(), model: p.state.Info.Model, serial: p.uri.SerialText(), evidence: []byte{}}
	fmt.Fprint(p.env.out, s.entry(p.name))
	return nil
}

// hint says how to go on after an interruption.
func (p *provisioning) hint(err error) error {
	again := fmt.Sprintf("`ceremony token provision %s --token %s --uri \"%s\"`", p.dir, p.name, p.uri)
	var pin *hsm.PINError
	switch {
	case errors.Is(err, errStopped):
		return &hinted{errStopped, "run " + again + " again: it goes on from there"}
	case errors.As(err, &pin):
		return hint(err, "nothing is tried again by itself; think before you run %s again", again)
	case errors.Is(err, hsm.ErrRemoved):
		return hint(err, "insert the device again and run %s: it goes on from there", again)
	case errors.Is(err, hsm.ErrPINLocked), errors.Is(err, piv.ErrPUKLocked):
		return hint(err, "a new device whose PIN is locked has nothing to lose: `ceremony token reset %s` wipes it", piv.URI{Serial: p.uri.Serial})
	case errors.Is(err, hsm.ErrNotFound):
		return lookHint(err)
	}
	return hint(err, "run %s again: it goes on from where it stopped, or says what to undo", again)
}

func samePublic(a, b any) bool {
	first, err1 := tufmeta.Fingerprint(a)
	second, err2 := tufmeta.Fingerprint(b)
	return err1 == nil && err2 == nil && first == second
}
