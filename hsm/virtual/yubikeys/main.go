// Yubikeys plugs virtual YubiKeys in. With a command, it runs that with a
// pcscd of its own; scripts/pcsc calls it so:
//
//	yubikeys -card serial=14470876,firmware=5.4.3 -card form=usb-c-nano COMMAND [ARGUMENT]...
//
// The command's environment has PCSCLITE_CSOCK_NAME for PC/SC, and
// CEREMONY_VIRTUAL_CONTROL, the path of the socket for virtual.Dial. Its exit
// status is passed on.
//
// Without a command, every card names the port of a vpcd that runs already,
// and stays plugged until an interrupt:
//
//	yubikeys -card port=35963 -control /tmp/cards
//
// It keeps nothing: all keys are gone when it ends.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"tufceremony/hsm/virtual"
)

func main() {
	virtual.Init()
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "yubikeys: error:", err)
		os.Exit(1)
	}
	os.Exit(status)
}

func run(args []string) (status int, err error) {
	flags := flag.NewFlagSet("yubikeys", flag.ContinueOnError)
	var cards []virtual.Config
	flags.Func("card", "a `card`, such as serial=14470876,firmware=5.4.3; may be repeated", func(text string) error {
		card, err := virtual.ParseConfig(text)
		cards = append(cards, card)
		return err
	})
	control := flags.String("control", "", "without a command: the `path` of the socket for virtual.Dial")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0, nil
	case err != nil:
		return 2, nil // it has been said
	}
	if len(cards) == 0 {
		cards = append(cards, virtual.Config{})
	}
	if flags.NArg() == 0 {
		return 0, plug(*control, cards)
	}
	if *control != "" {
		return 2, errors.New("-control is for cards without a command; a command finds the path in its environment")
	}
	return runCommand(flags.Args(), cards)
}

func runCommand(args []string, cards []virtual.Config) (status int, err error) {
	stack, err := virtual.Start(cards...)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, stack.Stop()) }()
	// A terminal sends these to the command as well, which is to end first.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGQUIT)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), stack.Env(), "CEREMONY_VIRTUAL_CONTROL="+stack.Control())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	if exit, ran := errors.AsType[*exec.ExitError](err); ran {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

func plug(control string, cards []virtual.Config) error {
	for i, card := range cards {
		if card.Port == 0 {
			return fmt.Errorf("card %d has no port; without a command, every card names a port of vpcd", i)
		}
	}
	if control == "" {
		return errors.New("-control is missing")
	}
	listener, err := net.Listen("unix", control)
	if err != nil {
		return err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-interrupted
		listener.Close()
	}()
	return virtual.Serve(listener, cards...)
}
