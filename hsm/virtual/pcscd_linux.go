package virtual

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// daemon is a running pcscd.
type daemon struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended
}

func startPCSCD() (*daemon, error) {
	program, err := findPCSCD()
	if err != nil {
		return nil, err
	}
	args := []string{"--foreground", "--error", "--config", confDir}
	// Newer ones ask polkit who may use a card, over a bus that is not here.
	if help, _ := exec.Command(program, "--help").CombinedOutput(); strings.Contains(string(help), "--disable-polkit") {
		args = append(args, "--disable-polkit")
	}
	d := &daemon{cmd: exec.Command(program, args...), gone: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = os.Stderr, os.Stderr
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting pcscd: %w", err)
	}
	go func() {
		d.cmd.Wait()
		close(d.gone)
	}()
	return d, nil
}

// answers waits until clients can connect.
func (d *daemon) answers() error {
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("unix", filepath.Join(pcscdDir, socketName))
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waiting for pcscd: %w", err)
		}
		select {
		case <-d.gone:
			return errors.New("pcscd has ended at once")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (d *daemon) stop() {
	d.cmd.Process.Kill()
	<-d.gone
}
