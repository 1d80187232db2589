package check_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/check"
)

func TestTable(t *testing.T) {
	form := regexp.MustCompile(`^[A-Z]+(-[A-Z]+)+$|^(CLOCK|ABORTED|SUPERSEDES|EQUIVOCATION)$`)
	seen := map[string]bool{}
	levels := []check.Level{check.Refusal, check.Finding, check.Note}
	for _, c := range check.Table {
		if seen[c.ID] || !form.MatchString(c.ID) {
			t.Errorf("%s stands twice, or is not in upper case with a dash", c.ID)
		}
		seen[c.ID] = true
		if !strings.HasSuffix(c.Means, ".") || c.Do == "" || strings.HasSuffix(c.Do, ".") {
			t.Errorf("%s: means a sentence, %q, and says what to do, %q", c.ID, c.Means, c.Do)
		}
		if !slices.Contains(levels, c.Draft) || !slices.Contains(levels, c.Published) {
			t.Errorf("%s is a %q or a %q", c.ID, c.Draft, c.Published)
		}
		if slices.Index(levels, c.Draft) > slices.Index(levels, c.Published) {
			t.Errorf("%s weighs more in what others published than in what is being made", c.ID)
		}
		if row, ok := check.Lookup(c.ID); !ok || row != c {
			t.Errorf("%s is not found", c.ID)
		}
	}
	for _, id := range strings.Fields(`JSON-STRICT KEYID-MISMATCH KEY-SHARED KEY-TYPE KEY-WEAK KEY-PORTABLE EXPIRES-FORMAT EXPIRES-PAST EXPIRES-FAR VERSION-SEQUENCE
		SIZE-ROOT SIZE-TARGETS SIZE-SNAPSHOT SNAPSHOT-DROP BINS-PORTABLE
		SIG-EMPTY SIG-INVALID SIG-FOREIGN SIG-DUPLICATE THRESHOLD-OLD THRESHOLD-NEW THRESHOLD-ONE THRESHOLD-MARGIN ROLE-KEY-REUSE
		HOLDER-DUPLICATE DEVICE-DUPLICATE EVENT-MISMATCH CLOCK PIN-SOURCE MODULE-ARGUMENT TEXT-UNSAFE ATTEST-NONE ATTEST-POLICY ATTEST-ROOTS ATTEST-MISSING ATTEST-EVIDENCE ATTEST-CHAIN ATTEST-BOUND ATTEST-DEVICE
		ATTEST-FIRMWARE ATTEST-PIN ATTEST-TOUCH ATTEST-FORM ATTEST-FIPS ATTEST-ADVISORY ATTEST-RECORDED`) {
		if !seen[id] {
			t.Errorf("there is no %s", id)
		}
	}
}

// What makes a signature or a threshold worth something can be waived by
// nobody.
func TestNeverWaivable(t *testing.T) {
	for _, c := range check.Table {
		if strings.HasPrefix(c.ID, "SIG-") || slices.Contains([]string{"JSON-STRICT", "TEXT-UNSAFE", "KEYID-MISMATCH", "KEY-SHARED", "EXPIRES-FORMAT", "EXPIRES-PAST", "VERSION-SEQUENCE",
			"THRESHOLD-OLD", "THRESHOLD-NEW", "PLAN-MISMATCH", "EVENT-MISMATCH", "RECORD-BROKEN", "CLOCK", "ATTEST-POLICY", "ATTEST-EVIDENCE", "ATTEST-CHAIN", "ATTEST-BOUND", "ATTEST-DEVICE", "SECOND-OPINION", "SIZE-SNAPSHOT", "SNAPSHOT-DROP", "ABORTED", "SUPERSEDES", "EQUIVOCATION", "WAIVER-UNUSED", "PROJECT-PROOF"}, c.ID) {
			if c.Waivable() {
				t.Errorf("%s can be waived", c.ID)
			}
		}
	}
}

func TestNewWantsARow(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a check that is not in the table was made")
		}
	}()
	check.New("NO-SUCH-CHECK", "root", "x")
}

