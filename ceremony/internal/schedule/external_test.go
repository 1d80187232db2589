package schedule_test

import (
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/inspect"
	"tufceremony/ceremony/internal/schedule"
	"tufceremony/ceremony/internal/tufmeta"
)

// What another project signs expires too, and no ceremony here makes the next.
func TestExternalRole(t *testing.T) {
	c := ceremonytest.External(t, ceremonytest.OtherRoot{Version: 1})
	c.Draft()
	c.Sign("holder-1", "holder-2")
	sealed := c.Seal()
	theirs := ceremonytest.OtherSigned(t, map[string]any{"_type": "targets", "spec_version": tufmeta.SpecVersion, "version": int64(5), "expires": "2027-06-01T00:00:00Z", "targets": map[string]any{}}, "theirs-1", "theirs-2")
	sources := schedule.Sources{Metadata: []inspect.File{
		{Name: "1.root.json", Data: sealed["trusted/1.root.json"]}, {Name: "2.targets.json", Data: sealed["metadata/2.targets.json"]}, {Name: "5.theirs.json", Data: theirs},
	}}
	what := func() map[string]time.Time {
		s, err := schedule.Make(sources, ceremonytest.Now, 30, &c.Plan.Roster)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]time.Time{}
		for _, d := range s.Deadlines {
			all[d.Summary()] = d.At
		}
		return all
	}
	if _, ok := what()["hold the ceremony for theirs 6"]; !ok {
		t.Error("who signs it is not known, and nobody is asked")
	}
	var err error
	if sources.Imported, err = c.Plan.Importers(c.Files); err != nil {
		t.Fatal(err)
	}
	have := what()
	if _, asked := have["hold the ceremony for theirs 6"]; asked || have["theirs 5 expires"].Month() != time.June {
		t.Errorf("%v", have)
	}
}
