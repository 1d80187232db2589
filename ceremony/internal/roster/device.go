package roster

import (
	"net/url"
	"strings"
)

// PIVScheme begins the URI of a key in the PIV application of a YubiKey,
// "piv:serial=14470876;slot=9c". What else it may say is for the driver to
// read, before anything is signed.
const PIVScheme = "piv"

// OnPIV reports whether the plan has the key in the PIV application of a
// YubiKey.
func (t *Token) OnPIV() bool {
	scheme, _, _ := strings.Cut(t.URI, ":")
	return scheme == PIVScheme
}

// Slot is the PIV slot that the URI names, as "9c"; empty where it names none.
func (t *Token) Slot() string { return strings.ToLower(t.attribute("slot")) }

// DeviceSerial is the serial of the device: the plan's own field, or else what
// its PIV URI says. Empty where neither does.
func (t *Token) DeviceSerial() string {
	if t.Serial != "" {
		return t.Serial
	}
	return t.URISerial()
}

// URISerial is the serial that a PIV URI names; empty where it names none.
func (t *Token) URISerial() string { return t.attribute("serial") }

func (t *Token) attribute(name string) string {
	if !t.OnPIV() {
		return ""
	}
	_, path, _ := strings.Cut(t.URI, ":")
	path, _, _ = strings.Cut(path, "?")
	for pair := range strings.SplitSeq(path, ";") {
		if key, value, ok := strings.Cut(pair, "="); ok && key == name {
			return value
		}
	}
	return ""
}

// ModuleArgument is what the URI has a PKCS#11 module initialised with; empty
// where it has nothing. It is read less strictly than by the driver: what is
// there is to be seen.
func (t *Token) ModuleArgument() string {
	_, query, _ := strings.Cut(t.URI, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if value, ok := strings.CutPrefix(pair, "x-init-reserved="); ok {
			if decoded, err := url.PathUnescape(value); err == nil {
				return decoded
			}
			return value
		}
	}
	return ""
}
