//go:build cgo

package pkcs11

// #include <stdlib.h>
// #include "trial_linux.h"
import "C"

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	p11 "github.com/miekg/pkcs11"
)

// try has a module loaded, initialised and finalised in a child process, so
// that one that is broken is an error here and a crash there. It must come
// before this process loads the module: a child of a process that has it finds
// it half initialised, and with some it is the parent that is broken then. A
// module that is here already, as another's library, is not tried.
//
// What the child is refused, this process would be refused as well, and it is
// spared the module and what such modules write to its terminal. Two answers are
// those of a module that does not like children, and are not believed.
func try(s source, limit time.Duration) error {
	path := C.CString(s.path)
	defer C.free(unsafe.Pointer(path))
	if C.module_loaded(path) != 0 {
		return nil
	}
	reserved := s.argument()
	defer C.free(reserved)
	var result C.struct_trial_result
	C.module_trial(path, (*C.char)(reserved), C.long(limit.Milliseconds()), &result)
	return judge(trial{
		stage: int(result.last.stage), problem: int(result.last.problem), value: uint(result.last.value),
		text: C.GoString(&result.last.text[0]), ending: int(result.ending), number: int(result.number),
	}, s, limit)
}

// trial is how far a module came in its child process.
type trial struct {
	stage, problem int
	value          uint
	text           string
	ending, number int
}

// doing says what the module was doing at each stage.
var doing = map[int]string{
	C.TRIAL_LOAD:       "while it was loaded",
	C.TRIAL_SYMBOL:     "while it was loaded",
	C.TRIAL_LIST:       "in C_GetFunctionList",
	C.TRIAL_INITIALIZE: "in C_Initialize",
	C.TRIAL_INFO:       "in C_GetInfo",
	C.TRIAL_FINALIZE:   "in C_Finalize",
	C.TRIAL_DONE:       "after C_Finalize",
}

func judge(t trial, s source, limit time.Duration) error {
	switch t.problem {
	case C.TRIAL_NO_LIBRARY:
		return fmt.Errorf("the system's loader refused it: it is no library, was built for another machine, "+
			"or lacks a library or symbol that it needs: %s", printable(t.text))
	case C.TRIAL_NO_SYMBOL:
		return errors.New("it is a library, and no PKCS#11 module: it has no C_GetFunctionList")
	case C.TRIAL_NULL_LIST:
		return errors.New("the module is broken: C_GetFunctionList gives no list of functions")
	case C.TRIAL_NULL_FUNCTION:
		return fmt.Errorf("the module is broken: its list of functions lacks one that is needed (number %d)", t.value)
	case C.TRIAL_REFUSED:
		if t.stage == C.TRIAL_LIST {
			return fmt.Errorf("C_GetFunctionList: %w", translate(p11.Error(t.value)))
		}
		if isCode(p11.Error(t.value), p11.CKR_CRYPTOKI_NOT_INITIALIZED, p11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
			return nil
		}
		return fmt.Errorf("initialising it: %w", translate(p11.Error(t.value)))
	}
	switch t.ending {
	case C.TRIAL_NO_CHILD:
		return fmt.Errorf("trying it in a process of its own: %w", syscall.Errno(t.number))
	case C.TRIAL_HUNG:
		return fmt.Errorf("trying it in a process of its own: %s: %w", doing[t.stage], noAnswer(limit))
	case C.TRIAL_KILLED:
		return fmt.Errorf("the module is broken: it crashed %s (%s), in a process of its own where it was tried",
			doing[t.stage], syscall.Signal(t.number))
	}
	if t.stage != C.TRIAL_DONE {
		return fmt.Errorf("the module is broken: it ended its process %s (exit status %d), one of its own where it was tried",
			doing[t.stage], t.number)
	}
	return nil
}
