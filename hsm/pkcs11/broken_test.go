//go:build cgo && linux

package pkcs11_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/pkcs11test"
)

// patience is the limit of calls that hang, and enough that a busy machine does
// the others within it.
const (
	patience = 300 * time.Millisecond
	enough   = 20 * time.Second
)

// A module that is broken is an error in words, each time it is asked for, and
// this process goes on.
func TestBrokenModules(t *testing.T) {
	for _, c := range []struct {
		name string
		kind pkcs11test.Kind
		want string
	}{
		{"no module", pkcs11test.NoSymbol, "it is a library, and no PKCS#11 module: it has no C_GetFunctionList"},
		{"missing symbol", pkcs11test.MissingSymbol, "undefined symbol: no_library_has_this"},
		{"crash when loaded", pkcs11test.ConstructorCrash, "it crashed while it was loaded (segmentation fault)"},
		{"hangs when loaded", pkcs11test.ConstructorHang, "while it was loaded: the module did not answer within 300ms"},
		{"ends the process", pkcs11test.ConstructorExit, "it ended its process while it was loaded (exit status 7)"},
		{"crash in C_GetFunctionList", pkcs11test.ListCrash, "it crashed in C_GetFunctionList"},
		{"NULL list", pkcs11test.ListNull, "C_GetFunctionList gives no list of functions"},
		{"refused list", pkcs11test.ListRefused, "CKR_GENERAL_ERROR"},
		{"NULL functions", pkcs11test.ListEmpty, "its list of functions lacks one that is needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := pkcs11test.Broken(t, c.kind)
			for range 2 {
				hung, limit := c.kind == pkcs11test.ConstructorHang, enough
				if hung {
					limit = patience
				}
				start := time.Now()
				_, err := pkcs11.OpenWith("pkcs11:token=a?module-path="+path, pkcs11.Options{Timeout: limit})
				wantError(t, err, "loading PKCS#11 module", c.want)
				if took := time.Since(start); took > enough {
					t.Errorf("it took %v", took)
				}
				if errors.Is(err, hsm.ErrNoAnswer) != hung {
					t.Errorf("error is %v", err)
				}
			}
		})
	}
}

