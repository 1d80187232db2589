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
	if drafted, err := files.Versions(folder.Payload); err != nil || len(drafted) > 0 {
		return nil, errors.Join(err, hint(errors.New("provisioning: the folder has been drafted, and one more key would make it another event"), "provision in a copy of the folder from before `ceremony draft`"))
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
		remedy := "make the key with the tools that came with the device, and put its public half into keys/"
		if digits(uri) {
			remedy = uriHint(uri)
		}
		return nil, hint(fmt.Errorf("provisioning %q: only YubiKeys are provisioned, which are named piv:serial=…;slot=…: %w", uri, hsm.ErrUnsupported), "%s", remedy)
	}
	p := &provisioning{env: env, dir: dir, name: token, plan: devices, files: files, now: env.today()}
	if p.uri, err = piv.Parse(uri); err != nil {
		return nil, hint(err, "%s", uriHint(uri))
	}
	return p, p.plannable()
}

// plannable wants the plan to decide what this command would otherwise have to
// choose.
func (p *provisioning) plannable() error {
	if !plan.TokenName(p.name) || strings.HasSuffix(p.name, ".attestation") {
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
	fingerprint, err := tufmeta.Fingerprint(p.slotKey().Public)
	if err != nil {
		return err
	}
	wrapTo(p.env.out, "", "", fmt.Sprintf("Done. %s and %s are public: send them to whoever writes the plan, and read the key's fingerprint to them on the phone. SHA-256:", p.file("pem"), p.file("attestation.pem")))
	fmt.Fprintf(p.env.out, "      %s\nThe plan needs these lines:\n", fingerprint)
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
	case (errors.Is(err, hsm.ErrPINLocked) || errors.Is(err, piv.ErrPUKLocked)) && len(p.state.Slots) == 0:
		return hint(err, "the device holds no key, so nothing is lost: %s", p.wipe())
	case errors.Is(err, hsm.ErrPINLocked):
		return hint(err, "the device holds keys; the PUK opens it again: `ceremony token unblock %s`", piv.URI{Serial: p.uri.Serial})
	case errors.Is(err, hsm.ErrNotFound), errors.Is(err, piv.ErrNoService), errors.Is(err, piv.ErrInUse):
		return lookHint(err)
	}
	return hint(err, "run %s again: it goes on from where it stopped, or says what to undo", again)
}

func samePublic(a, b any) bool {
	first, err1 := tufmeta.Fingerprint(a)
	second, err2 := tufmeta.Fingerprint(b)
	return err1 == nil && err2 == nil && first == second
}
