package schedule

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"tufceremony/ceremony/internal/tufmeta"
)

// Calendar writes the deadlines as a calendar of RFC 5545, one event each. The
// same schedule at the same time gives the same bytes, and a deadline keeps its
// UID from one run to the next, so that importing again changes and adds
// nothing that is there. There are no alarms: the margin is the alarm, and
// calendars differ in what they make of others.
func (s *Schedule) Calendar() []byte {
	var c calendar
	c.line("BEGIN", "VCALENDAR")
	c.line("VERSION", "2.0")
	c.line("PRODID", "-//ceremony//schedule//EN")
	c.line("CALSCALE", "GREGORIAN")
	for _, d := range s.Deadlines {
		c.line("BEGIN", "VEVENT")
		c.line("UID", d.uid())
		c.line("DTSTAMP", stamp(s.At))
		c.line("DTSTART", stamp(d.At))
		c.line("SUMMARY", escape(d.Summary()))
		if people := d.People(); people != "" {
			c.line("DESCRIPTION", escape(people))
		}
		c.line("TRANSP", "TRANSPARENT")
		c.line("END", "VEVENT")
	}
	c.line("END", "VCALENDAR")
	return []byte(c.String())
}

// Summary says a deadline in a few words.
func (d Deadline) Summary() string {
	role := tufmeta.Printable(d.Role)
	switch d.What {
	case Ceremony:
		return fmt.Sprintf("hold the ceremony for %s %d", role, d.Version)
	case Imported:
		return fmt.Sprintf("root %d of the other repository %s expires, whose keys are imported", d.Version, role)
	case Lapses:
		return fmt.Sprintf("the sealed %s %d expires, %s", role, d.Version, tufmeta.Printable(d.File))
	}
	return fmt.Sprintf("%s %d expires", role, d.Version)
}

// People says how many of whom a ceremony needs, or nothing.
func (d Deadline) People() string {
	if d.What != Ceremony {
		return ""
	}
	var names []string
	for _, m := range d.Who {
		names = append(names, m.String())
	}
	return fmt.Sprintf("%d of these %d must sign: %s", d.Need, len(d.Who), strings.Join(names, ", "))
}

// uid is that of the deadline of this very metadata file.
func (d Deadline) uid() string {
	return tufmeta.Digest([]byte(d.digest + "\x00" + d.What))[:32] + "@ceremony"
}

func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// escape writes TEXT as section 3.3.11 wants it.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`).Replace(text)
}

type calendar struct{ strings.Builder }

// line writes a content line, folded to 75 octets without the line break, and
// never inside a character.
func (c *calendar) line(name, value string) {
	rest, room := name+":"+value, 75
	for len(rest) > room {
		cut := room
		for !utf8.RuneStart(rest[cut]) {
			cut--
		}
		c.WriteString(rest[:cut] + "\r\n ")
		rest, room = rest[cut:], 74 // the blank counts
	}
	c.WriteString(rest + "\r\n")
}
