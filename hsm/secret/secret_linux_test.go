package secret

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the kernel says of the page: locked (lo), not dumped (dd), not
// inherited (dc).
func TestPageFlags(t *testing.T) {
	b := New(6)
	defer Free(b)
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	start := fmt.Sprintf("%x-", uintptr(unsafe.Pointer(&b[0])))
	_, rest, found := strings.Cut(string(text), "\n"+start)
	_, flags, ok := strings.Cut(rest, "VmFlags:")
	if !found || !ok {
		t.Fatalf("no page at %s", start)
	}
	flags, _, _ = strings.Cut(flags, "\n")
	want := []string{"dd", "dc"}
	if Weakness() == nil {
		want = append(want, "lo")
	}
	for _, flag := range want {
		if !strings.Contains(flags+" ", " "+flag+" ") {
			t.Errorf("the page's flags are %q, want %q among them", flags, flag)
		}
	}
}

// The limits of a program that begins with NoDumps, in a process of its own:
// they cannot be taken back.
func TestNoDumps(t *testing.T) {
	if os.Getenv("SECRET_TEST_NO_DUMPS") != "" {
		if err := NoDumps(); err != nil {
			t.Fatal(err)
		}
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
			t.Errorf("the limit of core dumps is %+v, %v", limit, err)
		}
		if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
			t.Errorf("dumpable is %d, %v", dumpable, err)
		}
		return
	}
	c := exec.Command(os.Args[0], "-test.run=^TestNoDumps$")
	c.Env = append(os.Environ(), "SECRET_TEST_NO_DUMPS=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
