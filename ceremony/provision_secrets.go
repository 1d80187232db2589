package main

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"tufceremony/ceremony/internal/plan"
	"tufceremony/hsm"
	"tufceremony/hsm/piv"
	"tufceremony/hsm/secret"
)

// setPIN replaces the factory's PIN. Before firmware 5.3 a device does not say
// whether it still has that one, and the holder types the present one.
func (p *provisioning) setPIN() error {
	if p.state.PIN.Factory == piv.No {
		p.begin("The PIN. It is no longer the factory's, and stays as it is.")
		return nil
	}
	p.begin("The PIN. Choose 6 to 8 characters that you will remember and nobody can guess. Digits can be typed on every keyboard. Three wrong ones lock the device.")
	old, err := p.present("PIN", p.state.PIN, piv.FactoryPIN())
	if err != nil {
		return err
	}
	defer secret.Free(old)
	if p.pin, err = p.choose("PIN", piv.WeakPIN); err != nil {
		return err
	}
	if err := p.admin.ChangePIN(old, p.pin); err != nil {
		return err
	}
	fmt.Fprintln(p.env.out, "   The PIN is set.")
	return nil
}

// setPUK replaces the factory's PUK.
func (p *provisioning) setPUK() error {
	if p.state.PUK.Factory == piv.No {
		p.begin("The PUK. It is no longer the factory's, and stays as it is.")
		return nil
	}
	p.begin("The PUK. It sets a new PIN when the PIN is locked. Choose 8 characters, write them on paper, and put that into the safe: not where the device is.")
	old, err := p.present("PUK", p.state.PUK, piv.FactoryPUK())
	if err != nil {
		return err
	}
	defer secret.Free(old)
	puk, err := p.choose("PUK", piv.WeakPUK)
	if err != nil {
		return err
	}
	defer secret.Free(puk)
	if err := p.admin.ChangePUK(old, puk); err != nil {
		return err
	}
	fmt.Fprintln(p.env.out, "   The PUK is set.")
	return nil
}

// present is the PIN or PUK of now.
func (p *provisioning) present(what string, state piv.SecretState, factory []byte) ([]byte, error) {
	if state.Factory == piv.Yes {
		return factory, nil
	}
	tries := ""
	if state.TriesLeft != hsm.Unknown {
		tries = fmt.Sprintf(", %s left", map[bool]string{true: "1 try", false: fmt.Sprintf("%d tries", state.TriesLeft)}[state.TriesLeft == 1])
	}
	return p.env.ask.Secret(fmt.Sprintf("   Present %s (a new device has %s%s): ", what, factory, tries))
}

// choose has a new secret typed twice. Nothing has been done when the two
// differ, or when it is a bad one: it is asked for again.
func (p *provisioning) choose(what string, weak func([]byte) error) ([]byte, error) {
	for {
		first, err := p.env.ask.Secret(fmt.Sprintf("   New %s: ", what))
		if err != nil {
			return nil, err
		}
		if err := weak(first); err != nil {
			secret.Free(first)
			wrapTo(p.env.out, "   ", "   ", fmt.Sprintf("Not that one: %v.", err))
			continue
		}
		second, err := p.env.ask.Secret(fmt.Sprintf("   The same %s again: ", what))
		if err != nil {
			secret.Free(first)
			return nil, err
		}
		same := subtle.ConstantTimeCompare(first, second) == 1
		secret.Free(second)
		if same {
			return first, nil
		}
		secret.Free(first)
		fmt.Fprintln(p.env.out, "   The two differ. Once more.")
	}
}

// setManagementKey replaces the factory's management key, and leaves the new one
// where the policy says. It is left there before the device takes it: stopped in
// between, the device still has the factory's.
func (p *provisioning) setManagementKey() error {
	if p.state.Management.Factory == piv.No || p.state.Management.Factory == piv.Unknown && p.state.Management.PINProtected {
		return p.presentManagementKey()
	}
	where := "stays in the device, and the PIN gives it"
	if p.plan.Policy.ManagementKey == plan.Printed {
		where = "is printed for the safe"
	}
	p.begin("The management key, with which slots are changed. It is a random one, of type %s, and %s.", p.admin.ManagementAlgorithm(), where)
	key, err := p.admin.NewManagementKey()
	if err != nil {
		return err
	}
	p.manage = key
	old := piv.FactoryManagementKey()
	if p.plan.Policy.ManagementKey == plan.Printed {
		err = p.printManagementKey(key)
	} else {
		err = p.storeManagementKey(old, key)
	}
	if err == nil {
		err = p.admin.SetManagementKey(old, key)
	}
	if errors.Is(err, piv.ErrManagementKey) {
		return hint(err, "it is neither the factory's nor kept in the device; if nobody has it on paper, `ceremony token reset %s` is what is left", piv.URI{Serial: p.uri.Serial})
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(p.env.out, "   The management key is set.")
	return nil
}

// printManagementKey shows the key in groups of four, and wants to see that it
// was written down.
func (p *provisioning) printManagementKey(key []byte) error {
	groups := hexGroups(key)
	fmt.Fprintln(p.env.out, "   Write it on the paper with the PUK, where no camera sees it. It is shown once:")
	for i := 0; i < len(groups); i += 8 {
		fmt.Fprintf(p.env.out, "      %s\n", strings.Join(groups[i:min(i+8, len(groups))], " "))
	}
	for {
		typed, err := p.env.ask.Line("   Type its last two groups, from the paper: ")
		if err != nil {
			return err
		}
		if strings.Join(strings.Fields(strings.ToLower(typed)), "") == strings.Join(groups[len(groups)-2:], "") {
			return nil
		}
		fmt.Fprintln(p.env.out, "   The paper says something else. Once more.")
	}
}

func hexGroups(key []byte) []string {
	text := hex.EncodeToString(key)
	var groups []string
	for ; text != ""; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return groups
}

// presentManagementKey gets the key that the device has now, where it is still
// needed.
func (p *provisioning) presentManagementKey() error {
	p.begin("The management key. It is no longer the factory's, and stays as it is.")
	if p.slotKey() != nil && p.hasCertificate() {
		return nil // nothing is left to be changed
	}
	if !p.state.Management.PINProtected {
		typed, err := p.env.ask.Secret("   The management key, from the paper: ")
		if err != nil {
			return err
		}
		defer secret.Free(typed)
		p.manage = make([]byte, len(typed)/2)
		n, err := hex.Decode(p.manage, bytes.ToLower(bytes.Join(bytes.Fields(typed), nil)))
		p.manage = p.manage[:n]
		if err != nil {
			return errors.New("reading the management key: it has 32 to 64 digits, 0 to 9 and a to f")
		}
		return nil
	}
	if err := p.needPIN(); err != nil {
		return err
	}
	key, err := p.admin.ProtectedManagementKey(p.pin)
	p.manage = key
	return err
}

func (p *provisioning) storeManagementKey(old, key []byte) error {
	if err := p.needPIN(); err != nil {
		return err
	}
	return p.admin.StoreManagementKey(p.pin, old, key)
}

// needPIN asks for the PIN where an earlier run has set it.
func (p *provisioning) needPIN() (err error) {
	if p.pin == nil {
		p.pin, err = (&pinPrompter{env: p.env, name: p.name}).PIN(hsm.PINRequest{Device: p.state.Info, TriesLeft: p.state.PIN.TriesLeft})
	}
	return err
}
