//go:build cgo

package pkcs11

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/internal/pct"
)

// maxObjects bounds a search: a module that never ends its list does not hang
// a ceremony.
const maxObjects = 4096

// Keys implements hsm.Token. A key is listed if its public half can be read
// without a PIN, is on P-256, P-384 or Ed25519 or an RSA key of 2048 bits or
// more, has a CKA_ID that pairs it with its private half, and fits the URI's
// object and id. Labels pair nothing: they are not unique, and where the URI has
// nothing else and two keys fit, that is an error.
func (t *token) Keys() ([]hsm.Key, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.alive(); err != nil {
		return nil, err
	}
	keys, err := t.keys()
	if err == nil && len(keys) == 0 && t.removable() && t.gone() {
		err = t.fail(hsm.ErrRemoved)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the keys of token %q: %w", t.name(), err)
	}
	return keys, nil
}

func (t *token) keys() ([]hsm.Key, error) {
	template := []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PUBLIC_KEY)}
	if t.uri.Object != "" {
		template = append(template, p11.NewAttribute(p11.CKA_LABEL, t.uri.Object))
	}
	if len(t.uri.ID) > 0 {
		template = append(template, p11.NewAttribute(p11.CKA_ID, t.uri.ID))
	}
	keys, err := within(t, t.limit, func(c cryptoki, s p11.SessionHandle) ([]hsm.Key, error) {
		return readKeys(c, s, template)
	})
	if err != nil {
		return nil, err
	}
	// A module may find more than it was asked for.
	keys = slices.DeleteFunc(keys, func(k hsm.Key) bool {
		return t.uri.Object != "" && k.Label != trim(t.uri.Object) || len(t.uri.ID) > 0 && k.ID != hex.EncodeToString(t.uri.ID)
	})
	slices.SortStableFunc(keys, func(a, b hsm.Key) int { return cmp.Compare(a.ID, b.ID) })
	if t.uri.Object != "" && len(t.uri.ID) == 0 && len(keys) > 1 {
		return nil, fmt.Errorf("%d keys are labelled %q, with IDs %s: add id=… to the URI", len(keys), t.uri.Object, ids(keys))
	}
	return keys, nil
}

func readKeys(c cryptoki, s p11.SessionHandle, template []*p11.Attribute) (keys []hsm.Key, err error) {
	objects, err := search(c, s, template)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		key, ok, err := readKey(c, s, object)
		if err != nil {
			return nil, err
		}
		if ok && !slices.ContainsFunc(keys, func(k hsm.Key) bool { return sameKey(k, key) }) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// ids lists IDs as they are written into a URI.
func ids(keys []hsm.Key) string {
	var all []string
	for _, k := range keys {
		id, _ := hex.DecodeString(k.ID)
		all = append(all, pct.EncodeAll(id))
	}
	return strings.Join(all, ", ")
}

// search returns the handles of all objects that fit.
func search(c cryptoki, s p11.SessionHandle, template []*p11.Attribute) (all []p11.ObjectHandle, err error) {
	if err := c.FindObjectsInit(s, template); err != nil {
		return nil, err
	}
	defer func() {
		if final := c.FindObjectsFinal(s); err == nil {
			err = final
		}
	}()
	for {
		some, _, err := c.FindObjects(s, 64)
		if err != nil || len(some) == 0 {
			return all, err
		}
		if all = append(all, some...); len(all) > maxObjects {
			return nil, fmt.Errorf("the module lists more than %d objects", maxObjects)
		}
	}
}

// readKey reads one public key; ok is false if it is not of a kind that the
// driver signs with.
func readKey(c cryptoki, s p11.SessionHandle, object p11.ObjectHandle) (key hsm.Key, ok bool, err error) {
	values := make(map[uint][]byte)
	for _, attribute := range append([]uint{p11.CKA_ID, p11.CKA_LABEL}, publicAttributes...) {
		if values[attribute], err = read(c, s, object, attribute); err != nil {
			return hsm.Key{}, false, err
		}
	}
	public, ok := decodePublic(values)
	if !ok || len(values[p11.CKA_ID]) == 0 {
		return hsm.Key{}, false, nil
	}
	return hsm.Key{
		ID:     hex.EncodeToString(values[p11.CKA_ID]),
		Label:  trim(string(values[p11.CKA_LABEL])),
		Public: public,
	}, true, nil
}

// read reads one attribute; an object that lacks it gives nil. They are asked
// for one by one, since one that is missing spoils the answer for all.
func read(c cryptoki, s p11.SessionHandle, object p11.ObjectHandle, attribute uint) ([]byte, error) {
	values, err := c.GetAttributeValue(s, object, []*p11.Attribute{p11.NewAttribute(attribute, nil)})
	if isCode(err, p11.CKR_ATTRIBUTE_TYPE_INVALID, p11.CKR_ATTRIBUTE_SENSITIVE) {
		return nil, nil
	}
	if err != nil || len(values) != 1 {
		return nil, err
	}
	return values[0].Value, nil
}

// sameKey compares what identifies a key: the label does not.
func sameKey(a, b hsm.Key) bool {
	return a.ID == b.ID && samePublic(a.Public, b.Public)
}
