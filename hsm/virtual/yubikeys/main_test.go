package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"tufceremony/hsm/virtual"
)

func TestMain(m *testing.M) {
	virtual.Init()
	os.Exit(m.Run())
}

// The command's exit status is passed on, and it finds both sockets.
func TestCommand(t *testing.T) {
	status, err := run([]string{"-card", "serial=7", "-card", "empty", "sh", "-c",
		`test -S "$PCSCLITE_CSOCK_NAME" && test -S "$CEREMONY_VIRTUAL_CONTROL" && exit 7`})
	if errors.Is(err, virtual.ErrUnavailable) {
		t.Skip(err)
	}
	if status != 7 || err != nil {
		t.Errorf("the status is %d, %v", status, err)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		words string
		args  []string
	}{
		{"has no port", []string{"-control", "x"}},
		{"-control is missing", []string{"-card", "port=35963"}},
		{"a command finds the path in its environment", []string{"-control", "x", "true"}},
	} {
		status, err := run(test.args)
		if err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%q: %d, %v", test.args, status, err)
		}
	}
	if status, err := run([]string{"-card", "serial=x", "true"}); status != 2 || err != nil {
		t.Errorf("a card that is none: %d, %v", status, err)
	}
}
