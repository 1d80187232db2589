package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tufceremony/hsm/virtual"
)

// plugged are the virtual YubiKeys for tests that run commands in this process:
// one stack for all of them, since libpcsclite looks for its service once. The
// scripts have a stack each.
var plugged struct {
	once  sync.Once
	stack *virtual.Stack
	err   error
}

const pluggedCards = 7

// yubiKeys gives a test seven cards as they leave the factory, with serial
// numbers from 20000001 on. A touch comes at once.
func yubiKeys(t testing.TB) *virtual.Stack {
	t.Helper()
	plugged.once.Do(func() {
		if plugged.stack, plugged.err = virtual.Start(sevenCards()...); plugged.err == nil {
			name, value, _ := strings.Cut(plugged.stack.Env(), "=")
			plugged.err = os.Setenv(name, value)
		}
	})
	skipWithout(t, plugged.err)
	for i, card := range sevenCards() {
		if err := plugged.stack.Card(i).Swap(card); err != nil {
			t.Fatal(err)
		}
	}
	return plugged.stack
}

func sevenCards() []virtual.Config {
	cards := make([]virtual.Config, pluggedCards)
	for i := range cards {
		cards[i] = virtual.Config{Serial: uint32(20000001 + i)}
	}
	return cards
}

// skipWithout skips where the stack cannot be had, and says what is missing.
func skipWithout(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, virtual.ErrUnavailable) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
}

// pcscAvailable says whether scripts can have virtual YubiKeys.
var pcscAvailable = sync.OnceValue(func() error {
	stack, err := virtual.Start(virtual.Config{Empty: true})
	if err == nil {
		err = stack.Stop()
	}
	return err
})

// pluginCmd plugs virtual YubiKeys in for a script: seven as above, or those
// that it describes as hsm/virtual does.
func pluginCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: plugin [CARD]...")
	}
	cards := sevenCards()
	if len(args) > 0 {
		cards = nil
	}
	for _, arg := range args {
		card, err := virtual.ParseConfig(arg)
		ts.Check(err)
		cards = append(cards, card)
	}
	stack, err := virtual.Start(cards...)
	ts.Check(err)
	ts.Defer(func() { ts.Check(stack.Stop()) })
	name, value, _ := strings.Cut(stack.Env(), "=")
	ts.Setenv(name, value)
	ts.Setenv("CARDS", stack.Control())
	ts.Setenv("READER", stack.ReaderName(0))
}

// cardCmd orders a script's card about:
//
//	card N miss-touch | unplug | plug | heal
//	card N pull INS              pulled at the next command of that instruction
//	card N answer INS SW         answers it with a status word
//	card N verified COUNT        PINs that were given to it, right and wrong
//	card N replace CARD          another card in its place
func cardCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: card N ORDER [ARGUMENT]...")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	client, err := virtual.Dial(ts.Getenv("CARDS"))
	ts.Check(err)
	defer client.Close()
	card := client.Card(n)
	number := func(i int) uint16 {
		v, err := strconv.ParseUint(args[i], 16, 16)
		ts.Check(err)
		return uint16(v)
	}
	switch order := args[1]; {
	case order == "miss-touch":
		ts.Check(card.MissTouch())
	case order == "unplug":
		ts.Check(card.Unplug())
	case order == "plug":
		ts.Check(card.Plug())
	case order == "heal":
		ts.Check(card.Heal())
	case order == "pull" && len(args) == 3:
		ts.Check(card.PullAtINS(byte(number(2)), virtual.Before))
	case order == "answer" && len(args) == 4:
		ts.Check(card.AnswerINS(byte(number(2)), number(3)))
	case order == "verified" && len(args) == 3:
		counters, err := card.Counters()
		ts.Check(err)
		if want, _ := strconv.Atoi(args[2]); counters.Verifies != want {
			ts.Fatalf("the card was given %d PINs, want %d", counters.Verifies, want)
		}
	case order == "replace" && len(args) == 3:
		config, err := virtual.ParseConfig(args[2])
		ts.Check(err)
		ts.Check(card.Replace(config))
	default:
		ts.Fatalf("unknown order %q", args[1:])
	}
}

// pivpinCmd writes what the holder of a YubiKey in a script's rehearsal types.
func pivpinCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pivpin TOKEN FILE")
	}
	m := &pivMaker{r: &rehearsal{seed: []byte("scripts")}}
	pin, err := m.secret("pin", args[0], 6, func([]byte) error { return nil })
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), fmt.Appendf(nil, "%s\n", pin), 0o600))
}
