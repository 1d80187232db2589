package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/tufmeta"
)

// Claims is what a PKCS#11 module answered about a private key when it was
// provisioned: keys/NAME.attributes.json. Nobody has signed it. Whoever could
// write the folder has written what they liked, and modules have been seen to
// answer wrongly. It is shown and never judged, but for this: it must be about
// the key beside which it lies.
type Claims struct {
	Attributes  map[string]string `json:"attributes"`  // "CKA_LOCAL": "true", "false", "absent", "secret" or "0x02"
	Fingerprint string            `json:"fingerprint"` // SHA-256 of the public key
	ID          string            `json:"id"`          // CKA_ID, in hex
	Label       string            `json:"label"`       // CKA_LABEL
	Module      ClaimedModule     `json:"module"`
	Says        string            `json:"says"` // NoAttestation
	Token       ClaimedToken      `json:"token"`
}

// ClaimedModule is what the module said of itself, and how its file is called.
type ClaimedModule struct {
	Description  string `json:"description"`
	File         string `json:"file"`
	Manufacturer string `json:"manufacturer"`
	Version      string `json:"version"`
}

// ClaimedToken is what the module said of the token.
type ClaimedToken struct {
	Firmware     string `json:"firmware"`
	Label        string `json:"label"`
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	Serial       string `json:"serial"`
}

// NoAttestation is what each such file says of itself, to whoever opens it.
const NoAttestation = "This is what the PKCS#11 module said. It is no attestation: nothing proves it."

// ClaimsFile is where the claims about a key lie: beside it.
func ClaimsFile(keyFile string) string {
	return strings.TrimSuffix(keyFile, ".pem") + ".attributes.json"
}

// made are the attributes that tell where a key comes from, as people say them.
var made = [][2]string{
	{"CKA_LOCAL", "made in the token"}, {"CKA_NEVER_EXTRACTABLE", "never extractable"}, {"CKA_ALWAYS_SENSITIVE", "always sensitive"},
}

// maxClaims bounds a file, maxText a text in it.
const maxClaims, maxText = 16 << 10, 256

var (
	attributeName  = regexp.MustCompile(`^CKA_[A-Z_]{1,40}$`)
	attributeValue = regexp.MustCompile(`^(true|false|absent|secret|0x([0-9a-f]{2}){1,8})$`)
	hexDigits      = regexp.MustCompile(`^([0-9a-f]{2}){1,255}$`)
)

// Encode gives the file's bytes: JSON, members in order.
func (c Claims) Encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(c); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// ParseClaims reads a file strictly: what Encode writes, and nothing else.
func ParseClaims(data []byte) (Claims, error) {
	var c Claims
	if len(data) > maxClaims {
		return Claims{}, fmt.Errorf("it has more than %d bytes", maxClaims)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if d.Decode(&c) != nil {
		return Claims{}, errors.New("it is no list of attributes as `ceremony token provision` writes it")
	}
	again, err := c.Encode()
	switch {
	case err != nil:
		return Claims{}, err
	case !bytes.Equal(again, data):
		return Claims{}, errors.New("it is not written as `ceremony token provision` writes it")
	}
	return c, nil
}

func (c Claims) check() error {
	if c.Says != NoAttestation {
		return errors.New("it does not say that it is no attestation")
	}
	for _, m := range made {
		if c.Attributes[m[0]] == "" {
			return fmt.Errorf("it says nothing of %s", m[0])
		}
	}
	for name, value := range c.Attributes {
		if !attributeName.MatchString(name) || !attributeValue.MatchString(value) {
			return errors.New("an attribute in it is none that can be read")
		}
	}
	if !hexDigits.MatchString(c.ID) || !hexDigits.MatchString(c.Fingerprint) || len(c.Fingerprint) != 64 {
		return errors.New("ID and fingerprint are not in lower-case hex")
	}
	for _, text := range []string{c.Label, c.Module.Description, c.Module.File, c.Module.Manufacturer, c.Module.Version,
		c.Token.Firmware, c.Token.Label, c.Token.Manufacturer, c.Token.Model, c.Token.Serial} {
		if tufmeta.Unsafe(text) || len(text) > maxText {
			return errors.New("a text in it is too long, or has characters that a screen does not show")
		}
	}
	return nil
}

// Words says in one line what the module said of where the key comes from, and
// that it proves nothing. An attribute that the module does not have is not one
// that it has called false.
func (c Claims) Words() string {
	var said []string
	for _, m := range made {
		said = append(said, m[1]+" "+answer(c.Attributes[m[0]]))
	}
	return strings.Join(said, ", ")
}

func answer(value string) string {
	switch value {
	case "true":
		return "yes"
	case "false":
		return "no"
	case "absent", "secret":
		return "not told"
	}
	return "an odd " + value
}

// Doubtful says that the module called one of them false: which is worth a
// question, and no verdict, since there are modules that always do.
func (c Claims) Doubtful() bool {
	return slices.ContainsFunc(made, func(m [2]string) bool { return c.Attributes[m[0]] == "false" })
}

// Names lists the attributes, those first that tell where the key comes from.
func (c Claims) Names() []string {
	var names []string
	for _, m := range made {
		names = append(names, m[0])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// claims reads what was written down of a token's key. It can only take away: a
// file about another key, or one that says more than was asked, is refused.
func (j *judge) claims(t *roster.Token) *Claims {
	name := ClaimsFile(t.KeyFile)
	data, there := j.files[name]
	if !there {
		return nil
	}
	c, err := ParseClaims(data)
	switch {
	case err != nil:
		j.say("ATTEST-EVIDENCE", t.Name, "%s: %v", name, err)
		return nil
	case t.Key == nil || t.Key.Fingerprint() != c.Fingerprint:
		j.say("ATTEST-BOUND", t.Name, "%s is about the key with SHA-256 %s, and %s is another", name, roster.Short(c.Fingerprint), t.KeyFile)
		return nil
	}
	return &c
}
