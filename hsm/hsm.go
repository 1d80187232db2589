// Package hsm names what can sign: a token is one device, opened exclusively,
// that holds private keys and never gives them away.
//
// A driver (hsm/soft, hsm/pkcs11) opens a token from its URI. The caller
// reads Info and Keys, which need no PIN and change nothing, compares serial
// and public key with what it expects, and only then asks for a Signer:
//
//	token, err := pkcs11.Open(uri)
//	defer token.Close()
//	keys, err := token.Keys()
//	signer, err := token.Signer(keys[0], prompter) // the PIN is asked for here
//	sig, err := signer.Sign(rand.Reader, digest, crypto.SHA256)
//
// The package will not choose a device, retry a PIN, cache one, or write a
// log. It does not verify signatures: whoever asked for one must, since
// modules have been seen to return wrong ones without an error.
package hsm

import (
	"crypto"
	"errors"
	"fmt"
	"io"
)

// Unknown is the count of PIN tries of a device that does not tell.
const Unknown = -1

// Info says which device a token is. Fields that the device does not report
// are empty. Text comes from the device and is not to be trusted: it may
// contain control characters.
type Info struct {
	URI          string // as it was opened, without a PIN
	Driver       string // "soft", "pkcs11", "piv"
	Label        string
	Manufacturer string
	Model        string
	Serial       string
	Firmware     string
	FormFactor   string // "usb-c-keychain"; what hsm/attest calls them
	TriesLeft    int    // PIN tries left, or Unknown
	PINSource    string // path of the file that the URI names for the PIN, or empty
}

// Key is one key pair on a token, seen by its public half.
type Key struct {
	ID     string // the driver's name of the object: CKA_ID in hex, a slot such as "9c"
	Label  string
	Public crypto.PublicKey // *ecdsa.PublicKey; of hsm/piv and hsm/pkcs11 *rsa.PublicKey and ed25519.PublicKey as well
}

// Token is an exclusive session with one device. Methods are not safe for
// concurrent use.
type Token interface {
	// Info reads the device's state anew; the number of tries left is current.
	Info() (Info, error)

	// Keys lists the key pairs whose public half can be read without a PIN.
	Keys() ([]Key, error)

	// Signer logs in, asking prompter for the PIN exactly once, and returns a
	// signer for key. Sign takes a SHA-256 digest and returns an ASN.1 DER
	// ECDSA signature; a driver says which other keys and digests it takes. A
	// wrong PIN is a *PINError and ends the call: whoever wants another try
	// calls again, knowing what it costs. A token that is already logged in
	// does not ask. A key that wants its PIN for every signature has Sign ask
	// from the second signature on: the package keeps no PIN.
	Signer(key Key, prompter Prompter) (crypto.Signer, error)

	// Close logs out and frees the device.
	io.Closer
}

// Attester is a token that can prove where a key was made.
type Attester interface {
	Token
	// Attest returns DER certificates: the device's statement about the key
	// first, then the certificates between it and the maker's root. It needs
	// no PIN. A key that was imported has none: the error wraps
	// ErrUnsupported. hsm/attest verifies what comes back; nothing here does.
	Attest(key Key) ([][]byte, error)
}

// Destroyer is a token that can destroy a key that it holds.
type Destroyer interface {
	Token
	// Destroy destroys key for good. It asks prompter for the PIN exactly once, as
	// Signer does and at the same price, whatever the key's own policy is. A key
	// that the token does not hold is ErrNotFound, and nobody is asked. Stopped
	// half way it can be called again, if the key is still listed. The token is
	// good for nothing but Close afterwards: whether the key is gone is seen in a
	// new session. Where the driver says so, another key is in its place then.
	Destroy(key Key, prompter Prompter) error
}

// Seeker is a token that does not show all it has in Keys.
type Seeker interface {
	Token
	// Holds reports whether anything is left of key, by its ID or its public half,
	// whatever the token's URI narrows. It asks prompter for the PIN once, since
	// private halves are shown to nobody else; with none it looks at what is public.
	Holds(key Key, prompter Prompter) (bool, error)
}

// Prompter is how a driver speaks to the person at the device.
type Prompter interface {
	// PIN returns what the person typed. The driver wipes the slice after use,
	// and does not look at the token while it waits.
	PIN(PINRequest) ([]byte, error)
	// Touch tells the person that the device waits for a finger. It returns at
	// once; the driver calls answered when the wait is over, however it ended.
	// Where a device did not say that it would wait, Touch comes from another
	// goroutine while Sign waits.
	Touch(TouchRequest) (answered func())
}

// PINRequest says for which device a PIN is wanted, and what a mistake costs.
type PINRequest struct {
	Device    Info
	TriesLeft int // before this one is spent, or Unknown
}

// TouchRequest says which device waits and for how long.
type TouchRequest struct {
	Device  Info
	Seconds int // from now until the device gives up
}

// Errors that callers branch on. Drivers wrap them with %w and words that say
// which device and key were meant.
var (
	// ErrNotFound: no device, token or key of that description is present.
	ErrNotFound = errors.New("not found")
	// ErrRemoved: the device was pulled after it had been opened.
	ErrRemoved = errors.New("the device was removed")
	// ErrTouchMissed: the device waited for a touch that did not come. No
	// signature was made and no PIN try was spent.
	ErrTouchMissed = errors.New("the touch was missed")
	// ErrPINLocked: the PIN is blocked. Only the PUK or the SO PIN helps.
	ErrPINLocked = errors.New("the PIN is locked")
	// ErrNoAnswer: a call into the device's module took longer than it may. It
	// was given up, and whether it had an effect is not known.
	ErrNoAnswer = errors.New("the module did not answer")
	// ErrUntouched: a key was to be destroyed, and the device was not told to.
	ErrUntouched = errors.New("the key was not touched")
	// ErrUnsupported: device, module or this build cannot do it.
	ErrUnsupported = errors.New("not supported")
)

// ErrLastTry: one try is left, and the PIN would come from a file. A file that
// was wrong before is wrong again, and the last try is for a person to spend.
var ErrLastTry = errors.New("one PIN try is left, and it is not spent on a file")

// PINError is a PIN that the device refused.
type PINError struct {
	TriesLeft int // after this one was spent, or Unknown
}

func (e *PINError) Error() string {
	switch e.TriesLeft {
	case Unknown:
		return "wrong PIN; the device does not say how many tries are left"
	case 1:
		return "wrong PIN; 1 try left before the device locks"
	default:
		return fmt.Sprintf("wrong PIN; %d tries left before the device locks", e.TriesLeft)
	}
}
