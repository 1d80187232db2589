package attest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"strconv"
	"strings"
)

// maxName is the longest text from a certificate that is shown, in bytes. It
// may be an attacker's, and the screen is small.
const maxName = 160

// name is the subject as it may be shown.
func name(c *x509.Certificate) string { return shown(c.Subject) }

// shown is the common name, or the whole name where there is none.
func shown(n pkix.Name) string {
	if n.CommonName != "" {
		return clean(n.CommonName)
	}
	return clean(n.String())
}

// clean writes whatever is not printable ASCII as \x1b, \u0430 and so on: what
// a terminal would act upon, what hides or reorders text, and letters of other
// scripts that look like Latin ones.
func clean(s string) string {
	quoted := strconv.QuoteToASCII(s)
	s = quoted[1 : len(quoted)-1]
	s = strings.ReplaceAll(s, `\"`, `"`)
	if len(s) > maxName {
		return s[:maxName] + "..."
	}
	return s
}
