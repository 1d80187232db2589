package sign_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/tufmeta"
)

var root2 = folder.Version{Role: "root", Version: 2}

func TestSign(t *testing.T) {
	approval, report := approved(t)
	key := ceremonytest.Key(t, "holder-1")
	files, err := sign.Sign(approval, root2, []string{id(t, "holder-1")}, key.Public(), ceremonytest.Signer{Signer: key})
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	f, doc := files[0], report.Documents[0]
	if f.Event != report.Event.String() || f.KeyID != id(t, "holder-1") || f.Payload != doc.Digest || f.Role != "root" || f.Version != 2 {
		t.Errorf("signed %+v", f)
	}
	sig, err := hex.DecodeString(f.Sig)
	if err != nil || ceremonytest.Object(t, "holder-1").Verify(doc.Payload, sig) != nil {
		t.Errorf("the signature is not good (%v)", err)
	}
	if again, err := sign.Parse(f.Name(), f.Encode()); err != nil || again != f || f.Name() != "signatures/2.root/"+f.KeyID+".json" {
		t.Errorf("read back as %+v, %v", again, err)
	}
}

// A key that the old root lists under one ID and the new under another signs
// once, and has a file for each.
func TestSignUnderBothKeyIDs(t *testing.T) {
	approval, report := approved(t)
	key := ceremonytest.Object(t, "holder-1")
	copied := map[string]any{"x-other": "value"}
	for name, v := range key.Object {
		copied[name] = v
	}
	other, err := tufmeta.WithID(copied)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range report.Demands { // as if the old root had it so
		if d.Old {
			d.Keys[other.ID] = other
			d.Role.KeyIDs = append(d.Role.KeyIDs, other.ID)
		}
	}
	signer := &counter{Signer: ceremonytest.Signer{Signer: ceremonytest.Key(t, "holder-1")}}
	files, err := sign.Sign(approval, root2, []string{key.ID, other.ID, key.ID}, signer.Public(), signer)
	if err != nil || len(files) != 2 || files[0].KeyID == files[1].KeyID || files[0].Sig != files[1].Sig || signer.times != 1 {
		t.Errorf("%d files after %d signatures, %v", len(files), signer.times, err)
	}
}

type counter struct {
	crypto.Signer
	times int
}

func (c *counter) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	c.times++
	return c.Signer.Sign(random, digest, opts)
}

// device signs as told.
type device struct {
	crypto.Signer
	sign func(digest []byte) ([]byte, error)
}

func (d device) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return d.sign(digest)
}

var errTouch = errors.New("nobody touched it")

func TestSignRefuses(t *testing.T) {
	approval, report := approved(t)
	own, stranger := ceremonytest.Key(t, "holder-1"), ceremonytest.Key(t, "stranger")
	good := ceremonytest.Signer{Signer: own}
	ids := []string{id(t, "holder-1")}
	never := device{good, func([]byte) ([]byte, error) { t.Error("the device was asked to sign"); return nil, nil }}
	for _, row := range []struct {
		name     string
		approval review.Approval
		payload  folder.Version
		ids      []string
		public   crypto.PublicKey
		signer   crypto.Signer
		want     string
	}{
		{"no approval", review.Approval{}, root2, ids, own.Public(), never, "nobody has approved anything"},
		{"a payload that was not reviewed", approval, folder.Version{Role: "root", Version: 3}, ids, own.Public(), never, "signing 3.root: it was not reviewed"},
		{"a stranger's key", approval, root2, []string{id(t, "stranger")}, stranger.Public(), never, "no root lists this key for it"},
		{"a stranger's key under a holder's key ID", approval, root2, ids, stranger.Public(), never, "no root lists this key for it"},
		{"a key of another role", approval, root2, []string{id(t, "online")}, ceremonytest.Key(t, "online").Public(), never, "no root lists this key for it"},
		{"no key ID", approval, root2, nil, own.Public(), never, "no root lists this key for it"},
		{"a device with another key", approval, root2, ids, own.Public(), ceremonytest.Signer{Signer: stranger}, "checking what the device signed for 2.root"},
		{"a device that signs something else", approval, root2, ids, own.Public(), device{good, func(d []byte) ([]byte, error) {
			return good.Sign(nil, bytes.Repeat([]byte{1}, len(d)), crypto.SHA256)
		}}, "SIG-INVALID"},
		{"a device that signs nothing", approval, root2, ids, own.Public(), device{good, func([]byte) ([]byte, error) { return nil, nil }}, "SIG-INVALID"},
		{"a device that fails", approval, root2, ids, own.Public(), device{good, func([]byte) ([]byte, error) { return nil, errTouch }}, "signing 2.root: nobody touched it"},
	} {
		files, err := sign.Sign(row.approval, row.payload, row.ids, row.public, row.signer)
		if err == nil || len(files) > 0 || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %d files, %v; want %q", row.name, len(files), err, row.want)
		}
		if row.name == "a device that fails" && !errors.Is(err, errTouch) {
			t.Error("what the device said is lost")
		}
	}
	if report.Event.IsZero() {
		t.Error("there was no event")
	}
}