// What goes wrong in C_Initialize is found out in the child as well.
func TestTrialOfInitialize(t *testing.T) {
	for _, c := range []struct{ fault, want string }{
		{"C_Initialize crash", "it crashed in C_Initialize (segmentation fault)"},
		{"C_Initialize hang", "in C_Initialize: the module did not answer"},
		{"C_Initialize exit", "it ended its process in C_Initialize (exit status 3)"},
		{"C_GetInfo crash", "it crashed in C_GetInfo"},
		{"C_Finalize crash", "it crashed in C_Finalize"},
		{"C_Finalize hang", "in C_Finalize: the module did not answer"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			fake := pkcs11test.Proxy(t)
			fake.Faults(t, c.fault)
			err := tried(fake.Path, c.want)
			wantError(t, err, c.want)
			if calls := fake.Calls(); len(calls) != 0 {
				t.Errorf("this process has called %v", calls)
			}
			// Nothing is held against it: the next one may find it well.
			fake.Faults(t)
			_, err = pkcs11.List(fake.Path)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// tried is what the trial says. One limit covers all stages, and on a busy
// machine it may be over before the one that hangs: then it is given longer.
func tried(path, want string) (err error) {
	for limit := patience; limit < enough; limit *= 2 {
		_, err = pkcs11.OpenWith("pkcs11:token=a?module-path="+path, pkcs11.Options{Timeout: limit})
		if !errors.Is(err, hsm.ErrNoAnswer) || strings.Contains(err.Error(), want) {
			break
		}
	}
	return err
}

// A module that will not be initialised is not loaded here. One that refuses a
// child because it is one is.
func TestTrialRefused(t *testing.T) {
	fake := pkcs11test.Proxy(t)
	fake.Faults(t, "C_Initialize rv 0x30")
	_, err := pkcs11.List(fake.Path)
	wantError(t, err, "initialising it", "CKR_DEVICE_ERROR")
	if calls := fake.Calls(); len(calls) != 0 {
		t.Errorf("this process has called %v", calls)
	}
	for _, code := range []string{"0x190", "0x191"} {
		fake = pkcs11test.Proxy(t)
		fake.Faults(t, fmt.Sprintf("C_Initialize elsewhere %d %s", os.Getpid(), code))
		if _, err := pkcs11.List(fake.Path); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// The trial is once a process and comes first: a child of a process that has
// the module would find it half initialised.
func TestTriedOnceAndFirst(t *testing.T) {
	fake := pkcs11test.Proxy(t)
	for range 2 {
		if _, err := pkcs11.List(fake.Path); err != nil {
			t.Fatal(err)
		}
	}
	all, own := fake.AllCalls(), fake.Calls()
	want := []string{"C_Initialize", "C_GetInfo", "C_Finalize"}
	if len(all) != len(own)+len(want) || fmt.Sprint(all[:3]) != fmt.Sprint(want) {
		t.Errorf("called in all %v, here %v", all, own)
	}
}

// No child is left behind, and no descriptor.
func TestTrialLeavesNothing(t *testing.T) {
	count := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	before := count()
	for _, kind := range []pkcs11test.Kind{pkcs11test.ConstructorHang, pkcs11test.ConstructorCrash, pkcs11test.ListNull} {
		path := pkcs11test.Broken(t, kind)
		if _, err := pkcs11.OpenWith("pkcs11:token=a?module-path="+path, pkcs11.Options{Timeout: patience}); err == nil {
			t.Error("it was opened")
		}
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors became %d", before, after)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	if err == nil && len(children) > 0 {
		t.Errorf("children are left: %s", children)
	}
}

// The argument is given where there is one, to the child as to the parent, and
// nowhere else: openCryptoki answers CKR_ARGUMENTS_BAD.
func TestReservedArgument(t *testing.T) {
	const argument = "configdir='sql:/srv/a b' flags="
	const encoded = "x-init-reserved=configdir='sql:/srv/a%20b'%20flags="
	fake := pkcs11test.Proxy(t)
	fake.Faults(t, "C_Initialize reserved "+argument)
	at := "pkcs11:?module-path=" + fake.Path
	_, err := pkcs11.List(fake.Path)
	wantError(t, err, "CKR_ARGUMENTS_BAD")
	_, err = pkcs11.ListAt(at+"&x-init-reserved=other", pkcs11.Options{})
	wantError(t, err, "CKR_ARGUMENTS_BAD")
	if _, err := pkcs11.ListAt(at+"&"+encoded, pkcs11.Options{}); err != nil {
		t.Error(err)
	}
	fake = pkcs11test.Proxy(t)
	_, err = pkcs11.ListAt("pkcs11:?module-path="+fake.Path+"&"+encoded, pkcs11.Options{})
	wantError(t, err, "CKR_ARGUMENTS_BAD")
}

func TestOneArgumentAtATime(t *testing.T) {
	fake := pkcs11test.Proxy(t)
	createTokenAt(t, fake.Path, "holder-1")
	token := openToken(t, "pkcs11:token=holder-1?module-path="+fake.Path)
	_, err := pkcs11.ListAt("pkcs11:?x-init-reserved=a&module-path="+fake.Path, pkcs11.Options{})
	wantError(t, err, "this process uses it already, with another x-init-reserved")
	token.Close()
	fake.Faults(t, "C_Initialize reserved a")
	infos, err := pkcs11.ListAt("pkcs11:?x-init-reserved=a&module-path="+fake.Path, pkcs11.Options{})
	if err != nil || len(infos) != 1 {
		t.Fatalf("%v, %v", infos, err)
	}
	openToken(t, infos[0].URI).Close() // which carries the argument
}
