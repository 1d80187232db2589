package virtual

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
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

func (d *daemon) stop() {
	d.cmd.Process.Kill()
	<-d.gone
}
