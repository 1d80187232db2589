package tufmeta

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"sync"

	"tufceremony/ceremony/internal/spool"
)

// step is how many entries are counted from the one whose place is known.
const step = 64

// placed is where entries lie in canonical bytes, one after the other.
type placed struct {
	every   []int64 // where each one lies after a step
	length  []int32
	between int64 // bytes between two of them
	name    func(entry []byte) []byte

	parts *spool.Parts
	once  sync.Once
	table []nameID // by the first bytes of the ID; place is 0 where nothing stands
}

// nameID stands for a name, of which half a million would take more memory. Of two
// names of one ID, which are two texts of which SHA-256 has the same 16 bytes, the
// second is not found.
type nameID struct {
	sum   [16]byte
	place int32 // from 1 on
}

func (p *placed) add(from int64, length int) {
	if len(p.length)%step == 0 {
		p.every = append(p.every, from)
	}
	p.length = append(p.length, int32(length))
}

func (p *placed) len() int {
	if p == nil {
		return 0
	}
	return len(p.length)
}

func (p *placed) at(place int) []byte {
	from := p.every[place/step]
	for _, length := range p.length[place/step*step : place] {
		from += int64(length) + p.between
	}
	return p.parts.At(from, int(p.length[place]))
}

// find gives the place of the first entry with a name. The names are gone through
// when one is asked for.
func (p *placed) find(name string) (int, bool) {
	if p.len() == 0 {
		return 0, false
	}
	p.once.Do(p.index)
	place := int(p.slot(idOf([]byte(name)).sum).place) - 1
	return place, place >= 0 && string(p.name(p.at(place))) == name
}

func (p *placed) index() {
	p.table = make([]nameID, p.len()*5/4+1)
	for i := range p.len() {
		id := idOf(p.name(p.at(i)))
		if x := p.slot(id.sum); x.place == 0 {
			id.place = int32(i + 1)
			*x = id
		}
	}
}

// slot is where an ID stands, or would.
func (p *placed) slot(sum [16]byte) *nameID {
	first, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:]), uint64(len(p.table)))
	for i := int(first); ; i = (i + 1) % len(p.table) {
		if x := &p.table[i]; x.place == 0 || x.sum == sum {
			return x
		}
	}
}

func idOf(name []byte) nameID {
	sum := sha256.Sum256(name)
	return nameID{sum: [16]byte(sum[:16])}
}

// nameOfRole and idOfKey give the names of entries.
func nameOfRole(entry []byte) []byte {
	name := memberOf(entry, "name")
	if len(name) == 0 || name[0] != '"' {
		return nil // it was refused
	}
	return textOf(name)
}

// memberOf gives the value of a member, or nil.
func memberOf(object []byte, member string) []byte {
	for name, value := range Members(object) {
		if string(name) == member {
			return value
		}
	}
	return nil
}

func idOfKey(entry []byte) []byte {
	for id := range Members(entry) {
		return id
	}
	return nil
}
