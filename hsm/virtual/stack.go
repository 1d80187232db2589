package virtual

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Stack is a pcscd of one's own with virtual cards in its readers.
type Stack struct {
	*Client // reaches the cards

	dir   string
	names []string
	cmd   *exec.Cmd
	stdin io.Closer
	gone  chan struct{} // closed when the process has ended
	ended error         // how it ended, once gone is closed
}

// ErrUnavailable is wrapped when this machine lacks what a stack is made of;
// the message says what. Tests skip for it.
var ErrUnavailable = errors.New("no virtual smart cards on this machine")

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, fmt.Errorf(format, args...))
}

const (
	// The variable that makes Init take over the process.
	initVariable = "CEREMONY_VIRTUAL"

	socketName  = "pcscd.comm"
	controlName = "control"
	logName     = "log"

	readyLine = "ready"
	patience  = 20 * time.Second
)

// initialized says that Init has run: without it a stack would start the
// tests once more.
var initialized bool

// Init must be the first call of a main function or TestMain whose process is
// to start stacks: a stack is another process of the same program, and in that
// one Init does not return.
func Init() {
	initialized = true
	if os.Getenv(initVariable) == "" {
		return
	}
	os.Exit(runInside(os.Args[1:]))
}

// Start starts a pcscd with one reader for each card. It returns when pcscd
// has switched on every card, and the error wraps ErrUnavailable where the
// machine lacks something. Stop must be called; if the process dies without,
// the stack ends by itself.
func Start(cards ...Config) (*Stack, error) {
	if !initialized {
		return nil, errors.New("starting virtual cards: virtual.Init was not called first")
	}
	for i, card := range cards {
		if err := card.check(); err != nil {
			return nil, fmt.Errorf("starting virtual card %d: %w", i, err)
		}
	}
	s, err := launch(cards)
	if err != nil {
		return nil, fmt.Errorf("starting virtual cards: %w", err)
	}
	return s, nil
}

func launch(cards []Config) (*Stack, error) {
	entries, err := layOut(cards)
	if err != nil {
		return nil, err
	}
	if err := lacking(); err != nil {
		return nil, unavailable("%w", err)
	}
	s, err := launchAs(true, cards, entries)
	if errors.Is(err, ErrUnavailable) && os.Getuid() == 0 {
		asRoot, rootError := launchAs(false, cards, entries)
		if rootError == nil {
			return asRoot, nil
		}
		err = errors.Join(err, rootError)
	}
	return s, err
}

func launchAs(user bool, cards []Config, entries []entry) (*Stack, error) {
	cmd, err := insideCommand(user)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pcsc-")
	if err != nil {
		return nil, err
	}
	s := &Stack{dir: dir, names: readerNames(entries), gone: make(chan struct{})}
	// A longer path does not fit into the address of a socket.
	if len(s.path(socketName)) > 107 {
		os.RemoveAll(dir)
		return nil, unavailable("the folder for temporary files, %q, has too long a name for a socket", os.TempDir())
	}
	cmd.Args = append(cmd.Args, dir)
	for _, card := range cards {
		cmd.Args = append(cmd.Args, card.String())
	}
	if err := s.run(cmd); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Stack) path(name string) string { return filepath.Join(s.dir, name) }

// run starts the process and waits for its word. Its standard input is a pipe
// of ours: when we are gone, however that came, it reads the end of it.
func (s *Stack) run(cmd *exec.Cmd) error {
	log, err := os.OpenFile(s.path(logName), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return unavailable("this system gives no namespaces of one's own: %w", err)
	}
	s.cmd, s.stdin = cmd, stdin
	word := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		word <- strings.TrimSpace(line)
		s.ended = cmd.Wait()
		close(s.gone)
	}()
	select {
	case line := <-word:
		if line != readyLine {
			return s.explain(line)
		}
	case <-time.After(patience):
		return s.explain("it did not say that it is ready")
	}
	s.Client, err = Dial(s.path(controlName))
	return err
}

// explain adds what was logged to the first words of a stack that failed.
func (s *Stack) explain(line string) error {
	if missing, isMissing := strings.CutPrefix(line, missingPrefix); isMissing {
		return unavailable("%s", missing)
	}
	return fmt.Errorf("%s\n%s", line, s.LogText())
}

const missingPrefix = "missing: "

// Socket is where this pcscd listens.
func (s *Stack) Socket() string { return s.path(socketName) }

// Control is the path for Dial, for other processes.
func (s *Stack) Control() string { return s.path(controlName) }

// Env is the variable that leads a PC/SC client to this pcscd. libpcsclite
// reads it once: it must be set before the process first uses PC/SC.
func (s *Stack) Env() string { return "PCSCLITE_CSOCK_NAME=" + s.Socket() }

// ReaderName is the name by which clients know the n-th reader.
func (s *Stack) ReaderName(n int) string { return s.names[n] }

// LogText is what pcscd and the cards have complained about last.
func (s *Stack) LogText() string {
	text, _ := os.ReadFile(s.path(logName))
	return string(text[max(0, len(text)-2000):])
}

// Stop ends pcscd and the cards, and leaves no file behind. It tells when they
// did not end in good order. Stopping twice is no error.
func (s *Stack) Stop() error {
	if s.Client != nil {
		s.Client.Close()
	}
	var err error
	if s.cmd != nil {
		err = s.end()
		s.cmd = nil
	}
	if err := errors.Join(err, os.RemoveAll(s.dir)); err != nil {
		return fmt.Errorf("stopping virtual cards: %w", err)
	}
	return nil
}

func (s *Stack) end() error {
	log := s.LogText()
	s.stdin.Close()
	select {
	case <-s.gone:
	case <-time.After(patience):
		s.cmd.Process.Kill()
		<-s.gone
	}
	if s.ended != nil {
		return fmt.Errorf("%w\n%s", s.ended, log)
	}
	return nil
}
