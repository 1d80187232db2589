package virtual

import (
	"fmt"
	"strings"
)

// entry is one entry of pcscd's configuration: a copy of vpcd's driver, which
// has two readers.
type entry struct {
	name  string // FRIENDLYNAME, which no two entries share
	port  int    // of the first reader; the second has the next
	cards []int  // one or two
}

const (
	firstPort  = 35963
	maxReaders = 16 // pcscd's own limit
)

// layOut puts cards in pairs where their readers have one name. The driver
// always makes two readers, so that an odd one leaves an empty reader behind.
func layOut(cards []Config) ([]entry, error) {
	var entries []entry
	last := map[string]int{} // the last entry of a name
	seen := map[string]int{}
	for i, card := range cards {
		name := card.reader()
		if n, found := last[name]; found && len(entries[n].cards) < 2 {
			entries[n].cards = append(entries[n].cards, i)
			continue
		}
		last[name] = len(entries)
		unique := name
		if seen[name] > 0 {
			unique = fmt.Sprintf("%s [%d]", name, seen[name])
		}
		seen[name]++
		entries = append(entries, entry{name: unique, port: firstPort + 2*len(entries), cards: []int{i}})
	}
	if n := 2 * len(entries); n > maxReaders {
		return nil, fmt.Errorf("these cards want %d readers, and pcscd has %d", n, maxReaders)
	}
	return entries, nil
}

// ports maps cards to the ports of their readers.
func ports(entries []entry) map[int]int {
	ports := map[int]int{}
	for _, e := range entries {
		for slot, card := range e.cards {
			ports[card] = e.port + slot
		}
	}
	return ports
}

// readerNames are as clients see them: pcscd puts two numbers behind the name,
// of which the first is always 00, since it counts readers of one driver file.
func readerNames(entries []entry) []string {
	count := 0
	for _, e := range entries {
		count += len(e.cards)
	}
	names := make([]string, count)
	for _, e := range entries {
		for slot, card := range e.cards {
			names[card] = fmt.Sprintf("%s 00 %02X", e.name, slot)
		}
	}
	return names
}

// readerConf is pcscd's configuration. Every entry wants a driver file of its
// own, since the driver keeps its state in the file's one set of variables.
func readerConf(entries []entry, driver func(n int) string) string {
	var b strings.Builder
	for n, e := range entries {
		fmt.Fprintf(&b, "FRIENDLYNAME \"%s\"\nDEVICENAME /dev/null:0x%04X\nLIBPATH %s\nCHANNELID 0x%04X\n\n",
			e.name, e.port, driver(n), e.port)
	}
	return b.String()
}
