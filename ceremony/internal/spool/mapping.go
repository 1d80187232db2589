package spool

import (
	"bytes"
	"crypto"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
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

func remember(file *os.File, data, sum []byte) {
	mappings.Lock()
	defer mappings.Unlock()
	whole := part{crypto.SHA256, 0, int64(len(data))}
	mappings.all = append(mappings.all, &mapping{file: file, data: data, sums: map[part][]byte{whole: sum}})
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
	key := part{hash, at, at + int64(len(data))}
	m.mu.Lock()
	sum, ok := m.sums[key]
	m.mu.Unlock()
	if ok {
		return slices.Clone(sum)
	}
	h := hash.New()
	if _, err := io.CopyBuffer(h, m.reader(at, int64(len(data))), make([]byte, chunk)); err != nil {
		h.Reset() // our own file on the system's disk: the mapping is all that is left to try
		h.Write(data)
	}
	sum = h.Sum(nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sums[key] = sum
	return slices.Clone(sum)
}

func (m *mapping) agree(p part, sum []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before, ok := m.sums[p]; ok {
		return bytes.Equal(before, sum)
	}
	m.sums[p] = slices.Clone(sum)
	return true
}

// watcher is told how many bytes of how many a pass over a large file has read.
var watcher atomic.Pointer[func(done, size int64)]

// Watch has somebody told of each part that is read of a large file: how many
// bytes of how many. It may be called from several goroutines.
func Watch(tell func(done, size int64)) { watcher.Store(&tell) }

func (m *mapping) reader(at, size int64) io.ReadSeeker {
	return watch(io.NewSectionReader(m.file, at, size), size)
}

func watch(r io.ReadSeeker, size int64) io.ReadSeeker {
	if tell := watcher.Load(); tell != nil && size > Held {
		return &watched{r, size, *tell}
	}
	return r
}

type watched struct {
	io.ReadSeeker
	size int64
	tell func(done, size int64)
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadSeeker.Read(p)
	if at, unknown := w.Seek(0, io.SeekCurrent); unknown == nil {
		w.tell(at, w.size)
	}
	return n, err
}
