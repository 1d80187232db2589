package spool_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"tufceremony/ceremony/internal/spool"
)

// Parts are what the data has there: in order, anywhere, and asked for by several at
// once; of a file that is held, and of a part of one that is not.
func TestParts(t *testing.T) {
	random := rand.New(rand.NewPCG(20261123, 3))
	want := make([]byte, spool.Held+300_000)
	for i := range want {
		want[i] = byte(random.Uint32())
	}
	large, err := spool.Create(func(w io.Writer) error { _, err := w.Write(want); return err })
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string][2][]byte{"held": {want[:1000], want[:1000]}, "large": {large, want}, "part of a large one": {large[777:], want[777:]}} {
		data, want := row[0], row[1]
		parts := spool.NewParts(data)
		check := func(from, n int) {
			if have := parts.At(int64(from), n); !bytes.Equal(have, want[from:from+n]) {
				t.Errorf("%s: %d bytes from %d on are others", name, n, from)
			}
		}
		for from := 0; from < len(want); {
			n := min(1+from%500, len(want)-from)
			check(from, n)
			from += n + min(from%3, len(want)-from-n)
		}
		var all sync.WaitGroup
		for seed := range uint64(4) {
			all.Go(func() {
				random := rand.New(rand.NewPCG(seed, 4))
				for range 2000 {
					from := random.IntN(len(want))
					check(from, random.IntN(min(len(want)-from, 100_000)+1))
				}
			})
		}
		all.Wait()
		check(len(want), 0)
	}
}
