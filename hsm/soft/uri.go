package soft

import (
	"errors"
	"fmt"
	"strings"

	"tufceremony/hsm"
	"tufceremony/hsm/internal/pct"
)

const (
	scheme         = "soft:"
	sourceReserved = ":[]@!$'()*+,=/?" // may stand for themselves, as in RFC 7512
)

// ParseURI reads soft:NAME, or soft:NAME?pin-source=file:/absolute/path. The
// name is not a path, and there is nothing else that it could say. Errors do
// not repeat the query, which may hold a PIN that somebody put there.
func ParseURI(uri string) (name, pinSource string, err error) {
	rest, ok := strings.CutPrefix(uri, scheme)
	if !ok {
		return "", "", errors.New(`parsing soft token URI: it does not begin with "soft:"`)
	}
	name, query, hasQuery := strings.Cut(rest, "?")
	if err := checkName(name); err != nil {
		return "", "", fmt.Errorf("parsing soft token URI: %w", err)
	}
	if !hasQuery {
		return name, "", nil
	}
	pinSource, err = parseQuery(query)
	if err != nil {
		return "", "", fmt.Errorf("parsing soft token URI: %w", err)
	}
	return name, pinSource, nil
}

func parseQuery(query string) (pinSource string, err error) {
	if strings.HasPrefix(query, "pin-value=") {
		return "", errors.New("pin-value is refused: a PIN must not stand in a URI; " +
			"leave it out and be asked, or write pin-source=file:/absolute/path")
	}
	value, ok := strings.CutPrefix(query, "pin-source=")
	if !ok {
		return "", errors.New("the only attribute is pin-source")
	}
	decoded, err := pct.Decode(value, sourceReserved)
	if err != nil {
		return "", fmt.Errorf("pin-source: %w", err)
	}
	return hsm.PINSourcePath(string(decoded))
}

func formatURI(name, pinSource string) string {
	if pinSource == "" {
		return scheme + name
	}
	return scheme + name + "?pin-source=" + pct.Encode("file:"+pinSource, sourceReserved)
}