func TestParseRefuses(t *testing.T) {
	f := sign.File{Event: strings.Repeat("e", 64), KeyID: strings.Repeat("a", 64), Payload: strings.Repeat("b", 64), Role: "root", Sig: "3045", Version: 2}
	if have, err := sign.Parse(f.Name(), f.Encode()); err != nil || have != f {
		t.Fatalf("%+v, %v", have, err)
	}
	text := string(f.Encode())
	with := func(change func(f *sign.File)) string { g := f; change(&g); return string(g.Encode()) }
	for _, row := range []struct{ name, text, want string }{
		{"nothing", "", "not a signature file"},
		{"a field more", strings.Replace(text, "{", `{"more":1,`, 1), "not a signature file"},
		{"a field twice", strings.Replace(text, `"role":"root"`, `"role":"targets","role":"root"`, 1), "not written as"},
		{"a field in another case", strings.Replace(text, `"role"`, `"Role"`, 1), "not written as"},
		{"a field left out", strings.Replace(text, `"role":"root",`, "", 1), "not written as"},
		{"no end of line", strings.TrimSuffix(text, "\n"), "not written as"},
		{"text after it", text + "x", "not written as"},
		{"two of them", text + text, "not written as"},
		{"white space", strings.Replace(text, ":", ": ", 1), "not written as"},
		{"another version", with(func(f *sign.File) { f.Version = 3 }), "it says it is signatures/3.root/"},
		{"another role", with(func(f *sign.File) { f.Role = "targets" }), "it says it is signatures/2.targets/"},
		{"another key ID", with(func(f *sign.File) { f.KeyID = strings.Repeat("c", 64) }), "it says it is signatures/2.root/cccc"},
		{"an escape sequence", with(func(f *sign.File) { f.Role = "\x1b[2J" }), `it says it is signatures/2.\u001b[2J/`},
		{"a signature in upper case", with(func(f *sign.File) { f.Sig = "30AF" }), "lower-case hex"},
		{"a signature that is no hex", with(func(f *sign.File) { f.Sig = "xx" }), "lower-case hex"},
		{"half a byte", with(func(f *sign.File) { f.Sig = "304" }), "lower-case hex"},
		{"a short event", with(func(f *sign.File) { f.Event = "ee" }), "lower-case hex"},
		{"a digest that is no hex", with(func(f *sign.File) { f.Payload = strings.Repeat("x", 64) }), "lower-case hex"},
	} {
		if have, err := sign.Parse(f.Name(), []byte(row.text)); err == nil || have != (sign.File{}) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
	for _, keyID := range []string{"", "a", strings.Repeat("A", 64), strings.Repeat("x", 64), "../" + strings.Repeat("a", 61)} {
		g := f
		g.KeyID = keyID
		if _, err := sign.Parse(g.Name(), g.Encode()); err == nil {
			t.Errorf("the key ID %q is accepted", keyID)
		}
	}
}

// A file that is accepted is exactly what would be written, under its name.
func FuzzParse(f *testing.F) {
	good := sign.File{Event: strings.Repeat("e", 64), KeyID: strings.Repeat("a", 64), Payload: strings.Repeat("b", 64), Role: "root", Sig: "3045", Version: 2}
	f.Add(good.Name(), good.Encode())
	good.Sig, good.Role = "", "<é>"
	f.Add(good.Name(), good.Encode())
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		file, err := sign.Parse(name, data)
		if err != nil {
			return
		}
		if file.Name() != name || !bytes.Equal(file.Encode(), data) || len(file.KeyID) != 64 || strings.Trim(file.KeyID+file.Sig+file.Event, "0123456789abcdef") != "" {
			t.Fatalf("%q, %q is accepted as %+v", name, data, file)
		}
	})
}

func approved(t *testing.T) (review.Approval, *review.Report) {
	t.Helper()
	c := ceremonytest.Rotation(t)
	c.Draft()
	report, err := review.Review(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	approval, err := report.Approve(report.Event.Words(), ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	return approval, report
}

func id(t *testing.T, token string) string {
	t.Helper()
	return ceremonytest.Object(t, token).ID
}
