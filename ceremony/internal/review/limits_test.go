package review_test

import (
	"fmt"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/quorum"
	"tufceremony/ceremony/internal/review"
)

// found lists the results of a check, with their levels.
func found(r *review.Report, id string) string {
	var lines []string
	for _, x := range r.Results {
		if x.Check == id {
			lines = append(lines, fmt.Sprintf("%s, %s: %s", x.Level, x.Subject, x.Detail))
		}
	}
	return strings.Join(lines, "\n")
}

// largest is how large a drafted file can become.
func largest(t *testing.T, r *review.Report, role string) int {
	t.Helper()
	var demands []quorum.Demand
	for _, d := range r.Demands {
		if d.Payload.Role == role {
			demands = append(demands, d)
		}
	}
	d, ok := r.Document(folder.Version{Role: role, Version: 2})
	if !ok {
		t.Fatal("nothing of the role is drafted")
	}
	return int(quorum.LargestFile(d.Payload, demands))
}

// Review counts the signatures that will come, of everybody who may sign. A
// root that is too large by one byte is refused; targets depend on a snapshot
// that nobody has seen, and are told.
func TestLimits(t *testing.T) {
	narrow := reviewed(t, ceremonytest.RotationPlan(), ceremonytest.Wide(t, 1, 1))
	root, targets := 1+512_000-largest(t, narrow, "root"), 1+5_000_000-largest(t, narrow, "targets")
	within := reviewed(t, ceremonytest.RotationPlan(), ceremonytest.Wide(t, root, targets))
	if text := found(within, "SIZE-ROOT") + found(within, "SIZE-TARGETS"); text != "" {
		t.Errorf("within the limits: %s", text)
	}
	if err := check.Refuse(within.Results); err != nil {
		t.Errorf("within the limits: %v", err)
	}
	beyond := reviewed(t, ceremonytest.RotationPlan(), ceremonytest.Wide(t, root+1, targets+1))
	if have, want := found(beyond, "SIZE-ROOT"), "refusal, root: 2.root, signed by all who may, has 512001 bytes, and clients take 512000"; have != want {
		t.Errorf("%q, want %q", have, want)
	}
	if have, want := found(beyond, "SIZE-TARGETS"), "finding, targets: 2.targets, signed by all who may, has 5000001 bytes: clients take 5000000, unless snapshot lists its length"; have != want {
		t.Errorf("%q, want %q", have, want)
	}
	if _, err := beyond.Approve(beyond.Event.Words(), ceremonytest.Now); err == nil {
		t.Error("a root is approved that no client takes")
	}

	p := ceremonytest.RotationPlan()
	p.Waivers = []check.Waiver{{Check: "SIZE-ROOT", Subject: "root", Reason: "our clients take a megabyte"}, {Check: "SIZE-TARGETS", Subject: "targets", Reason: "our signer lists lengths"}}
	waived := reviewed(t, p, ceremonytest.Wide(t, root+1, targets+1))
	if have := found(waived, "SIZE-ROOT") + found(waived, "SIZE-TARGETS") + found(waived, "WAIVER-UNUSED"); !strings.HasPrefix(have, "finding, root: ") || !strings.Contains(have, "note, targets: ") || strings.Contains(have, "WAIVER") {
		t.Errorf("waived: %s", have)
	}
	if err := check.Refuse(waived.Results); err != nil {
		t.Errorf("waived: %v", err)
	}
}

// A role that hands on by explicit prefixes is told at review.
func TestBinsPortable(t *testing.T) {
	p := targetsPlan()
	p.Waivers = []check.Waiver{{Check: "BINS-PORTABLE", Subject: "targets", Reason: "no user has go-tuf"}}
	for level, p := range map[check.Level]*plan.Plan{check.Finding: targetsPlan(), check.Note: p} {
		c := ceremonytest.Start(t, p, ceremonytest.Trusted(t))
		c.Draft()
		c.Edit("2.targets.json", func(signed map[string]any) {
			key := ceremonytest.Object(t, "holder-1")
			signed["delegations"] = map[string]any{"keys": map[string]any{key.ID: key.Object}, "roles": []any{
				map[string]any{"name": "bin-0", "keyids": []any{key.ID}, "threshold": int64(1), "terminating": false, "path_hash_prefixes": []any{"0"}}}}
		})
		report, err := review.Review(c.Files)
		if err != nil {
			t.Fatal(err)
		}
		want := string(level) + `, targets: hands names on by path_hash_prefixes, to role "bin-0": go-tuf finds next to nothing there`
		if have := found(report, "BINS-PORTABLE"); have != want {
			t.Errorf("%q, want %q", have, want)
		}
	}
}
