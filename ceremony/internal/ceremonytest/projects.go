package ceremonytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/projects"
	"tufceremony/ceremony/internal/tufmeta"
)

// Developer gives the key of a project's developer: always the same for a name,
// on P-256 for one in ten, and Ed25519 for all others.
func Developer(name string) (crypto.Signer, error) {
	seed := sha256.Sum256([]byte("developer of " + name))
	if seed[0]%10 > 0 {
		return ed25519.NewKeyFromSeed(seed[:]), nil
	}
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
}

// SignAs has a developer sign bytes, the same each time.
func SignAs(private crypto.Signer, data []byte) ([]byte, error) {
	if key, ok := private.(*ecdsa.PrivateKey); ok {
		digest := sha256.Sum256(data)
		return key.Sign(nil, digest[:], crypto.SHA256)
	}
	return private.Sign(nil, data, crypto.Hash(0))
}

// Index is where developers claim projects, and until when their proofs are good.
type Index struct {
	projects.Scope
	Until string
}

// Claim is what the developers of a project send: a project of the index with their
// keys, all of which must sign, and the proofs. Developers are named as their own
// projects, with a + between. Without paths they are those below packages/.
func (x Index) Claim(project, developers string, paths ...string) (projects.Entry, error) {
	if len(paths) == 0 {
		paths = []string{"packages/" + project + "/*"}
	}
	e := projects.Entry{Project: project, Until: x.Until, Paths: paths}
	var privates []crypto.Signer
	var fingerprints []string
	for developer := range strings.SplitSeq(developers, "+") {
		private, err := Developer(developer)
		if err != nil {
			return e, err
		}
		der, err := x509.MarshalPKIXPublicKey(private.Public())
		if err != nil {
			return e, err
		}
		privates, fingerprints = append(privates, private), append(fingerprints, tufmeta.Digest(der))
		e.Keys = append(e.Keys, projects.Key{PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))})
	}
	e.Threshold = len(privates)
	for i, private := range privates {
		proof, err := SignAs(private, projects.Statement(x.Scope, e, fingerprints))
		if err != nil {
			return e, err
		}
		e.Keys[i].Proof = proof
	}
	return e, nil
}

// Example is the index that Promotion has.
var Example = Index{Scope: projects.Scope{Repository: "example.org", Role: "claimed"}, Until: "2027-12-31"}

// Claims is a list of projects of the Example, each with its own developer's key.
func Claims(t testing.TB, names ...string) []byte {
	t.Helper()
	var entries []projects.Entry
	for _, name := range names {
		e, err := Example.Claim(name, name)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	text, err := projects.Text(entries)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// ProjectList is where the Promotion has its list.
const ProjectList = "lists/claimed.projects.jsonl"

// Promotion goes on from what is trusted after Delegated, or after another
// promotion: the next version of claimed delegates to projects besides.
func Promotion(t testing.TB, trusted folder.Files, version int64, withdraw []string, names ...string) *Ceremony {
	t.Helper()
	p := DelegatedPlan()
	claimed := &plan.TargetsPlan{Role: "claimed", Delegator: "targets", Version: version, Expires: p.Targets.Expires, Withdraw: withdraw}
	if len(names) > 0 {
		claimed.Projects = ProjectList
	}
	p.Targets, p.Delegated = nil, []*plan.TargetsPlan{claimed}
	c := Start(t, p, trusted)
	if len(names) > 0 {
		c.Files[ProjectList] = Claims(t, names...)
	}
	return c
}

// TrustedPromotion is what a client has after a promotion.
func TrustedPromotion(t testing.TB, names ...string) folder.Files {
	t.Helper()
	trusted := TrustedDelegated(t)
	c := Promotion(t, trusted, 2, nil, names...)
	c.Draft()
	c.Sign("holder-3", "holder-4")
	sealed := c.Seal()
	delete(trusted, "trusted/1.claimed.json")
	trusted["trusted/2.claimed.json"] = sealed["metadata/2.claimed.json"]
	return trusted
}
