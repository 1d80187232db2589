//go:build !linux

package main

import (
	"os"

	"golang.org/x/term"

	"tufceremony/hsm/secret"
)

// readSecret reads a line that is not shown. It is collected on Go's heap, of
// which only the last copy can be wiped.
func readSecret(in *os.File) ([]byte, error) {
	typed, err := term.ReadPassword(int(in.Fd()))
	defer clear(typed)
	if err != nil {
		return nil, err
	}
	return secret.Copy(typed), nil
}
