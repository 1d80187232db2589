// Package sign turns an approval and a signer into detached signatures, each
// verified before anybody sees it.
//
//	files, err := sign.Sign(approval, payload, keyIDs, public, signer)
//
// A signature is a small file of its own: it names its key ID, the digest of
// the payload and the event that was approved, so it cannot be taken for one
// of another event. Signer is whatever can sign in the scheme of its public
// key (see tufmeta.Key.Sign); the package does not know devices.
//
// It will not sign without an Approval, which only a review makes, and it does
// not believe a device: a signature that the plan's public key does not verify
// is an error and never returned.
package sign

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

// ErrDeviceLies: the device returned, without an error, a signature that is not
// one. Modules have been seen to.
var ErrDeviceLies = errors.New("it was not kept")

// File is a signature file: signatures/13.root/KEYID.json. All but Version are
// text, digests and the signature in lower-case hex.
type File struct {
	Event   string `json:"event"`
	KeyID   string `json:"keyid"`
	Payload string `json:"payload"` // SHA-256 of the payload file
	Role    string `json:"role"`
	Sig     string `json:"sig"`
	Version int64  `json:"version"`
}

// Name is the file's path in the folder.
func (f File) Name() string {
	v := folder.Version{Role: f.Role, Version: f.Version}
	return folder.Signatures + "/" + v.String() + "/" + f.KeyID + ".json"
}

// Encode gives the file's bytes: one line of JSON, members in order.
func (f File) Encode() []byte {
	data, _ := json.Marshal(f) // strings and a number cannot fail
	return append(data, '\n')
}

// Parse reads a signature file strictly: what Encode writes, and nothing else.
func Parse(name string, data []byte) (File, error) {
	var f File
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return File{}, errors.New("it is not a signature file")
	}
	if !bytes.Equal(f.Encode(), data) {
		return File{}, errors.New("it is not written as a signature file is")
	}
	if f.Name() != name || !isHex(f.KeyID, 64) {
		return File{}, fmt.Errorf("it says it is %s", tufmeta.Printable(f.Name()))
	}
	if !isHex(f.Event, 64) || !isHex(f.Payload, 64) || !isHex(f.Sig, len(f.Sig)) {
		return File{}, errors.New("digests and signature are not all in lower-case hex")
	}
	return f, nil
}

func isHex(s string, digits int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == digits && s == strings.ToLower(s)
}

// Sign has a payload signed once and returns one file for each key ID under
// which the public key is listed: the same signature counts under both roots.
func Sign(approval review.Approval, payload folder.Version, keyIDs []string, public crypto.PublicKey, signer crypto.Signer) ([]File, error) {
	report, ok := approval.Report()
	if !ok {
		return nil, errors.New("signing: nobody has approved anything")
	}
	doc, ok := report.Document(payload)
	if !ok {
		return nil, fmt.Errorf("signing %s: it was not reviewed", payload)
	}
	fingerprint, err := tufmeta.Fingerprint(public)
	if err != nil {
		return nil, err
	}
	keys := listed(report.Demands, payload, keyIDs, fingerprint)
	if len(keys) == 0 {
		return nil, fmt.Errorf("signing %s: no root lists this key for it", payload)
	}
	for _, key := range keys {
		if !isHex(key.ID, 64) { // it is to be the name of a file
			return nil, fmt.Errorf("signing %s: the key ID \"%s\" is no SHA-256 in hex", payload, tufmeta.Printable(key.ID))
		}
	}
	sig, err := keys[0].Sign(rand.Reader, doc.Payload, signer) // one public key, so one scheme
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", payload, err)
	}
	var files []File
	for _, key := range keys {
		if err := key.Verify(doc.Payload, sig); err != nil {
			return nil, fmt.Errorf("checking what the device signed for %s: %w: %w: SIG-INVALID", payload, err, ErrDeviceLies)
		}
		files = append(files, File{report.Event.String(), key.ID, doc.Digest, payload.Role, hex.EncodeToString(sig), payload.Version})
	}
	return files, nil
}

// listed gives the keys with this fingerprint under which the old root or the
// new has the payload signed, one a key ID.
func listed(demands []quorum.Demand, payload folder.Version, keyIDs []string, fingerprint string) []*tufmeta.Key {
	var keys []*tufmeta.Key
	seen := map[string]bool{}
	for _, d := range demands {
		for _, id := range keyIDs {
			key := d.Keys[id]
			if d.Payload != payload || seen[id] || key == nil || key.Fingerprint() != fingerprint || !slices.Contains(d.Role.KeyIDs, id) {
				continue
			}
			keys, seen[id] = append(keys, key), true
		}
	}
	return keys
}
