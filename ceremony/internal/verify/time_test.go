package verify_test

import (
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
	"tufceremony/ceremony/internal/verify"
)

// A root that expired before the verifier's own day is not trusted for new
// work, however good it was at the ceremony.
func TestExpiredAtVerification(t *testing.T) {
	expires := time.Date(2028, 1, 10, 9, 0, 0, 0, time.UTC)
	if _, err := verify.Files(rotated(t), ceremonytest.Root(t), expires.Add(-time.Second)); err != nil {
		t.Errorf("a second before it expires: %v", err)
	}
	_, err := verify.Files(rotated(t), ceremonytest.Root(t), expires)
	wantRefusal(t, err, "EXPIRES-PAST, root")
}

// Targets that is good for longer than its root proves nothing when the root
// has expired; nor does a good root help targets that has.
func TestTargetsAndRootExpireApart(t *testing.T) {
	p := ceremonytest.RotationPlan()
	p.Kind, p.Root = plan.Targets, nil
	p.Targets.Expires = p.Targets.Expires.AddDate(0, 1, 0)
	c := ceremonytest.Start(t, p, ceremonytest.Trusted(t))
	c.Draft()
	c.Sign("holder-1", "holder-2")
	files := c.Seal()
	if _, err := verify.Files(files, ceremonytest.Root(t), ceremonytest.Now); err != nil {
		t.Fatal(err)
	}
	_, err := verify.Files(files, ceremonytest.Root(t), p.Targets.Expires.AddDate(0, 0, -1))
	wantRefusal(t, err, "EXPIRES-PAST, root")

	p.Targets.Expires = ceremonytest.GenesisPlan().Root.Expires.AddDate(0, -1, 0)
	c = ceremonytest.Start(t, p, ceremonytest.Trusted(t))
	c.Draft()
	c.Sign("holder-1", "holder-2")
	_, err = verify.Files(c.Seal(), ceremonytest.Root(t), p.Targets.Expires.AddDate(0, 0, 1))
	wantRefusal(t, err, "EXPIRES-PAST, targets")
}

// Where go-tuf cannot make out a trusted root, here for one key of a kind that
// nobody knows, the two disagree, and nothing is proved.
func TestSecondOpinion(t *testing.T) {
	c := ceremonytest.Genesis(t)
	c.Payloads()
	unknown, err := tufmeta.KeyID(object{"keytype": "other", "scheme": "other", "keyval": object{"public": "00"}})
	if err != nil {
		t.Fatal(err)
	}
	c.Edit("1.root.json", func(s object) {
		s["keys"].(object)[unknown] = object{"keytype": "other", "scheme": "other", "keyval": object{"public": "00"}}
		role(s, "root")["keyids"] = append(role(s, "root")["keyids"].([]any), unknown)
	})
	trusted := ceremonytest.Trusted(t)
	trusted["trusted/1.root.json"] = envelope(t, c, "1.root.json")
	next := ceremonytest.Start(t, ceremonytest.RotationPlan(), trusted)
	next.Draft()
	next.Sign("holder-1", "holder-3", "holder-4")
	_, err = verify.Files(next.Seal(), trusted["trusted/1.root.json"], ceremonytest.Now)
	wantRefusal(t, err, "SECOND-OPINION")
	if strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("other checks refuse it too, so nothing is tested: %v", err)
	}
}
