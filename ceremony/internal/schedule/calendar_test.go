package schedule_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/roster"
	"tufceremony/ceremony/internal/schedule"
)

// content reads a calendar as RFC 5545 says, and nothing more lenient: lines
// end in CR LF, have 75 octets at most, and go on after CR LF and a blank.
func content(t *testing.T, text string) []string {
	t.Helper()
	whole, ok := strings.CutSuffix(text, "\r\n")
	if !ok {
		t.Fatal("the last line does not end")
	}
	for _, line := range strings.Split(whole, "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") || !utf8.ValidString(line) {
			t.Errorf("%d octets: %q", len(line), line)
		}
	}
	return strings.Split(strings.ReplaceAll(whole, "\r\n ", ""), "\r\n")
}

func TestCalendar(t *testing.T) {
	people := &roster.Roster{Holders: []roster.Holder{{Name: "holder-1", Tokens: []*roster.Token{
		{Name: `näme; with, all\that and ` + strings.Repeat("é", 60), Key: ceremonytest.Object(t, "holder-1")}}}}}
	s := made(t, repository(t), 10, people)
	text := string(s.Calendar())
	if text != string(s.Calendar()) {
		t.Error("it is another each time")
	}
	form := regexp.MustCompile(`^(BEGIN|END|VERSION|PRODID|CALSCALE|UID|DTSTAMP|DTSTART|SUMMARY|DESCRIPTION|TRANSP):(.+)$`)
	events, open := 0, []string{}
	seen := map[string]bool{}
	has := map[string]string{}
	for _, line := range content(t, text) {
		m := form.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("no content line: %q", line)
		}
		switch name, value := m[1], m[2]; name {
		case "BEGIN":
			open = append(open, value)
			has = map[string]string{}
		case "END":
			if open[len(open)-1] != value {
				t.Fatalf("%s ends in %s", value, open)
			}
			open = open[:len(open)-1]
			if value == "VEVENT" {
				events++
				if seen[has["UID"]] || has["UID"] == "" || has["SUMMARY"] == "" {
					t.Errorf("an event without a UID of its own, or a summary: %v", has)
				}
				seen[has["UID"]] = true
			}
		case "DTSTAMP", "DTSTART":
			if _, err := time.Parse("20060102T150405Z", value); err != nil {
				t.Error(err)
			}
		default:
			if has[name] != "" {
				t.Errorf("%s stands twice", name)
			}
			has[name] = value
			if strings.Contains(value, "with") && !strings.Contains(value, `näme\; with\, all\\that and `+strings.Repeat("é", 60)) {
				t.Errorf("not escaped: %s", value)
			}
		}
	}
	if events != len(s.Deadlines) || len(open) != 0 {
		t.Errorf("%d events for %d deadlines, %v open", events, len(s.Deadlines), open)
	}
}

// A deadline keeps its UID from one run to the next, also with another margin:
// importing again adds nothing.
func TestCalendarIsImportedAgain(t *testing.T) {
	uids := func(s *schedule.Schedule) map[string]bool {
		found := map[string]bool{}
		for _, m := range regexp.MustCompile(`UID:(\S+)`).FindAllStringSubmatch(string(s.Calendar()), -1) {
			found[m[1]] = true
		}
		return found
	}
	before := uids(made(t, repository(t), 10, nil))
	for uid := range uids(made(t, repository(t), 12, nil)) {
		if !before[uid] {
			t.Errorf("%s is new", uid)
		}
	}
}
