package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11"
	"tufceremony/hsm/pkcs11/uri"
)

// givenMaker hands out PKCS#11 tokens that somebody has made for a rehearsal.
type givenMaker struct {
	r      *rehearsal
	tokens []given // not handed out yet
}

type given struct {
	uri  uri.URI
	pin  []byte
	info hsm.Info
}

// newGivenMaker reads URIs, one a line, each with the file of its PIN. A serial
// that tokens share, as all of one TPM do, tells none of them from another and
// is not written into the plan.
func newGivenMaker(r *rehearsal, file string) (*givenMaker, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the tokens of the rehearsal: %w", err)
	}
	m := &givenMaker{r: r}
	serials := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		g, err := newGiven(line)
		if err != nil {
			return nil, fmt.Errorf("reading the tokens of the rehearsal: %w", err)
		}
		serials[g.info.Serial]++
		m.tokens = append(m.tokens, g)
	}
	for i := range m.tokens {
		if info := &m.tokens[i].info; serials[info.Serial] > 1 {
			info.Serial = ""
		}
	}
	return m, nil
}

func newGiven(text string) (g given, err error) {
	if g.uri, err = uri.Parse(text); err != nil {
		return g, err
	}
	if g.uri.PINSource == "" {
		return g, errors.New("each URI must name the file of its PIN: pin-source=file:/absolute/path")
	}
	if g.pin, err = hsm.ReadPIN(g.uri.PINSource); err != nil {
		return g, err
	}
	g.uri.PINSource = "" // holders type it
	token, err := pkcs11.Open(g.uri.String())
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, token.Close()) }()
	g.info, err = token.Info()
	return g, err
}

func (m *givenMaker) policy() string { return "" }

// make generates a key, unless the URI names one that is there.
func (m *givenMaker) make(_, _, _ string) (stock, error) {
	if len(m.tokens) == 0 {
		return stock{}, hint(errors.New("no token is left"), "a rehearsal takes seven")
	}
	g := m.tokens[0]
	m.tokens = m.tokens[1:]
	key, err := m.key(g)
	if err != nil {
		return stock{}, err
	}
	if g.uri.Object == "" && g.uri.ID == nil {
		g.uri.Object = key.Label
	}
	g.uri.Serial = g.info.Serial
	// A TPM of software calls itself "SW   TPM", and a plan has no such gaps.
	model := strings.Join(strings.Fields(g.info.Model), " ")
	text, err := publicPEM(key.Public)
	return stock{uri: g.uri.String(), model: model, serial: g.info.Serial, pin: g.pin, pem: text}, err
}

// key gives the token's key, if the token was made for rehearsals.
func (m *givenMaker) key(g given) (hsm.Key, error) {
	if g.uri.Object == "" && g.uri.ID == nil {
		if !strings.HasPrefix(g.info.Label, rehearsalLabel) { // nothing is made on any other
			return hsm.Key{}, realOrRehearsed(true, false)
		}
		g.uri.Object = "tuf"
		return m.r.generate(g.uri, g.pin)
	}
	token, err := pkcs11.Open(g.uri.String())
	if err != nil {
		return hsm.Key{}, err
	}
	defer token.Close()
	keys, err := token.Keys()
	switch {
	case err != nil:
		return hsm.Key{}, err
	case len(keys) != 1:
		return hsm.Key{}, fmt.Errorf("%d keys of token %q fit its URI instead of one", len(keys), g.info.Label)
	}
	made, err := madeForRehearsals(token, g.info, keys[0], m.r.now)
	return keys[0], errors.Join(err, realOrRehearsed(true, made))
}
