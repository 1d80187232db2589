package main

import (
	"fmt"
	"io"
	"slices"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/evidence"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/hsm/attest"
)

// printOnce says what became of the keys that were made for one ceremony alone,
// and on whose word.
func printOnce(w io.Writer, all []evidence.Once) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, "\nOne-time keys:")
	for _, o := range all {
		wrapTo(w, "  "+o.Token.Name+": ", "      ", onceWords(o))
	}
}

func onceWords(o evidence.Once) string {
	switch {
	case o.End == evidence.Alive:
		return "not destroyed, or nothing says so that holds"
	case o.End == evidence.Proved:
		words := fmt.Sprintf("destroyed on %s: YubiKey %s attests another key in slot %s, which has signed that it overwrote this one", o.What.At, tufmeta.Printable(o.What.Serial), tufmeta.Printable(o.What.ID))
		if movable(o) {
			words += "; with firmware 5.7 or newer keys can be moved, and that no other slot has it is the holder's word"
		}
		if !o.Made {
			words += "; that it was made in the device nothing proves"
		}
		return words
	}
	by := map[evidence.How]string{
		evidence.Overwritten: "its attestation was not read", evidence.Deleted: "by the PKCS#11 module's word", evidence.Erased: "by this program's word",
	}
	return fmt.Sprintf("destroyed on %s, %s: nothing proves it", o.What.At, by[o.What.How])
}

// movable reports whether the device that has proved the end of a key could have
// moved it to another slot before.
func movable(o evidence.Once) bool {
	below, err := attest.FirmwareBelow(o.Facts.Firmware.Value, "5.7.0")
	return err != nil || !below
}

// keysAlive are the one-time keys whose end seal waits for: those that the plan
// does not waive.
func keysAlive(p *plan.Plan, all []evidence.Once) []string {
	var names []string
	for _, o := range all {
		waived := slices.ContainsFunc(p.Waivers, func(w check.Waiver) bool { return w.Check == "ONE-TIME-ALIVE" && w.Subject == o.Token.Name })
		if o.End == evidence.Alive && !waived {
			names = append(names, o.Token.Name)
		}
	}
	return names
}

// onceJSON is a one-time key for machines.
type onceJSON struct {
	Token string                `json:"token"`
	State evidence.End          `json:"state"`
	What  *evidence.Destruction `json:"destruction,omitempty"`
}

func onceOf(all []evidence.Once) []onceJSON {
	var out []onceJSON
	for _, o := range all {
		out = append(out, onceJSON{o.Token.Name, o.End, o.What})
	}
	return out
}
