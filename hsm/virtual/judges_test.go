package virtual_test

import (
	"os"
	"os/exec"
	"testing"

	"tufceremony/hsm/virtual"
)

// tool is a program of others as a client of a stack, or a reason to skip.
func tool(t *testing.T, stack *virtual.Stack, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed; scripts/packages judges does that: %v", name, err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), stack.Env(), "LC_ALL=C.UTF-8")
	return cmd
}
