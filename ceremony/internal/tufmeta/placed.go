package tufmeta

import (
	"bytes"
	"hash/maphash"
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
	seed  maphash.Seed // or somebody could choose names that all stand in one corner of the table
	table []named      // by hash; place is 0 where nothing stands
}

// named is a name in the table, by its place: half a million names would take more
// memory.
type named struct {
	hash  uint64
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
	x, _ := p.slot([]byte(name))
	return int(x.place) - 1, x.place > 0
}

func (p *placed) index() {
	p.seed = maphash.MakeSeed()
	p.table = make([]named, p.len()*5/4+1)
	for i := range p.len() {
		if x, hash := p.slot(p.name(p.at(i))); x.place == 0 {
			*x = named{hash, int32(i + 1)}
		}
	}
}

// slot is where a name stands, or would, and its hash.
func (p *placed) slot(name []byte) (*named, uint64) {
	hash := maphash.Bytes(p.seed, name)
	first, _ := bits.Mul64(hash, uint64(len(p.table)))
	for i := int(first); ; i = (i + 1) % len(p.table) {
		x := &p.table[i]
		if x.place == 0 || x.hash == hash && bytes.Equal(p.name(p.at(int(x.place)-1)), name) {
			return x, hash
		}
	}
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
