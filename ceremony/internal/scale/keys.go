package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"tufceremony/ceremony/internal/tufmeta"
)

// The role is signed by all five holders, of whom three must.
const (
	holders   = 5
	threshold = 3
)

func holder(i int) string { return fmt.Sprintf("holder-%d", i+1) }

// privateKey makes a P-256 key that everybody can make.
func privateKey(seed string) (*ecdsa.PrivateKey, error) {
	raw := sha256.Sum256([]byte("scale " + seed))
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), raw[:])
}

func keysOfHolders() []*ecdsa.PrivateKey {
	keys := make([]*ecdsa.PrivateKey, holders)
	for i := range keys {
		var err error
		if keys[i], err = privateKey(holder(i)); err != nil {
			panic(err) // the seeds are fixed, and good
		}
	}
	return keys
}

func publicKey(seed string) (*tufmeta.Key, error) {
	private, err := privateKey(seed)
	if err != nil {
		return nil, err
	}
	return tufmeta.NewKey(private.Public())
}

// sign gives the holders' signatures over a digest, always the same.
func sign(digest string) ([]tufmeta.Signature, error) {
	sum, err := hex.DecodeString(digest)
	if err != nil {
		return nil, err
	}
	var signatures []tufmeta.Signature
	for i := range holders {
		private, err := privateKey(holder(i))
		if err != nil {
			return nil, err
		}
		key, err := tufmeta.NewKey(private.Public())
		if err != nil {
			return nil, err
		}
		sig, err := private.Sign(nil, sum, crypto.SHA256) // without random numbers: RFC 6979
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, tufmeta.Signature{KeyID: key.ID, Sig: hex.EncodeToString(sig)})
	}
	return signatures, nil
}

func privatePEM(private *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func publicPEM(private *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

// root makes the root that everything is signed under.
func root() ([]byte, error) {
	keys, ids := object{}, []any{}
	for i := range holders {
		key, err := publicKey(holder(i))
		if err != nil {
			return nil, err
		}
		keys[key.ID], ids = key.Object, append(ids, key.ID)
	}
	online, err := publicKey("online")
	if err != nil {
		return nil, err
	}
	keys[online.ID] = online.Object
	offline := object{"keyids": ids, "threshold": int64(threshold)}
	machine := object{"keyids": []any{online.ID}, "threshold": int64(1)}
	signed, err := tufmeta.Encode(object{
		"_type": "root", "consistent_snapshot": true, "expires": far, "keys": keys, "spec_version": "1.0.34", "version": int64(1),
		"roles":                object{"root": offline, "targets": offline, "snapshot": machine, "timestamp": machine},
		tufmeta.RehearsalField: true,
	})
	return signed, err
}

// approval gives the words that a holder types, from the first line of the
// record.
func approval(chain []byte) (string, error) {
	var line struct{ Event string }
	if err := json.NewDecoder(bytes.NewReader(chain)).Decode(&line); err != nil {
		return "", err
	}
	words := strings.Fields(tufmeta.DigestWords(line.Event))
	if len(words) < 4 {
		return "", errors.New("measuring: the record names no event")
	}
	return strings.Join(words[:4], " "), nil
}
