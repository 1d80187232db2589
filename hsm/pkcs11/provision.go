//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
	"tufceremony/hsm/secret"
)

// maxLabel is the width of a token's label field, in bytes.
const maxLabel = 32

// CreateToken initialises a token, under the label that the URI has, sets its
// user PIN, and returns its serial. An initialised token is never initialised
// again: that would destroy its keys. Nor is a label given that another token of
// the module has. Where several tokens are empty, the rest of the URI must choose
// one.
func CreateToken(text string, soPIN, pin []byte, o Options) (serial string, err error) {
	return createToken(&process, text, soPIN, pin, o)
}

func createToken(r *registry, text string, soPIN, pin []byte, o Options) (serial string, err error) {
	err = prepare(r, text, o, func(m *module, u uri.URI) error {
		if len(soPIN) == 0 || len(pin) == 0 {
			return errors.New("both PINs must be given")
		}
		created, err := m.initToken(u, soPIN, o)
		if err != nil {
			return err
		}
		serial = created.info.SerialNumber
		return m.initPIN(created, soPIN, pin, o)
	})
	if err != nil {
		return "", fmt.Errorf("creating a token: %w", err)
	}
	return serial, nil
}

// SetPIN sets the user PIN of the token that the URI describes, where none has
// been set: initialising it was stopped half way.
func SetPIN(text string, soPIN, pin []byte, o Options) error {
	return setPIN(&process, text, soPIN, pin, o)
}

func setPIN(r *registry, text string, soPIN, pin []byte, o Options) error {
	err := prepare(r, text, o, func(m *module, u uri.URI) error {
		if len(soPIN) == 0 || len(pin) == 0 {
			return errors.New("both PINs must be given")
		}
		u.Object, u.ID, u.Type = "", nil, ""
		f, err := m.find(u, o.limit())
		switch {
		case err != nil:
			return err
		case f.info.Flags&p11.CKF_USER_PIN_INITIALIZED != 0:
			return errors.New("the token has a user PIN, which is its user's to change")
		}
		return m.initPIN(f, soPIN, pin, o)
	})
	if err != nil {
		return fmt.Errorf("setting the user PIN of a token: %w", err)
	}
	return nil
}

// prepare runs f with the module of a URI that has a token's label.
func prepare(r *registry, text string, o Options, f func(*module, uri.URI) error) (err error) {
	u, err := uri.Parse(text)
	switch {
	case err != nil:
		return err
	case u.ModulePath == "":
		return errNoModule
	case u.Token == "" || len(u.Token) > maxLabel || trim(u.Token) != u.Token:
		return fmt.Errorf("the label must have 1 to %d bytes and not end in a blank", maxLabel)
	}
	m, err := r.acquire(source{u.ModulePath, u.InitReserved}, o.limit())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.release(o.limit())) }()
	return f(m, u)
}

func (m *module) initToken(u uri.URI, soPIN []byte, o Options) (found, error) {
	empty, err := m.emptySlot(u, o)
	if err != nil {
		return found{}, err
	}
	lent := secret.Copy(soPIN)
	err = tell(m, generationFactor*o.limit(), func(c cryptoki) error {
		defer secret.Free(lent)
		return c.InitToken(empty, lent, u.Token)
	})
	if isCode(err, p11.CKR_PIN_INCORRECT) {
		err = ErrOwnSOPIN
	}
	if err != nil {
		return found{}, fmt.Errorf("initialising slot %d: %w", empty, translate(err))
	}
	// SoftHSM's slot numbers change when a token is initialised, and its serials.
	created, err := m.find(uri.URI{Token: u.Token}, o.limit())
	if err != nil {
		return found{}, fmt.Errorf("looking for the new token: %w", err)
	}
	return created, nil
}

// emptySlot returns the one slot whose token is not initialised, and fits the
// URI but for its label.
func (m *module) emptySlot(u uri.URI, o Options) (uint, error) {
	slots, err := m.slots(o.limit())
	if err != nil {
		return 0, err
	}
	label := u.Token
	u.Token = ""
	var empty []found
	for _, f := range slots {
		if f.info.Flags&p11.CKF_TOKEN_INITIALIZED != 0 {
			if f.info.Label == label {
				return 0, fmt.Errorf("there is a token labelled %q already, with serial %q", label, f.info.SerialNumber)
			}
			continue
		}
		fits, err := m.matches(f, u, o.limit())
		if err != nil {
			return 0, err
		}
		if fits {
			empty = append(empty, f)
		}
	}
	switch len(empty) {
	case 0:
		return 0, fmt.Errorf("the module shows no slot with an empty token: %w", hsm.ErrNotFound)
	case 1:
		return empty[0].slot, nil
	}
	return 0, fmt.Errorf("%d empty tokens fit, with serials %s: add serial=… to the URI", len(empty), serials(empty))
}

func (m *module) initPIN(f found, soPIN, pin []byte, o Options) error {
	lentSO, lent := secret.Copy(soPIN), secret.Copy(pin)
	login, err := ask(m, o.limit(), func(c cryptoki) (refused, err error) {
		defer secret.Free(lentSO)
		defer secret.Free(lent)
		s, err := c.OpenSession(f.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
		if err != nil {
			return nil, err
		}
		if refused = c.Login(s, p11.CKU_SO, lentSO); refused == nil {
			err = c.InitPIN(s, lent)
		}
		return refused, errors.Join(err, c.CloseSession(s)) // logs out
	})
	switch {
	case isCode(login, p11.CKR_PIN_INCORRECT):
		return ErrSOPIN
	case isCode(login, p11.CKR_PIN_LOCKED):
		return ErrSOLocked
	case login != nil:
		return fmt.Errorf("logging in as security officer: %w", translate(login))
	case err != nil:
		return fmt.Errorf("setting the user PIN: %w", translate(err))
	}
	return nil
}
