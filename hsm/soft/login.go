package soft

import (
	"errors"
	"fmt"

	"tufceremony/hsm"
	"tufceremony/hsm/secret"
)

// login asks for the PIN once and spends at most one try.
func (t *Token) login(prompter hsm.Prompter) error {
	if err := t.load(); err != nil {
		return err
	}
	if t.contents.TriesLeft == 0 {
		return hsm.ErrPINLocked
	}
	pin, err := t.askPIN(prompter)
	if err != nil {
		return err
	}
	defer secret.Free(pin)
	return t.verifyPIN(pin)
}

func (t *Token) askPIN(prompter hsm.Prompter) ([]byte, error) {
	if t.pinSource != "" && t.contents.TriesLeft == 1 {
		return nil, hsm.ErrLastTry
	}
	if t.pinSource != "" {
		return hsm.ReadPIN(t.pinSource)
	}
	if prompter == nil {
		return nil, errors.New("a PIN is needed, and there is nobody to ask")
	}
	pin, err := prompter.PIN(hsm.PINRequest{Device: t.info(), TriesLeft: t.contents.TriesLeft})
	if err != nil {
		secret.Free(pin)
		return nil, fmt.Errorf("asking for the PIN: %w", err)
	}
	if len(pin) == 0 {
		return nil, errors.New("no PIN was given; no try was spent")
	}
	return pin, nil
}

// verifyPIN does as cards do: the try is spent, for good, before the PIN is
// compared, and given back when it was right. A process killed in between has
// lost the try, and nobody gains one by pulling the plug.
func (t *Token) verifyPIN(pin []byte) error {
	spent := *t.contents
	spent.TriesLeft--
	if err := t.store(&spent); err != nil {
		return err
	}
	private, err := spent.open(pin)
	if errors.Is(err, errWrongPIN) {
		return wrongPIN(spent.TriesLeft)
	}
	if err != nil {
		return err
	}
	restored := spent
	restored.TriesLeft = restored.Tries
	if err := t.store(&restored); err != nil {
		return err
	}
	t.private = private
	return nil
}

func wrongPIN(left int) error {
	if left == 0 {
		return fmt.Errorf("wrong PIN, and that was the last try: %w", hsm.ErrPINLocked)
	}
	return &hsm.PINError{TriesLeft: left}
}
