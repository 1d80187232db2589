//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detach starts a program without a terminal: what it would ask there it then
// reads from its standard input.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
