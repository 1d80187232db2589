//go:build !race

package verify_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/draft"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/sign"
	"tufceremony/ceremony/internal/verify"
)

// hold drafts, signs, seals and verifies a step, and goes on from what it made.
func (w *walk) hold(r *rotation) error {
	files := folder.Files{folder.Plan: r.p.Text()}
	for _, t := range r.p.Roster.Tokens() {
		files[t.KeyFile] = ceremonytest.PEM(w.t, t.Name)
	}
	if w.root != nil {
		files[fmt.Sprintf("%s/%d.root.json", folder.Trusted, w.root.Version)] = w.trusted["root"]
		files[fmt.Sprintf("%s/%d.targets.json", folder.Trusted, w.targets)] = w.trusted["targets"]
	}
	report, err := drafts(files)
	if err != nil {
		return err
	}
	signers := w.quorum(report)
	w.sign(files, report, signers)
	sealed := ceremonytest.In(w.t, files).Seal()
	w.publish(r, sealed, signers)
	return nil
}

// drafts is what `draft` does and refuses.
func drafts(files folder.Files) (*review.Report, error) {
	p, err := plan.Parse(files[folder.Plan])
	if err != nil {
		return nil, err
	}
	if err := p.Roster.LoadKeys(files); err != nil {
		return nil, err
	}
	payloads, err := draft.Payloads(p, files)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, payloads)
	report, err := review.Review(files)
	if err != nil {
		return nil, err
	}
	return report, check.Refuse(report.Results)
}

// quorum draws who comes: people who can sign, one after the other, until every
// threshold is reached.
func (w *walk) quorum(report *review.Report) map[string]bool {
	signers, left := map[string]bool{}, map[int]int{}
	people := &report.Plan.Roster
	for i, d := range report.Demands {
		left[i] = d.Role.Threshold
	}
	tokens := people.Tokens()
	w.rand.Shuffle(len(tokens), func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
	for _, t := range tokens {
		for i, d := range report.Demands {
			can := slices.ContainsFunc(d.Members(people), func(m quorum.Member) bool { return m.Token == t && m.CanSign() })
			if can && left[i] > 0 {
				signers[t.Name] = true
			}
		}
		for i, d := range report.Demands {
			if signers[t.Name] && slices.ContainsFunc(d.Members(people), func(m quorum.Member) bool { return m.Token == t }) {
				left[i]--
			}
		}
	}
	return signers
}

func (w *walk) sign(files folder.Files, report *review.Report, signers map[string]bool) {
	w.t.Helper()
	approval, err := report.Approve(report.Event.Words(), ceremonytest.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range report.Demands {
		for _, m := range d.Members(&report.Plan.Roster) {
			if m.Token == nil || !signers[m.Token.Name] {
				continue
			}
			key := ceremonytest.Key(w.t, m.Token.Name)
			made, err := sign.Sign(approval, d.Payload, m.KeyIDs, key.Public(), ceremonytest.Signer{Signer: key})
			if err != nil {
				w.t.Fatal(err)
			}
			for _, f := range made {
				files[f.Name()] = f.Encode()
			}
		}
	}
}

// publish has this program and go-tuf judge what was sealed.
func (w *walk) publish(r *rotation, sealed folder.Files, signers map[string]bool) {
	w.t.Helper()
	root := sealed[fmt.Sprintf("%s/%d.root.json", folder.Metadata, r.p.Root.Version)]
	trusted := w.trusted["root"]
	if trusted == nil {
		trusted = root
	}
	if _, err := verify.Files(sealed, trusted, ceremonytest.Now); err != nil {
		w.t.Fatalf("what was drafted and signed is refused: %v\n%s", err, r.p.Text())
	}
	var err error
	if w.set == nil {
		w.set, err = trustedmetadata.New(root)
	} else {
		_, err = w.set.UpdateRoot(root)
	}
	if err != nil {
		w.t.Fatalf("go-tuf refuses root %d: %v\n%s", r.p.Root.Version, err, r.p.Text())
	}
	w.root, w.trusted["root"] = r.p.Root, root
	if r.p.Targets != nil {
		w.targets, w.signed = r.p.Targets.Version, map[string]bool{}
		w.trusted["targets"] = sealed[fmt.Sprintf("%s/%d.targets.json", folder.Metadata, w.targets)]
		for _, token := range r.p.Root.Roles["targets"].Tokens {
			w.signed[token] = signers[token]
		}
	}
	targets, err := metadata.Targets().FromBytes(w.trusted["targets"])
	if err == nil {
		err = w.set.Root.VerifyDelegate("targets", targets)
	}
	if err != nil {
		w.t.Fatalf("go-tuf refuses targets %d under root %d: %v\n%s", w.targets, w.root.Version, err, r.p.Text())
	}
}
