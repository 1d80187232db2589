//go:build cgo

package pkcs11

import (
	"errors"

	"tufceremony/hsm"
	"tufceremony/hsm/pkcs11/uri"
)

// List says which initialised tokens a module shows. It opens none of them.
func List(modulePath string) ([]hsm.Info, error) {
	return list(&process, source{path: modulePath}, Options{})
}

// ListAt is List for the module that a URI names, with its x-init-reserved. The
// rest of the URI is not looked at.
func ListAt(text string, o Options) ([]hsm.Info, error) {
	u, err := uri.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.ModulePath == "" {
		return nil, errNoModule
	}
	return list(&process, source{u.ModulePath, u.InitReserved}, o)
}

func list(r *registry, s source, o Options) (_ []hsm.Info, err error) {
	m, err := r.acquire(s, o.limit())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.release(o.limit())) }()
	present, err := m.tokens(o.limit())
	if err != nil {
		return nil, err
	}
	infos := make([]hsm.Info, 0, len(present))
	for _, f := range present {
		u := uri.URI{Token: f.info.Label, Serial: f.info.SerialNumber, ModulePath: s.path, InitReserved: s.reserved}
		infos = append(infos, (&token{uri: u}).describe(f.info))
	}
	return infos, nil
}
