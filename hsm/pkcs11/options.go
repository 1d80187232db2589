package pkcs11

import "time"

// How long a call into a module may take. The default is longer than a person
// needs for a touch or a code at the device, and than a network HSM takes to
// turn to another of its machines.
const (
	MinTimeout     = 5 * time.Second
	DefaultTimeout = 60 * time.Second
	MaxTimeout     = 10 * time.Minute
)

// finalizing is how long FinalizeAll takes at most.
const finalizing = 5 * time.Second

// Options are what a plan says of modules. The zero value is the default.
type Options struct {
	// Timeout is how long one call into the module may take; 0 is
	// DefaultTimeout. A call that makes a key may take ten times as long. A
	// module that does not answer in time is given up: the call comes back with
	// an error that wraps hsm.ErrNoAnswer, and nothing is asked of that module
	// any more in this process.
	Timeout time.Duration
}

func (o Options) limit() time.Duration {
	if o.Timeout <= 0 {
		return DefaultTimeout
	}
	return o.Timeout
}
