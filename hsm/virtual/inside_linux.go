package virtual

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The stack's process is the first of its own namespaces:
//
//   - user: it is root there, which needs no root outside.
//   - mounts: pcscd's fixed folder /run/pcscd is the stack's folder, whose
//     sockets are reached from outside; and no USB device can be seen, so that
//     no test ever speaks to a YubiKey that somebody has plugged in.
//   - network: vpcd listens on every address, on ports that all stacks share.
//   - processes: when the first of them ends, all others do.
const namespaces = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID

const (
	runDir    = "/run"
	pcscdDir  = runDir + "/pcscd"
	driverDir = runDir + "/drivers"
	confDir   = runDir + "/reader.conf.d"
)

// lacking says what the machine lacks for a stack, or nil.
func lacking() error {
	_, noDaemon := findPCSCD()
	_, noDriver := findDriver()
	return errors.Join(noDaemon, noDriver)
}

// insideCommand is this program again, in namespaces of its own. They come
// with a user namespace, or where that is forbidden, and we are root, without.
func insideCommand(asUser bool) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	// The race detector would sleep for a second at the end.
	race := strings.TrimSpace(os.Getenv("GORACE") + " atexit_sleep_ms=0")
	cmd.Env = append(os.Environ(), initVariable+"=1", "GORACE="+race)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true, // an interrupt is for us; the stack ends when we have
		Cloneflags: namespaces,
	}
	if asUser {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return cmd, nil
}

const hint = "scripts/packages piv installs it"

func findPCSCD() (string, error) {
	if path, err := exec.LookPath("pcscd"); err == nil {
		return path, nil
	}
	for _, path := range []string{"/usr/sbin/pcscd", "/usr/local/sbin/pcscd"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no pcscd; " + hint)
}

func findDriver() (string, error) {
	for _, pattern := range []string{"/usr/lib*", "/usr/lib/*", "/usr/local/lib*"} {
		paths, _ := filepath.Glob(pattern + "/pcsc/drivers/serial/libifdvpcd.so")
		if len(paths) > 0 {
			return paths[0], nil
		}
	}
	return "", errors.New("there is no driver of vpcd, libifdvpcd.so; " + hint)
}

// runInside is the stack's process, with the folder and the cards as its
// arguments. It ends when its standard input does, and takes the folder along.
func runInside(args []string) int {
	if len(args) == 0 {
		fmt.Println("no folder was given")
		return 2
	}
	dir := args[0]
	parent, err := os.OpenRoot(filepath.Dir(dir)) // before mounts hide it
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer parent.Close()
	defer parent.RemoveAll(filepath.Base(dir))
	signal.Ignore(syscall.SIGPIPE) // whoever started us may be gone before we answer
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	if err := serveInside(dir, args[1:], ended); err != nil {
		fmt.Println(strings.ReplaceAll(err.Error(), "\n", "; "))
		<-ended // the log stays until it has been read
		return 1
	}
	return 0
}

func serveInside(dir string, args []string, ended <-chan struct{}) error {
	var cards []Config
	for _, arg := range args {
		card, err := ParseConfig(arg)
		if err != nil {
			return err
		}
		cards = append(cards, card)
	}
	entries, err := layOut(cards)
	if err != nil {
		return err
	}
	if err := furnish(dir, entries); err != nil {
		return err
	}
	daemon, err := startPCSCD()
	if err != nil {
		return err
	}
	defer daemon.stop()
	watcher, err := newWatcher(daemon.gone)
	if err != nil {
		return err
	}
	readers := readersOf(entries, len(cards), watcher)
	if err := plugAll(readers, cards); err != nil {
		return err
	}
	listener, err := net.Listen("unix", filepath.Join(pcscdDir, controlName))
	if err != nil {
		return err
	}
	defer listener.Close()
	go serveControl(listener, readers)
	fmt.Println(readyLine)
	select {
	case <-ended:
		return nil
	case <-daemon.gone:
		return errors.New("pcscd has ended")
	}
}

func readersOf(entries []entry, n int, w *watcher) []*reader {
	readers := make([]*reader, n)
	at, names := ports(entries), readerNames(entries)
	for i := range readers {
		readers[i] = newReader(at[i])
		readers[i].watch = func(present bool) error { return w.wait(names[i], present) }
	}
	return readers
}

// furnish makes the namespaces what pcscd needs.
func furnish(dir string, entries []entry) error {
	if err := loopbackUp(); err != nil {
		return missing("bringing up the loopback interface of a network namespace", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return missing("making mounts private", err)
	}
	driver, err := findDriver()
	if err != nil {
		return err
	}
	code, err := os.ReadFile(driver)
	if err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := hide(runDir); err != nil {
		return err
	}
	for _, path := range []string{pcscdDir, driverDir, confDir} {
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", folder.Fd()), pcscdDir, "", unix.MS_BIND, ""); err != nil {
		return missing("mounting a folder onto "+pcscdDir, err)
	}
	// Without its drivers for USB, and without USB, pcscd sees no device.
	usbDrivers := filepath.Dir(filepath.Dir(driver))
	for _, path := range []string{usbDrivers, "/dev/bus/usb"} {
		if err := hide(path); err != nil {
			return err
		}
	}
	return writeConf(entries, code)
}

// hide mounts an empty folder over what is there, if anything is.
func hide(path string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return missing("hiding "+path, err)
	}
	return nil
}

// missing is for what a system's rules forbid us, as some containers and
// security modules do.
func missing(doing string, err error) error {
	return fmt.Errorf("%s%s: %w", missingPrefix, doing, err)
}

func writeConf(entries []entry, code []byte) error {
	copyOf := func(n int) string { return fmt.Sprintf("%s/%d.so", driverDir, n) }
	for n := range entries {
		if err := os.WriteFile(copyOf(n), code, 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(confDir+"/vpcd", []byte(readerConf(entries, copyOf)), 0o644)
}

func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}
