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
)

func tokenProvisionCommand(env *environment) *cobra.Command {
	var token, uri string
	c := &cobra.Command{
		Use:   "provision DIR --token NAME --uri URI",
		Short: "take a new device to a key in the plan",
		Long: `provision sets up a YubiKey as the plan's policy says: a PIN and a PUK of the holder's
own, a random management key, and a key that is made in the device and cannot leave
it. It has the device attest that key, verifies the answer, and writes public key and
evidence into keys/. A slot that is in use is left alone.

With a PKCS#11 URI, which names a token and, with object=, the key that is to be made,
it initialises an empty token under that name, or uses one that is there: SO PIN and
PIN, and a key with a random ID that can sign and not leave. It is run twice. The first
run makes the key, and the second, a new process, reads it back, has it sign a trial
text, writes down what the module says of it, which is no attestation, and only then
writes keys/NAME.pem. An initialised token is never initialised again, and a label or
an ID that is in use is left alone.

Stopped at any point, it can be run again, and goes on from there.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if token == "" {
				return &usageError{errors.New("token provision: no token is named"), "usage: " + c.UseLine()}
			}
			return runProvision(env, args[0], token, uri)
		},
	}
	c.Flags().StringVar(&token, "token", "", "`NAME` of the token in the plan, and of its files in keys/")
	c.Flags().StringVar(&uri, "uri", "", "device and slot, or token and key, as a `URI`: piv:serial=14470876;slot=9c; may be left out where the plan has it")
	_ = c.RegisterFlagCompletionFunc("token", completeToken)
	return c
}

// candidate is a token on its way into a plan, whatever its device.
type candidate struct {
	env   *environment
	dir   string
	name  string
	now   time.Time
	plan  *plan.Devices
	files folder.Files
	step  int
}

// runProvision chooses by the URI how the device is set up.
func runProvision(env *environment, dir, token, uri string) error {
	c, err := newCandidate(env, dir, token)
	if err != nil {
		return err
	}
	typed := uri != ""
	if planned, ok := c.plan.Roster.Token(token); ok && !typed {
		uri = planned.URI
	}
	if uri == "" {
		return hint(fmt.Errorf("provisioning token %q: neither the plan nor --uri says which device", token),
			"give --uri \"piv:serial=14470876;slot=9c\", with the number on the back of the device; `ceremony token list` shows those that are there")
	}
	switch scheme, _, _ := strings.Cut(uri, ":"); scheme {
	case "piv":
		return provisionYubiKey(c, uri)
	case "pkcs11":
		return provisionHSM(c, uri, typed)
	}
	remedy := "make the key with the tools that came with the device, and put its public half into keys/"
	if digits(uri) {
		remedy = uriHint(uri)
	}
	return hint(fmt.Errorf("provisioning %q: YubiKeys are provisioned, which are named piv:serial=…;slot=…, and PKCS#11 tokens, pkcs11:token=…;object=…?module-path=/…: %w", uri, hsm.ErrUnsupported), "%s", remedy)
}

// newCandidate reads what the plan says. Nothing is asked of a device yet.
func newCandidate(env *environment, dir, token string) (*candidate, error) {
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
	if !plan.TokenName(token) || strings.HasSuffix(token, ".attestation") {
		return nil, hint(fmt.Errorf("provisioning token %q: a name has lower-case letters, digits, dot, dash and underscore", token), "it is what is typed after `sign --token`")
	}
	return &candidate{env: env, dir: dir, name: token, plan: devices, files: files, now: env.today()}, nil
}

// keep writes one of the token's files, or finds it written so before.
func (c *candidate) keep(suffix string, data []byte) error {
	_, err := durable.Ensure(filepath.Join(c.dir, filepath.FromSlash(c.file(suffix))), data)
	return err
}

// file is the name in the folder of one of the token's files.
func (c *candidate) file(suffix string) string {
	return folder.Keys + "/" + c.name + "." + suffix
}

// begin says which step comes.
func (c *candidate) begin(format string, args ...any) {
	c.step++
	fmt.Fprintln(c.env.out)
	wrapTo(c.env.out, fmt.Sprintf("%d. ", c.step), "   ", fmt.Sprintf(format, args...))
}

// ownedBy says whose key it is, by the files in keys/.
func (c *candidate) ownedBy(public any) string {
	for name, data := range c.files {
		file, inKeys := strings.CutPrefix(name, folder.Keys+"/")
		token, isKey := strings.CutSuffix(file, ".pem")
		if !inKeys || !isKey || strings.HasSuffix(token, ".attestation") {
			continue
		}
		if key, err := tufmeta.ParsePEM(data); err == nil && samePublic(key, public) {
			return ", that of token " + token
		}
	}
	return ""
}

// written is the public key that an earlier run wrote down.
func (c *candidate) written() (public any, ok bool) {
	text, ok := c.files[c.file("pem")]
	if !ok {
		return nil, false
	}
	public, _ = tufmeta.ParsePEM(text)
	return public, true
}

// unplanned says that the plan does not have the token, which need not be a
// mistake.
func (c *candidate) unplanned() {
	if _, planned := c.plan.Roster.Token(c.name); !planned {
		wrapTo(c.env.out, "Note: ", "  ", fmt.Sprintf("the plan has no token %s yet.", c.name))
	}
}

// finish says what goes to whom, and into the plan.
func (c *candidate) finish(public any, second string, s stock) error {
	fmt.Fprintln(c.env.out)
	fingerprint, err := tufmeta.Fingerprint(public)
	if err != nil {
		return err
	}
	wrapTo(c.env.out, "", "", fmt.Sprintf("Done. %s and %s are public: send them to whoever writes the plan, and read the key's fingerprint to them on the phone. SHA-256:", c.file("pem"), c.file(second)))
	fmt.Fprintf(c.env.out, "      %s\nThe plan needs these lines:\n", fingerprint)
	fmt.Fprint(c.env.out, s.entry(c.name))
	return nil
}

func samePublic(a, b any) bool {
	first, err1 := tufmeta.Fingerprint(a)
	second, err2 := tufmeta.Fingerprint(b)
	return err1 == nil && err2 == nil && first == second
}

// interrupted says how to go on where it is the same on every device; nothing
// of other errors.
func interrupted(err error, again string) error {
	var pin *hsm.PINError
	switch {
	case errors.Is(err, errStopped):
		return &hinted{errStopped, "run " + again + " again: it goes on from there"}
	case errors.As(err, &pin):
		return hint(err, "nothing is tried again by itself; think before you run %s again", again)
	case errors.Is(err, hsm.ErrRemoved):
		return hint(err, "insert the device again and run %s: it goes on from there", again)
	}
	return nil
}
