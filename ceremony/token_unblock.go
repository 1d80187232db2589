package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tufceremony/hsm/piv"
	"tufceremony/hsm/secret"
)

func tokenUnblockCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "unblock URI",
		Short: "set a new PIN with the PUK",
		Long: `unblock sets a new PIN on a YubiKey whose PIN is locked or forgotten. It asks for the
PUK, which has a few tries of its own: when they are spent as well, only a reset is
left, which destroys the keys. Keys and certificates stay as they are.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runTokenUnblock(env, args[0]) },
	}
}

func runTokenUnblock(env *environment, text string) (err error) {
	u, err := piv.ParseDevice(text)
	if err != nil {
		return hint(err, "%s", uriHint(text))
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
	wrapTo(env.out, "", "  ", seen.title()+".")
	switch state.PUK.TriesLeft {
	case 0:
		return hint(fmt.Errorf("unblocking: %w", piv.ErrPUKLocked), "only `ceremony token reset %s` is left, which destroys the keys; nothing was changed", u)
	case 1:
		if err := lastTry(env, "PUK", "only a reset is left then, which destroys the keys"); err != nil {
			return err
		}
	}
	puk, err := env.ask.Secret(fmt.Sprintf("PUK of the device%s: ", triesOf(state.PUK)))
	if err != nil {
		return hint(err, "nothing was changed")
	}
	defer secret.Free(puk)
	pin, err := choose(env, "PIN", piv.WeakPIN)
	if err != nil {
		return hint(err, "nothing was changed")
	}
	defer secret.Free(pin)
	if err := admin.UnblockPIN(puk, pin); err != nil {
		return hint(err, "the PIN is as it was; think before you run the command again")
	}
	fmt.Fprintln(env.out, "The new PIN is set, and all its tries are back.")
	return nil
}
