package stream

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync"
)

// The chunks that a file is read in. They are small enough to stay in a
// processor's cache from the reader to the hash, and there are enough of them
// for each to be at work all the time.
const (
	chunkSize  = 256 << 10
	chunks     = 6
	firstChunk = 16 << 10 // most metadata is small
	lookahead  = 64       // more than anything looks ahead
)

// chunk is a buffer whose first bytes are left free, for what is still needed
// of the chunk before. The first chunk of a file has none before it.
type chunk struct {
	buf   []byte
	start int // where the bytes of the file begin
	n     int // and how many there are
}

func newChunk(start, size int) *chunk {
	return &chunk{buf: make([]byte, start+size), start: start}
}

// spare are chunks of the usual size that no pass reads any more: to get new ones
// from the system costs as much as to read some megabytes.
var spare sync.Pool

// nextChunk gives one that is not the first of a file.
func nextChunk(size int) *chunk {
	if size == chunkSize {
		if c, ok := spare.Get().(*chunk); ok {
			return c
		}
	}
	return newChunk(size/4+lookahead, size)
}

func (c *chunk) giveBack() {
	if c.start == chunkSize/4+lookahead && len(c.buf) == c.start+chunkSize {
		spare.Put(c)
	}
}

// widen gives a chunk with room for so many bytes of the one before.
func (c *chunk) widen(room int) *chunk {
	wide := newChunk(min(2*room, MaxEntry+lookahead), len(c.buf)-c.start)
	wide.n = copy(wide.buf[wide.start:], c.buf[c.start:c.start+c.n])
	return wide
}

// part is what the hash gets: canonical bytes, which nobody changes any more.
type part struct {
	data  []byte
	chunk *chunk
	moved bool // the file has these bytes, or some before them, in another form
	done  bool // nobody reads the chunk after this
}

// pipe reads ahead of the scanner and hashes behind it. The file is read and
// not mapped into memory: it lies on a medium that can be pulled out, and a
// mapped page that cannot be had ends the process where a read is an error.
type pipe struct {
	full chan *chunk
	free chan *chunk
	hash chan part
	quit chan struct{}
	read error // why full was closed

	sum   hash.Hash
	tee   tee
	size  int64
	wrong error // what the tee said
	ended sync.WaitGroup
}

// tee gets the canonical bytes in order; moved says that they, or some before them,
// stand in the file in another form.
type tee interface {
	take(canonical []byte, moved bool) error
}

// newPipe reads r in chunks of a size, which are used again and again.
func newPipe(r io.Reader, tee tee, size int) *pipe {
	p := &pipe{
		full: make(chan *chunk, chunks),
		free: make(chan *chunk, chunks),
		hash: make(chan part, chunks),
		quit: make(chan struct{}),
		sum:  sha256.New(),
		tee:  tee,
	}
	p.ended.Add(2)
	go p.fill(r, size)
	go p.digest()
	return p
}

// fill reads the file until it ends or nobody wants more.
func (p *pipe) fill(r io.Reader, size int) {
	defer p.ended.Done()
	defer close(p.full)
	for made := 0; ; {
		var c *chunk
		switch {
		case made == 0:
			c = newChunk(0, min(size, firstChunk))
			made++
		case made < chunks && len(p.free) == 0:
			c = nextChunk(size)
			made++
		default:
			select {
			case c = <-p.free:
			case <-p.quit:
				return
			}
		}
		var err error
		if c.n, err = io.ReadFull(r, c.buf[c.start:]); c.n > 0 {
			select {
			case p.full <- c:
			case <-p.quit:
				return
			}
		}
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		if err != nil {
			p.read = err
			return
		}
	}
}

// next gives the next chunk, or why there is none.
func (p *pipe) next() (*chunk, error) {
	c, ok := <-p.full
	if !ok {
		return nil, p.read
	}
	return c, nil
}

func (p *pipe) digest() {
	defer p.ended.Done()
	for part := range p.hash {
		p.sum.Write(part.data)
		p.size += int64(len(part.data))
		if p.tee != nil && p.wrong == nil && len(part.data) > 0 {
			p.wrong = p.tee.take(part.data, part.moved)
		}
		if part.done && part.chunk.start > 0 {
			p.free <- part.chunk
		}
	}
}

// end waits until everything that was handed over is hashed, and nobody reads
// the file any more, so that it can be closed or read again.
func (p *pipe) end() {
	close(p.quit)
	close(p.hash)
	p.ended.Wait()
	for len(p.free) > 0 {
		(<-p.free).giveBack()
	}
}
