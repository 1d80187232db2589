//go:build !linux

package virtual

import (
	"errors"
	"os/exec"
)

var errLinux = errors.New("stacks are made of Linux namespaces")

func lacking() error { return errLinux }

func insideCommand(bool) (*exec.Cmd, error) { return nil, errLinux }

func runInside([]string) int { return 1 }
