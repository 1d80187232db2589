package main

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// go-tuf reads a file into its own structures, and everything else begins
// there. It has no review and no draft: what is measured is the least that a
// program on top of it would do.

type goTargets = metadata.Metadata[metadata.TargetsType]

func goRead(dir, name string) (*goTargets, error) {
	return metadata.Targets().FromFile(filepath.Join(dir, name))
}

func goParse(dir string) error {
	_, err := goRead(dir, oldFile)
	return err
}

func goSign(dir string) error {
	t, err := goRead(dir, nextFile)
	if err != nil {
		return err
	}
	signer, err := signature.LoadSigner(private[0], crypto.SHA256)
	if err != nil {
		return err
	}
	t.ClearSignatures()
	_, err = t.Sign(signer)
	return err
}

func goVerify(dir string) error {
	root, err := metadata.Root().FromFile(filepath.Join(dir, rootFile))
	if err != nil {
		return err
	}
	t, err := goRead(dir, nextFile)
	if err != nil {
		return err
	}
	return root.VerifyDelegate("targets", t)
}

func goDraft(dir string) error {
	list, err := readChanges(dir)
	if err != nil {
		return err
	}
	t, err := goRead(dir, oldFile)
	if err != nil {
		return err
	}
	t.Signed.Version++
	places := map[string]int{}
	if t.Signed.Delegations != nil {
		for i, role := range t.Signed.Delegations.Roles {
			places[role.Name] = i
		}
	}
	for _, c := range list {
		if c.Role != nil {
			err = goDelegate(t.Signed.Delegations, places, c)
		} else {
			err = goAdd(t, c)
		}
		if err != nil {
			return err
		}
	}
	t.ClearSignatures()
	return errors.Join(t.ToFile(filepath.Join(dir, "written"), false), remove(dir, "written"))
}

func goAdd(t *goTargets, c change) error {
	file := metadata.TargetFile()
	text, err := json.Marshal(object{"length": c.Length, "hashes": c.Hashes, "custom": c.Custom})
	if err != nil {
		return err
	}
	t.Signed.Targets[c.Path] = file
	return json.Unmarshal(text, file)
}

func goDelegate(d *metadata.Delegations, places map[string]int, c change) error {
	var key metadata.Key
	var role metadata.DelegatedRole
	for _, part := range []struct {
		from object
		to   any
	}{{c.Key, &key}, {c.Role, &role}} {
		text, err := json.Marshal(part.from)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, part.to); err != nil {
			return err
		}
	}
	d.Keys[c.KeyID] = &key
	if i, ok := places[role.Name]; ok {
		d.Roles[i] = role
	} else {
		d.Roles = append(d.Roles, role)
	}
	return nil
}

func goReview(dir string) error {
	old, err := goRead(dir, oldFile)
	if err != nil {
		return err
	}
	now, err := goRead(dir, nextFile)
	if err != nil {
		return err
	}
	changed := 0
	for name, file := range now.Signed.Targets {
		if before, ok := old.Signed.Targets[name]; !ok || !reflect.DeepEqual(before, file) {
			changed++
		}
	}
	for name := range old.Signed.Targets {
		if _, ok := now.Signed.Targets[name]; !ok {
			changed++
		}
	}
	if now.Signed.Delegations != nil {
		changed += goCompareRoles(old.Signed.Delegations, now.Signed.Delegations)
	}
	if changed == 0 {
		return fmt.Errorf("nothing differs")
	}
	return nil
}

func goCompareRoles(old, now *metadata.Delegations) (changed int) {
	roles := map[string]*metadata.DelegatedRole{}
	for i := range old.Roles {
		roles[old.Roles[i].Name] = &old.Roles[i]
	}
	for i := range now.Roles {
		role := &now.Roles[i]
		if before, ok := roles[role.Name]; !ok || !reflect.DeepEqual(before, role) {
			changed++
		}
	}
	for id, key := range now.Keys {
		if before, ok := old.Keys[id]; !ok || !reflect.DeepEqual(before.Value, key.Value) {
			changed++
		}
	}
	return changed
}
