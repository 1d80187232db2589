package review

import (
	"fmt"
	"testing"

	"tufceremony/ceremony/internal/check"
)

// Of what is wrong many times the rest is counted, and is as grave as the gravest
// that is left out.
func TestBounded(t *testing.T) {
	var all []check.Result
	for i := range shownResults + 7 {
		r := check.New("PLAN-MISMATCH", fmt.Sprint(i), "")
		r.Level = check.Note
		if i == shownResults+5 {
			r.Level = check.Refusal
		}
		all = append(all, r)
	}
	all = append(all, check.New("TEXT-UNSAFE", "x", ""))
	have := bounded(all)
	if len(have) != shownResults+2 || have[shownResults].Check != "TEXT-UNSAFE" {
		t.Fatalf("%d results", len(have))
	}
	if last := have[len(have)-1]; last.Check != "PLAN-MISMATCH" || last.Detail != "7 more of these" || last.Level != check.Refusal {
		t.Errorf("%+v", last)
	}
	if few := bounded(all[:shownResults]); len(few) != shownResults {
		t.Errorf("%d of %d", len(few), shownResults)
	}
}
