package stream_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"tufceremony/ceremony/internal/stream"
)

// writeTargets makes the payload of a targets role with n targets, always the
// same. One in every changed has another hash than without.
func writeTargets(t testing.TB, path string, n, changed int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprint(w, `{"_type":"targets","expires":"2027-01-12T00:00:00Z","spec_version":"1.0.34","targets":{`)
	for i := range n {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		seed := fmt.Sprint(i)
		if changed > 0 && i%changed == 0 {
			seed += " again"
		}
		sum := sha256.Sum256([]byte(seed))
		fmt.Fprintf(w, `"packages/%02x/%02x/%08d/project_%d-1.%d.0-py3-none-any.whl":{"custom":{"python":">=3.9","uploaded":"2026-%02d-01"},"hashes":{"sha256":"%x"},"length":%d}`,
			byte(i>>16), byte(i>>8), i, i, i%40, 1+i%12, sum, 1000+i)
	}
	fmt.Fprint(w, `},"version":7}`)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkPass(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		path := filepath.Join(b.TempDir(), "payload.json")
		writeTargets(b, path, n, 0)
		b.Run(fmt.Sprintf("sha256-%d", n), func(b *testing.B) {
			each(b, path, func(f *os.File) error {
				_, err := io.CopyBuffer(sha256.New(), struct{ io.Reader }{f}, make([]byte, 256<<10))
				return err
			})
		})
		b.Run(fmt.Sprintf("payload-%d", n), func(b *testing.B) {
			each(b, path, func(f *os.File) error {
				s := stream.Payload(f)
				for s.Next() {
				}
				return s.Err()
			})
		})
	}
}

func each(b *testing.B, path string, do func(*os.File) error) {
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := do(f); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}
