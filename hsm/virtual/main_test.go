package virtual_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"tufceremony/hsm/virtual"
)

// In a process with this variable a stack is started and never stopped.
const abandonVariable = "TEST_ABANDON_STACK"

func TestMain(m *testing.M) {
	virtual.Init()
	if os.Getenv(abandonVariable) != "" {
		stack, err := virtual.Start(virtual.Config{})
		fmt.Println(stack.Socket(), err)
		select {}
	}
	status := m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// start gives the test a stack of its own, or skips it.
func start(t *testing.T, cards ...virtual.Config) *virtual.Stack {
	t.Helper()
	stack, err := virtual.Start(cards...)
	if errors.Is(err, virtual.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Stop(); err != nil {
			t.Error(err)
		}
	})
	return stack
}