func TestLevel(t *testing.T) {
	r := check.New("EXPIRES-PAST", "root", "expired on %s", "a day")
	if r.Detail != "expired on a day" || r.Level != "" {
		t.Errorf("made %+v", r)
	}
	if check.Draft.Level(r) != check.Refusal || check.Published.Level(r) != check.Finding {
		t.Error("an expired draft is refused, an expired publication told")
	}
	if check.Published.Level(check.Result{Check: "NO-SUCH-CHECK"}) != check.Refusal {
		t.Error("what nobody knows is refused")
	}
}

// A waiver lowers one check of one subject by one level; all else stays.
func TestWaive(t *testing.T) {
	results := func() []check.Result {
		return check.Draft.Weigh([]check.Result{
			check.New("ROLE-KEY-REUSE", "snapshot", "a"), check.New("ROLE-KEY-REUSE", "timestamp", "b"),
			check.New("THRESHOLD-ONE", "snapshot", "c"), check.New("THRESHOLD-OLD", "snapshot", "d"),
		})
	}
	waived := check.Waive(results(), []check.Waiver{{Check: "ROLE-KEY-REUSE", Subject: "snapshot", Reason: "one key for a while"}})
	if len(waived) != 4 || waived[0].Level != check.Finding || waived[0].Waived != "one key for a while" {
		t.Errorf("waived %+v", waived)
	}
	for i, r := range results()[1:] {
		if waived[i+1] != r {
			t.Errorf("%+v has become %+v", r, waived[i+1])
		}
	}
	if refused := check.Refusals(waived); len(refused) != 2 {
		t.Errorf("%d refusals are left", len(refused))
	}
	again := check.Waive(results(), []check.Waiver{
		{Check: "ROLE-KEY-REUSE", Subject: "snapshot", Reason: "first"}, {Check: "ROLE-KEY-REUSE", Subject: "snapshot", Reason: "second"}})
	if again[0].Level != check.Finding || again[0].Waived != "first" {
		t.Errorf("two waivers lower it twice: %+v", again[0])
	}
	if note := check.Waive(results(), []check.Waiver{{Check: "THRESHOLD-ONE", Subject: "snapshot", Reason: "so it is"}}); note[2].Level != check.Note {
		t.Errorf("a finding is lowered to %s", note[2].Level)
	}
}

// A waiver that nothing needs is told: it must not lie in wait.
func TestWaiverUnused(t *testing.T) {
	for _, w := range []check.Waiver{{Check: "ROLE-KEY-REUSE", Subject: "timestamp", Reason: "r"}, {Check: "THRESHOLD-ONE", Subject: "snapshot", Reason: "r"}} {
		results := check.Waive(check.Draft.Weigh([]check.Result{check.New("ROLE-KEY-REUSE", "snapshot", "a")}), []check.Waiver{w})
		if len(results) != 2 || results[0].Level != check.Refusal || results[1].Check != "WAIVER-UNUSED" || results[1].Subject != w.Check+" "+w.Subject || results[1].Level != check.Finding {
			t.Errorf("%v: %+v", w, results)
		}
	}
}

func TestRefuse(t *testing.T) {
	finding := check.New("THRESHOLD-ONE", "root", "x")
	finding.Level = check.Finding
	if err := check.Refuse([]check.Result{finding}); err != nil {
		t.Errorf("a finding refuses: %v", err)
	}
	err := check.Refuse(check.Draft.Weigh([]check.Result{finding, check.New("THRESHOLD-OLD", "2.root", "1 of 3"), check.New("CLOCK", "window", "late")}))
	e, ok := err.(*check.Error)
	if !ok || err.Error() != "THRESHOLD-OLD, 2.root: 1 of 3\nCLOCK, window: late" {
		t.Fatalf("%v", err)
	}
	if row, _ := check.Lookup("THRESHOLD-OLD"); e.Hint() != row.Do {
		t.Errorf("hint %q", e.Hint())
	}
}

// A list can be wrong in thousands of places. Nobody reads them all from an error.
func TestRefuseMany(t *testing.T) {
	var many []check.Result
	for i := range 5000 {
		many = append(many, check.NewRefusal("PROJECT-PROOF", fmt.Sprintf("project-%d", i), "none"))
	}
	lines := strings.Split(check.Refuse(many).Error(), "\n")
	if len(lines) != 51 || lines[49] != "PROJECT-PROOF, project-49: none" || lines[50] != "and 4950 more" {
		t.Errorf("%d lines, the last of them %q", len(lines), lines[len(lines)-2:])
	}
}
