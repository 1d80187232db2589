package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/hsm"
	"tufceremony/hsm/piv"
)

// pivMaker gives out the virtual YubiKeys that are plugged in. Their holders
// provision them, with the command of the real day.
type pivMaker struct {
	r       *rehearsal
	devices []hsm.Info // not given out yet
	mixed   bool       // other holders have devices that cannot attest
}

// newPIVMaker looks for virtual YubiKeys that are as they left the factory.
func newPIVMaker(r *rehearsal) (*pivMaker, error) {
	seen, err := piv.List()
	if err != nil {
		return nil, hint(err, "`scripts/rehearse --piv` plugs virtual YubiKeys in")
	}
	m := &pivMaker{r: r}
	for _, d := range seen {
		if d.Err == nil && len(d.Slots) == 0 && m.virtual(d.Info) {
			m.devices = append(m.devices, d.Info)
		}
	}
	if len(m.devices) == 0 {
		return nil, hint(fmt.Errorf("rehearsing with YubiKeys: no virtual one is plugged in: %w", hsm.ErrNotFound), "`scripts/rehearse --piv` plugs them in; a rehearsal does not touch a real one")
	}
	return m, nil
}

// virtual tells a virtual YubiKey by the root of its factory.
func (m *pivMaker) virtual(info hsm.Info) bool {
	u, err := piv.ParseDevice(info.URI)
	if err != nil {
		return false
	}
	admin, err := piv.OpenAdmin(u.Serial, m.r.env.random)
	if err != nil {
		return false
	}
	defer admin.Close()
	certificate, err := admin.FactoryCertificate()
	return err == nil && isVirtual(certificate, m.r.now)
}

func (m *pivMaker) policy() string {
	attestation := "required"
	if m.mixed {
		attestation = "recorded"
	}
	return fmt.Sprintf(`policy:
  attestation: %s
  firmware: "5.7.0"
  pin: always
  touch: always
  management-key: pin-protected
`, attestation)
}

func (m *pivMaker) explain() string {
	return "Each holder gets a copy of the folder, whose plan says by now what devices must be, and sets up a YubiKey as it came from the shop. In a rehearsal the YubiKeys are virtual; all that they are asked and answer is as on the real day."
}

// make hands the next device to a holder, who provisions it with a copy of the
// folder and sends back what the command has written.
func (m *pivMaker) make(ceremony, holder, name string) (stock, error) {
	if len(m.devices) == 0 {
		return stock{}, hint(errors.New("no virtual YubiKey is left"), "`scripts/rehearse --piv` plugs in as many as are needed")
	}
	device := m.devices[0]
	m.devices = m.devices[1:]
	s := stock{uri: device.URI + ";slot=9c", model: device.Model, serial: device.Serial}
	var err error
	if s.pin, err = m.secret("pin", name, 6, piv.WeakPIN); err != nil {
		return stock{}, err
	}
	if s.puk, err = m.secret("puk", name, 8, piv.WeakPUK); err != nil {
		return stock{}, err
	}
	m.r.tokens[name] = s
	place := "provision-" + name
	if err := m.r.carry(ceremony, holder, place); err != nil {
		return stock{}, err
	}
	if err := m.r.types(holder, "token", "provision", place, "--token", name, "--uri", s.uri); err != nil {
		return stock{}, err
	}
	err = m.collect(filepath.Join(m.r.dir, holder, place, folder.Keys, name), &s)
	return s, err
}

// collect reads what the holder sends back. The folder was a copy.
func (m *pivMaker) collect(files string, s *stock) (err error) {
	if s.pem, err = os.ReadFile(files + ".pem"); err != nil {
		return fmt.Errorf("rehearsing: %w", err)
	}
	if s.evidence, err = os.ReadFile(files + ".attestation.pem"); err != nil {
		return fmt.Errorf("rehearsing: %w", err)
	}
	return nil
}

// secret draws digits until they are none that the command refuses.
func (m *pivMaker) secret(what, name string, n int, weak func([]byte) error) ([]byte, error) {
	for i := 0; ; i++ {
		secret, err := m.r.digits(fmt.Sprintf("%s %d %s", what, i, name), n)
		if err != nil || weak(secret) == nil {
			return secret, err
		}
	}
}

// turns has several makers take turns: one ceremony, devices of several kinds.
type turns struct {
	makers []maker
	next   int
}

func (t *turns) policy() string {
	for _, m := range t.makers {
		if p, ok := m.(*pivMaker); ok {
			p.mixed = true
			return p.policy()
		}
	}
	return ""
}

func (t *turns) explain() string {
	return t.makers[0].(*pivMaker).explain() + " Every other holder has a SoftHSM token, which was made beforehand."
}

func (t *turns) make(ceremony, holder, name string) (stock, error) {
	m := t.makers[t.next%len(t.makers)]
	t.next++
	return m.make(ceremony, holder, name)
}
