package evidence

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
)

// Destruction is what is written down when a one-time key has been destroyed and
// a new session has not found it: destroyed/NAME.json. Of a YubiKey the key that
// took its place has signed Statement, and is attested beside it, which a
// stranger can check. Of all others it is the word of whoever wrote the file.
type Destruction struct {
	At          string `json:"at"`          // by the machine's clock
	Device      string `json:"device"`      // in the device's own words
	Driver      string `json:"driver"`      // "piv", "pkcs11", "soft"
	Event       string `json:"event"`       // the event ID
	Fingerprint string `json:"fingerprint"` // SHA-256 of the public key that was destroyed
	How         How    `json:"how"`
	ID          string `json:"id"`                  // slot, CKA_ID in hex, or what the driver calls the key
	Replaced    string `json:"replaced,omitempty"`  // SHA-256 of the public key in its place
	Says        string `json:"says"`                // Meaning of How
	Serial      string `json:"serial"`              // as the device reported it
	Signature   string `json:"signature,omitempty"` // by the key in its place, of Statement: ASN.1 DER in hex
	Token       string `json:"token"`
}

// How says what was done to the key.
type How string

// Overwritten: a YubiKey made another key in its slot. Deleted: a PKCS#11 module
// was told to destroy both halves. Erased: the file of a software token.
const (
	Overwritten How = "overwritten"
	Deleted     How = "deleted"
	Erased      How = "erased"
)

// Meaning is what each such file says of itself, to whoever opens it.
func (h How) Meaning() string {
	switch h {
	case Overwritten:
		return "The device made another key in the slot. That key signed this, and its attestation lies beside it."
	case Deleted:
		return "The PKCS#11 module said that both halves are gone, and showed neither in a new session. Nothing proves it."
	case Erased:
		return "The file of a software token was overwritten and removed. Nothing proves that there was no copy."
	}
	return ""
}

// drivers says which driver destroys keys how.
var drivers = map[How]string{Overwritten: "piv", Deleted: "pkcs11", Erased: "soft"}

// Done completes what was seen with how it came about.
func (d Destruction) Done(how How) Destruction {
	d.How, d.Says, d.Driver = how, how.Meaning(), drivers[how]
	return d
}

// DestructionFile is where it lies; AttestationFile beside it has what the
// device says of the key in the place of the one that was destroyed, and
// BegunFile that somebody was about to destroy it.
func DestructionFile(token string) string { return folder.Destroyed + "/" + token + ".json" }

// AttestationFile is the attestation beside a destruction.
func AttestationFile(token string) string {
	return folder.Destroyed + "/" + token + ".attestation.pem"
}

// BegunFile says that the destruction of a key was begun.
func BegunFile(token string) string { return folder.Destroyed + "/" + token + ".begun" }

// Statement is what the key in the place of the destroyed one signs. It names
// the event, which is younger than the destroyed key: so the key that signs it
// came into the slot after it. Metadata begins with a brace, and this does not.
func (d Destruction) Statement() []byte {
	return fmt.Appendf(nil, "ceremony: the one-time key %s of event %s was overwritten in slot %s of YubiKey %s", d.Fingerprint, d.Event, d.ID, d.Serial)
}

// Encode gives the file's bytes: JSON, members in order.
func (d Destruction) Encode() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return encode(d)
}

func encode(v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// ParseDestruction reads a file strictly: what Encode writes, and nothing else.
func ParseDestruction(data []byte) (Destruction, error) {
	var d Destruction
	if err := strictly(data, &d); err != nil {
		return Destruction{}, err
	}
	return d, d.check()
}

// strictly reads JSON that the program wrote itself.
func strictly[T any](data []byte, v *T) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if len(data) > maxClaims || d.Decode(v) != nil {
		return errors.New("it is not what `ceremony token destroy` writes")
	}
	again, err := encode(*v)
	if err == nil && !bytes.Equal(again, data) {
		err = errors.New("it is not written as `ceremony token destroy` writes it")
	}
	return err
}

func (d Destruction) check() error {
	switch {
	case d.How.Meaning() == "" || d.Says != d.How.Meaning() || d.Driver != drivers[d.How]:
		return errors.New("it does not say what was done, or not in the words for that")
	case !tufmeta.WellFormedTime(d.At):
		return errors.New("its time is not of the form 2027-01-31T09:00:00Z")
	case !digest(d.Event) || !digest(d.Fingerprint) || d.ID == "":
		return errors.New("event, fingerprint or ID are missing, or not in lower-case hex")
	case (d.How == Overwritten) != digest(d.Replaced) || d.How == Overwritten && !hexBytes(d.Signature):
		return errors.New("it does not say which key overwrote it, or has no signature by that key")
	case d.How != Overwritten && d.Replaced+d.Signature != "":
		return errors.New("it names a key in the place of one that nothing has replaced")
	}
	if slices.ContainsFunc([]string{d.Device, d.ID, d.Serial, d.Token}, func(s string) bool { return tufmeta.Unsafe(s) || len(s) > maxText }) {
		return errors.New("a text in it is too long, or has characters that a screen does not show")
	}
	return nil
}

func digest(s string) bool   { return hexDigits.MatchString(s) && len(s) == 64 }
func hexBytes(s string) bool { return hexDigits.MatchString(s) }

// SignedBy checks the signature by the key in the place of the destroyed one.
func (d Destruction) SignedBy(key crypto.PublicKey) error {
	public, ok := key.(*ecdsa.PublicKey)
	signature, err := hex.DecodeString(d.Signature)
	sum := sha256.Sum256(d.Statement())
	if !ok || err != nil || !ecdsa.VerifyASN1(public, sum[:], signature) {
		return errors.New("the key in its place did not sign that it is")
	}
	return nil
}

// Begun is what is written down before a key is destroyed, so that a run that
// was stopped after it can be told from one that never came so far.
type Begun struct {
	Device      string `json:"device"`
	Event       string `json:"event"`
	Fingerprint string `json:"fingerprint"`
	ID          string `json:"id"`
	Serial      string `json:"serial"`
	Token       string `json:"token"`
}

// Encode gives the file's bytes.
func (b Begun) Encode() ([]byte, error) { return encode(b) }

// ParseBegun reads the file strictly.
func ParseBegun(data []byte) (Begun, error) {
	var b Begun
	if err := strictly(data, &b); err != nil {
		return Begun{}, err
	}
	if !digest(b.Event) || !digest(b.Fingerprint) || tufmeta.Unsafe(b.Device+b.ID+b.Serial+b.Token) {
		return Begun{}, errors.New("it is not what `ceremony token destroy` writes")
	}
	return b, nil
}

// DestroyedToken gives the token that a file in destroyed/ is about.
func DestroyedToken(name string) (token string, ok bool) {
	base, ok := strings.CutPrefix(name, folder.Destroyed+"/")
	for _, suffix := range []string{".attestation.pem", ".json", ".begun"} {
		if token, found := strings.CutSuffix(base, suffix); ok && found {
			return token, true
		}
	}
	return "", false
}
