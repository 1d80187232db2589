package spool

import (
	"crypto"
	"io"
	"os"
	"slices"
	"sync"
	"unsafe"
)

// mapping is a large file. The mapping gives it an address by which it is known;
// its bytes are read from the file, since pages that were touched would count as
// memory of the process.
type mapping struct {
	file *os.File
	data []byte
	mu   sync.Mutex
	sums map[part][]byte
}

type part struct {
	hash     crypto.Hash
	from, to int64
}

var mappings struct {
	sync.RWMutex
	all []*mapping
}

func remember(file *os.File, data []byte) {
	mappings.Lock()
	defer mappings.Unlock()
	mappings.all = append(mappings.all, &mapping{file: file, data: data, sums: map[part][]byte{}})
}

// find gives the large file that data is a part of, and where the part begins; or
// nil.
func find(data []byte) (*mapping, int64) {
	if len(data) == 0 {
		return nil, 0
	}
	mappings.RLock()
	defer mappings.RUnlock()
	at := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	for _, m := range slices.Backward(mappings.all) {
		if from := uintptr(unsafe.Pointer(unsafe.SliceData(m.data))); at >= from && at < from+uintptr(len(m.data)) {
			return m, int64(at - from)
		}
	}
	return nil, 0
}

func (m *mapping) sum(hash crypto.Hash, data []byte, at int64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := part{hash, at, at + int64(len(data))}
	if sum, ok := m.sums[key]; ok {
		return slices.Clone(sum)
	}
	h := hash.New()
	if _, err := io.CopyBuffer(h, io.NewSectionReader(m.file, at, int64(len(data))), make([]byte, chunk)); err != nil {
		h.Reset() // our own file on the system's disk: the mapping is all that is left to try
		h.Write(data)
	}
	m.sums[key] = h.Sum(nil)
	return slices.Clone(m.sums[key])
}
