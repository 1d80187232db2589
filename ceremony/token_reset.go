package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tufceremony/hsm/piv"
)

func tokenResetCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "reset URI",
		Short: "wipe a device: its keys are gone for good",
		Long: `reset wipes the PIV part of a YubiKey: all keys and certificates in it, PIN, PUK and
management key, which are the factory's afterwards. It shows what is there, and asks
for the serial number to be typed. Nothing brings the keys back.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runTokenReset(env, args[0]) },
	}
}

func runTokenReset(env *environment, text string) (err error) {
	u, err := piv.ParseDevice(text)
	if err != nil {
		return hint(err, "%s", uriHint(text))
	}
	if u.Slot != 0 {
		return hint(fmt.Errorf("resetting %q: a slot cannot be wiped alone, and all the others would go with it", text), "name the device as a whole: %s", piv.URI{Serial: u.Serial})
	}
	admin, err := piv.OpenAdmin(u.Serial, env.random)
	if err != nil {
		return lookHint(err)
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	state, err := admin.State()
	if err != nil {
		return lookHint(err)
	}
	seen := describeDevice(state.Info, nobody)
	for _, slot := range state.Slots {
		seen.Keys = append(seen.Keys, describeSlot(slot, nobody))
	}
	fmt.Fprintln(env.out, "This will be wiped:")
	seen.print(env.out)
	typed, err := env.ask.Line("Nothing brings these keys back.\nType the serial number to wipe the device: ")
	if err == nil && strings.TrimSpace(typed) != u.SerialText() {
		err = errors.New("resetting: another number was typed")
	}
	switch {
	case errors.Is(err, errStopped):
		return &hinted{errStopped, "nothing was changed"}
	case err != nil:
		return hint(err, "nothing was changed")
	}
	if err := admin.Reset(); err != nil {
		return hint(err, "PIN and PUK may be locked now, and the keys still there: run the command again")
	}
	fmt.Fprintf(env.out, "The device is wiped. Its PIN is the factory's again: `ceremony token provision` sets a new one.\n")
	return nil
}
