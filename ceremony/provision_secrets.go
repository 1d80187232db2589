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
	if p.complete() {
		return nil
	}
	if p.state.PIN.Factory == piv.No {
		p.begin("The PIN. It is no longer the factory's: an earlier run has set it.")
		return nil
	}
	p.begin("The PIN. Choose 6 to 8 characters that you will remember and nobody can guess. Digits can be typed on every keyboard. Three wrong ones lock the device.")
	old, err := p.present("PIN", p.state.PIN, piv.FactoryPIN())
	if err != nil {
		return err
	}
	defer secret.Free(old)
	if p.pin, err = choose(p.env, "PIN", p.fit(piv.WeakPIN)); err != nil {
		return err
	}
	if err := p.admin.ChangePIN(old, p.pin); err != nil {
		return err
	}
	fmt.Fprintln(p.env.out, "   The PIN is set.")
	return nil
}

// setPUK replaces the factory's PUK. One that is no longer the factory's must be
// the holder's: somebody who has prepared the device would keep it, and could
// set a PIN of theirs.
func (p *provisioning) setPUK() error {
	if p.complete() {
		return nil
	}
	if p.state.PUK.Factory == piv.No {
		p.begin("The PUK. It is no longer the factory's: type the one that you set in an earlier run.")
		return p.provePUK()
	}
	p.begin("The PUK. It sets a new PIN when the PIN is locked. Choose 8 characters, write them on paper, and put that into the safe: not where the device is.")
	old, err := p.present("PUK", p.state.PUK, piv.FactoryPUK())
	if err != nil {
		return err
	}
	defer secret.Free(old)
	puk, err := choose(p.env, "PUK", p.fit(piv.WeakPUK))
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

// provePUK has the holder type the PUK, and the device compare it: it is
// replaced by itself.
func (p *provisioning) provePUK() error {
	puk, err := p.typed("PUK", p.state.PUK)
	if err != nil {
		return hint(err, "whoever does not know the PUK did not set it; a device that holds no key is made new: %s", p.wipe())
	}
	defer secret.Free(puk)
	return hint(p.admin.ChangePUK(puk, puk), "think before you run the command again; a device that holds no key is made new: %s", p.wipe())
}

// fit refuses, besides what is weak, what stands on the device or opens it.
func (p *provisioning) fit(weak func([]byte) error) func([]byte) error {
	return func(secret []byte) error {
		switch {
		case weak(secret) != nil:
			return weak(secret)
		case bytes.Contains([]byte(p.uri.SerialText()), secret), bytes.Contains(secret, []byte(p.uri.SerialText())):
			return errors.New("it is the number that stands on the device")
		case p.pin != nil && bytes.Contains(secret, p.pin):
			return errors.New("it has the PIN in it")
		}
		return nil
	}
}

// present is the PIN or PUK of now.
func (p *provisioning) present(what string, state piv.SecretState, factory []byte) ([]byte, error) {
	if state.Factory == piv.Yes {
		return factory, nil
	}
	fmt.Fprintf(p.env.out, "   This firmware does not tell whether it is still the factory's, %s.\n", factory)
	fmt.Fprintf(p.env.out, "   If this command was stopped before, it is the one that you set then.\n")
	return p.typed(what, state)
}

// typed asks for the PIN or PUK of now, and spends no try without saying so.
func (p *provisioning) typed(what string, state piv.SecretState) ([]byte, error) {
	switch state.TriesLeft {
	case 0:
		return nil, map[string]error{"PIN": hsm.ErrPINLocked, "PUK": piv.ErrPUKLocked}[what]
	case 1:
		if err := lastTry(p.env, what, "only the PUK or a reset helps then"); err != nil {
			return nil, err
		}
	}
	old, err := p.env.ask.Secret(fmt.Sprintf("   Present %s%s: ", what, triesOf(state)))
	if err == nil && len(old) == 0 {
		err = fmt.Errorf("asking for the %s of now: nothing was typed, and no try was spent", what)
	}
	return old, err
}

// triesOf says how many tries are left, where the device tells.
func triesOf(state piv.SecretState) string {
	if state.TriesLeft == hsm.Unknown {
		return ""
	}
	return " (" + triesLeft("", state.TriesLeft) + ")"
}

// choose has a new secret typed twice. Nothing has been done when the two
// differ, or when it is a bad one: it is asked for again.
func choose(env *environment, what string, weak func([]byte) error) ([]byte, error) {
	for {
		first, err := env.ask.Secret(fmt.Sprintf("   New %s: ", what))
		if err != nil {
			return nil, err
		}
		if err := weak(first); err != nil {
			secret.Free(first)
			wrapTo(env.out, "   ", "   ", fmt.Sprintf("Not that one: %v.", err))
			continue
		}
		second, err := env.ask.Secret(fmt.Sprintf("   The same %s again: ", what))
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
		fmt.Fprintln(env.out, "   The two differ. Once more.")
	}
}

// setManagementKey gives the device a random management key, and leaves that
// where the policy says before the device takes it: stopped in between, the
// device still has the old one. A key on paper stays as it is: nobody but the
// holder has it.
func (p *provisioning) setManagementKey() error {
	if p.complete() {
		return nil
	}
	printed := p.plan.Policy.ManagementKey == plan.Printed
	where := "is kept in the device, behind the PIN"
	if printed {
		where = "goes on paper, into the safe"
	}
	p.begin("The management key, with which slots are changed. It is a random one, of type %s, and %s.", p.admin.ManagementAlgorithm(), where)
	old, paper, err := p.oldManagementKey()
	defer secret.Free(old)
	if err != nil {
		return err
	}
	if paper && printed {
		p.manage = bytes.Clone(old)
		fmt.Fprintln(p.env.out, "   The one on the paper stays as it is.")
		return nil
	}
	if p.manage, err = p.admin.NewManagementKey(); err != nil {
		return err
	}
	if printed {
		err = p.printManagementKey(p.manage)
	} else if err = p.needPIN(); err == nil {
		err = p.admin.StoreManagementKey(p.pin, old, p.manage)
	}
	if err == nil {
		err = p.admin.SetManagementKey(old, p.manage)
	}
	if err == nil {
		fmt.Fprintln(p.env.out, "   The management key is set.")
	}
	return err
}

// oldManagementKey finds the key that the device has now: the factory's, the one
// that an earlier run has stored, or the one on paper. The device does not count
// wrong ones.
func (p *provisioning) oldManagementKey() (key []byte, paper bool, err error) {
	state := p.state.Management
	if state.Factory != piv.No {
		key = piv.FactoryManagementKey()
		if err := p.admin.CheckManagementKey(key); !errors.Is(err, piv.ErrManagementKey) {
			return key, false, err
		}
	}
	if state.PINProtected {
		if err := p.needPIN(); err != nil {
			return nil, false, err
		}
		key, err := p.admin.ProtectedManagementKey(p.pin)
		if err == nil {
			err = p.admin.CheckManagementKey(key)
		}
		if err == nil || !errors.Is(err, piv.ErrManagementKey) && !errors.Is(err, hsm.ErrNotFound) {
			return key, false, err
		}
	}
	if key, err = paperManagementKey(p.env, "   It is on the paper with the PUK. Type it from there: "); err != nil {
		return nil, false, err
	}
	err = p.admin.CheckManagementKey(key)
	if errors.Is(err, piv.ErrManagementKey) {
		err = hint(err, "look at the paper again; if nobody has the key, and the device holds none that is needed: %s", p.wipe())
	}
	return key, true, err
}

// paperManagementKey has a person type the key from the paper.
func paperManagementKey(env *environment, prompt string) ([]byte, error) {
	typed, err := env.ask.Secret(prompt)
	if err != nil {
		return nil, err
	}
	defer secret.Free(typed)
	digits := bytes.Join(bytes.Fields(bytes.ToLower(typed)), nil)
	defer secret.Free(digits)
	key := make([]byte, hex.DecodedLen(len(digits)))
	if _, err = hex.Decode(key, digits); err != nil {
		secret.Free(key)
		return nil, errors.New("reading the management key: it has 48 or 64 digits, 0 to 9 and a to f")
	}
	return key, nil
}

// printManagementKey shows the key in groups of four, on the terminal alone, and
// wants to see that it was written down.
func (p *provisioning) printManagementKey(key []byte) error {
	wrapTo(p.env.out, "   ", "   ", "Take the paper with the PUK. If an earlier run has left a management key on it, cross that out: it was never set.")
	if _, err := p.env.ask.Line("   Turn every camera away from the screen, then press Enter: "); err != nil {
		return err
	}
	groups := hexGroups(key)
	var text strings.Builder
	for i := 0; i < len(groups); i += 8 {
		fmt.Fprintf(&text, "      %s\n", strings.Join(groups[i:min(i+8, len(groups))], " "))
	}
	for {
		typed, err := p.env.ask.Reveal(text.String(), "   Write it down, and type its last two groups from the paper: ")
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

// needPIN asks for the PIN where an earlier run has set it.
func (p *provisioning) needPIN() (err error) {
	if p.pin == nil {
		p.pin, err = (&pinPrompter{env: p.env, name: p.name}).PIN(hsm.PINRequest{Device: p.state.Info, TriesLeft: p.state.PIN.TriesLeft})
	}
	return err
}
