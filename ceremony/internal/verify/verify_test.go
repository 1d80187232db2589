package verify_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/bundle"
	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

func TestGenesis(t *testing.T) {
	c := ceremonytest.Genesis(t)
	c.Draft()
	c.Sign("holder-1", "holder-2", "holder-3")
	sealed := c.Seal()
	v, err := verify.Files(sealed, sealed["metadata/1.root.json"], ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	facts, ok := v.Facts()
	if !ok || facts.Trusted != 1 || !slices.Equal(facts.Chain, []int64{1}) {
		t.Errorf("proved a chain %v from %d", facts.Chain, facts.Trusted)
	}
	wantCounts(t, facts, "1.root", verify.Count{Under: 1, Threshold: 3, Signers: signers(t, "holder-1", "holder-2", "holder-3")})
	wantCounts(t, facts, "1.targets", verify.Count{Under: 1, Threshold: 2, Signers: signers(t, "holder-1", "holder-2", "holder-3")})
}

func TestRotation(t *testing.T) {
	sealed := rotated(t)
	v, err := verify.Files(sealed, ceremonytest.Root(t), ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	facts, _ := v.Facts()
	if facts.Trusted != 1 || !slices.Equal(facts.Chain, []int64{1, 2}) {
		t.Errorf("proved a chain %v from %d", facts.Chain, facts.Trusted)
	}
	if !bytes.Equal(facts.NewRoot, sealed["metadata/2.root.json"]) {
		t.Error("the new root to trust is not the one that was made")
	}
	wantCounts(t, facts, "2.root",
		verify.Count{Under: 1, Threshold: 3, Signers: signers(t, "holder-1", "holder-3", "holder-5")},
		verify.Count{Under: 2, Threshold: 3, Signers: signers(t, "holder-1", "holder-3", "holder-6")})
	wantCounts(t, facts, "2.targets", verify.Count{Under: 2, Threshold: 2, Signers: signers(t, "holder-1", "holder-3")})
}

// A rotation that has been published already is trusted: the bundle is still
// what it was.
func TestRotationAgain(t *testing.T) {
	sealed := rotated(t)
	v, err := verify.Files(sealed, sealed["metadata/2.root.json"], ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	if facts, _ := v.Facts(); facts.Trusted != 2 || !slices.Equal(facts.Chain, []int64{2}) {
		t.Errorf("proved a chain %v from %d", facts.Chain, facts.Trusted)
	}
}

func TestBundleThere(t *testing.T) {
	sealed := rotated(t)
	v, err := verify.Files(sealed, ceremonytest.Root(t), ceremonytest.Now)
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	err = bundle.Write(&data, v)
	if err != nil {
		t.Fatal(err)
	}
	files, err := bundle.Decode(data.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	again, err := verify.Files(files, ceremonytest.Root(t), ceremonytest.Now)
	if err != nil {
		t.Fatalf("what went into the bundle was good, what came out is not: %v", err)
	}
	var twice bytes.Buffer
	if err := bundle.Write(&twice, again); err != nil || !bytes.Equal(data.Bytes(), twice.Bytes()) {
		t.Errorf("bundling twice gives different bytes (%v)", err)
	}
}

func TestZeroValuesProveNothing(t *testing.T) {
	if _, ok := (verify.Verified{}).Facts(); ok {
		t.Error("a zero Verified has facts")
	}
	var data bytes.Buffer
	if err := bundle.Write(&data, verify.Verified{}); err == nil || data.Len() > 0 {
		t.Errorf("a zero Verified was bundled: %d bytes, %v", data.Len(), err)
	}
}

// rotated is the whole rotation, ready for a bundle. The holder who leaves
// signs under the old root, the one who joins under the new.
func rotated(t *testing.T) folder.Files {
	t.Helper()
	c := ceremonytest.Rotation(t)
	c.Draft()
	c.Sign("holder-1", "holder-3", "holder-5", "holder-6")
	return c.Seal()
}

func wantCounts(t *testing.T, facts *verify.Facts, role string, want ...verify.Count) {
	t.Helper()
	for _, r := range facts.Roles {
		if r.String() != role {
			continue
		}
		equal := func(a, b verify.Count) bool {
			return a.Under == b.Under && a.Threshold == b.Threshold && slices.Equal(a.Signers, b.Signers)
		}
		if !slices.EqualFunc(r.Counts, want, equal) {
			t.Errorf("%s: counted %v, want %v", role, r.Counts, want)
		}
		return
	}
	t.Errorf("%s is not among what was proved", role)
}

func signers(t *testing.T, tokens ...string) []string {
	t.Helper()
	var fingerprints []string
	for _, token := range tokens {
		fingerprints = append(fingerprints, ceremonytest.Object(t, token).Fingerprint())
	}
	slices.Sort(fingerprints)
	return fingerprints
}

// wantRefusal checks that an error has all the words.
func wantRefusal(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("refused without %q:\n%v", word, err)
		}
	}
}

func keyID(t *testing.T, token string) string {
	t.Helper()
	return ceremonytest.Object(t, token).ID
}

func version(t *testing.T, data []byte) int64 {
	t.Helper()
	env, err := tufmeta.ParseEnvelope(data)
	if err != nil {
		t.Fatal(err)
	}
	common, err := tufmeta.ParseCommon(env.Signed)
	if err != nil {
		t.Fatal(err)
	}
	return common.Version
}
