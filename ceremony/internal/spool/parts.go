package spool

import "sync"

// onward is how much is read at once of what is gone through in order, in bytes.
const onward = 64 << 10

// Parts gives parts of data as they are asked for. Those of a large file are read
// from it, since pages of the mapping that were touched would count as memory of the
// process; parts that are asked for in order cost few reads. It can be used from
// several goroutines.
type Parts struct {
	data []byte
	file *mapping
	base int64 // where data begins in the file

	mu   sync.Mutex
	read []byte
	from int64 // where read begins in data
	last int64 // where the part ended that was asked for last
}

// NewParts is for data that ReadFile or Create gave, a part of that, or any other.
func NewParts(data []byte) *Parts {
	m, at := find(data)
	return &Parts{data: data, file: m, base: at}
}

// At gives n bytes from a place on, which must lie in the data.
func (p *Parts) At(from int64, n int) []byte {
	end := from + int64(n)
	if p.file == nil {
		return p.data[from:end:end]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if from < p.from || end > p.from+int64(len(p.read)) {
		most := int64(n)
		if from >= p.last && from < p.last+onward {
			most = min(max(most, onward), int64(len(p.data))-from)
		}
		p.from, p.read = from, p.pread(from, most)
	}
	p.last = end
	at := from - p.from
	return p.read[at : at+int64(n) : at+int64(n)]
}

func (p *Parts) pread(from, n int64) []byte {
	read := make([]byte, n)
	if _, err := p.file.file.ReadAt(read, p.base+from); err != nil {
		copy(read, p.data[from:from+n]) // our own file on the system's disk: the mapping is all that is left to try
	}
	return read
}
