package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/secret"
)

// start is run as a process of its own: without core dumps, since PINs are in
// its memory, and with its PKCS#11 modules finalised however it ends.
func start(args []string, env *environment) int {
	if err := secret.NoDumps(); err != nil {
		fmt.Fprintf(env.err, "ceremony: warning: a crash may leave what is typed on disk: %v\n", err)
	}
	finalizeOnSignal()
	status := run(args, showProgress(env))
	ending.Lock()            // a signal that came first ends the program, with its own status
	_ = pkcs11.FinalizeAll() // what a command has left open; those that matter report it themselves
	return status
}

// ending is held by whoever ends the program: a command that is told so by its
// module must not overtake the signal that was the reason.
var ending sync.Mutex

// held is how many parts of the program hold signals at the moment, to end in
// their own way.
var held atomic.Int32

// holdSignals has signals come out of a channel, until free is called.
func holdSignals(signals chan os.Signal) (free func()) {
	held.Add(1)
	signal.Notify(signals, stops...)
	return func() {
		signal.Stop(signals)
		held.Add(-1)
	}
}

// finalizeOnSignal ends the program on a signal that nobody holds, as it would
// end by itself, but with the modules finalised: some devices stay locked
// otherwise. One that was to be ignored still is.
func finalizeOnSignal() {
	signals := make(chan os.Signal, 1)
	for _, s := range stops {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		for s := range signals {
			if held.Load() > 0 {
				continue
			}
			ending.Lock()
			_ = pkcs11.FinalizeAll()
			status := refused
			if n, ok := s.(syscall.Signal); ok {
				status = 128 + int(n) // as shells say it
			}
			os.Exit(status)
		}
	}()
}
