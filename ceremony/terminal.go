package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"tufceremony/hsm/secret"
)

// stops are the signals that end the program from a keyboard or with its
// terminal.
var stops = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// terminal is the terminal that the program was started from, whatever stdin,
// stdout and stderr have been redirected to: a PIN cannot come from a pipe by
// mistake, and a prompt cannot vanish in a file.
type terminal struct{}

var (
	errNoTerminal  = errors.New("there is no terminal to ask at")
	errStopped     = errors.New("stopped from the keyboard")
	errInterrupted = &hinted{errStopped, "nothing was written"}
)

func (terminal) Line(prompt string) (string, error) {
	line, err := atTerminal(prompt, func(in *os.File) ([]byte, error) {
		line, err := bufio.NewReader(in).ReadString('\n')
		return []byte(strings.TrimRight(line, "\r\n")), err
	})
	return string(line), err
}

// Secret gives what was typed in memory of package secret, for whoever uses it
// to free.
func (terminal) Secret(prompt string) ([]byte, error) {
	if err := secret.Weakness(); err != nil {
		prompt = fmt.Sprintf("(What is typed may come to lie on this machine's disk, if it swaps: %v.)\n%s", err, prompt)
	}
	return atTerminal(prompt, func(in *os.File) ([]byte, error) {
		typed, err := readSecret(in)
		fmt.Fprintln(in) // Enter was not echoed
		return typed, err
	})
}

// atTerminal prompts and reads. Ctrl-C gives the terminal its echo back, and
// comes out as an error, so that the device is closed on the way.
func atTerminal(prompt string, read func(in *os.File) ([]byte, error)) ([]byte, error) {
	in, out, err := openTerminal()
	if err != nil {
		return nil, errNoTerminal
	}
	defer in.Close()
	defer out.Close()
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return nil, errNoTerminal
	}
	signals := make(chan os.Signal, 1)
	defer holdSignals(signals)()
	fmt.Fprint(guard{out}, prompt)
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read(in)
		answers <- answer{text, err}
	}()
	select {
	case <-signals:
		err := term.Restore(int(in.Fd()), before)
		fmt.Fprintln(out)
		return nil, errors.Join(errInterrupted, err)
	case a := <-answers:
		if a.err != nil {
			fmt.Fprintln(out) // what follows does not begin behind the question
			return nil, &hinted{fmt.Errorf("asking: nothing was typed: %w", a.err), "run the command again and type the answer, then Enter"}
		}
		return a.text, nil
	}
}

func (t terminal) Reveal(secret, question string) (string, error) {
	answer, err := t.Line(secret + question)
	if in, out, opened := openTerminal(); opened == nil {
		in.Close()
		// Up by the lines of the secret and the one with the answer, and clear
		// what is below (ECMA-48, CUU and ED).
		fmt.Fprintf(out, "\x1b[%dA\x1b[J", strings.Count(secret, "\n")+1)
		out.Close()
	}
	return answer, err
}

// Countdown writes over one line of the terminal, and leaves it empty.
func (terminal) Countdown(seconds int) (stop func()) {
	in, out, err := openTerminal()
	if err != nil {
		return func() {}
	}
	in.Close()
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer out.Close()
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for left := seconds; left > 0; left-- {
			fmt.Fprintf(out, "\r%3d s left ", left)
			select {
			case <-over:
				fmt.Fprintf(out, "\r%*s\r", len("100 s left "), "")
				return
			case <-tick.C:
			}
		}
		fmt.Fprintf(out, "\r%*s\r", len("100 s left "), "")
	}()
	return func() {
		close(over)
		<-ended
	}
}

// interrupts holds Ctrl-C back while a device is open: a process that is
// killed inside a module leaves some devices locked.
type interrupts struct {
	once    sync.Once
	signals chan os.Signal
	done    chan struct{}
	seen    chan struct{}
	free    func()
}

func catchInterrupts(w io.Writer) *interrupts {
	i := &interrupts{signals: make(chan os.Signal, 1), done: make(chan struct{}), seen: make(chan struct{})}
	i.free = holdSignals(i.signals)
	go func() {
		select {
		case <-i.signals:
			// From now on the signals end the program: a device may never answer.
			i.letGo()
			fmt.Fprintln(w, "\nStopping as soon as the device answers. Once more stops at once, and may leave\nthe device locked until it answers.")
			close(i.seen)
		case <-i.done:
		}
	}()
	return i
}

func (i *interrupts) caught() bool {
	select {
	case <-i.seen:
		return true
	default:
		return false
	}
}

func (i *interrupts) release() {
	i.letGo()
	close(i.done)
}

// letGo gives the signals back, once.
func (i *interrupts) letGo() { i.once.Do(i.free) }
