package stream_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/stream"
	"tufceremony/ceremony/internal/tufmeta"
)

// writeTargets makes the payload of a targets role with n targets, always the
// same. One in every changed, unless that is 0, has another hash than without.
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
		seed := strconv.Itoa(i)
		if changed > 0 && i%changed == 0 {
			seed += " again"
		}
		fmt.Fprintf(w, `"%s":%s`, targetName(i), targetValue(i, seed))
	}
	fmt.Fprint(w, `},"version":7}`)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func targetName(i int) string {
	return fmt.Sprintf("packages/%02x/%02x/%08d/project_%d-1.%d.0-py3-none-any.whl", byte(i>>16), byte(i>>8), i, i, i%40)
}

func targetValue(i int, seed string) string {
	return fmt.Sprintf(`{"custom":{"python":">=3.9","uploaded":"2026-%02d-01"},"hashes":{"sha256":"%x"},"length":%d}`, 1+i%12, sha256.Sum256([]byte(seed)), 1000+i)
}

// writeClaimed makes the payload of a role that delegates to n projects, each
// with a key of its own. Of the new version's projects one in a hundred is new.
func writeClaimed(t testing.TB, path string, n int, now bool) {
	t.Helper()
	var b bytes.Buffer
	each := func(write func(sep string, i int)) {
		sep := ""
		for i := range n {
			if now || i%100 != 50 {
				write(sep, i)
				sep = ","
			}
		}
	}
	b.WriteString(`{"_type":"targets","delegations":{"keys":{`)
	each(func(sep string, i int) {
		fmt.Fprintf(&b, `%s"%08x%056x":{"keytype":"ecdsa","keyval":{"public":"-----BEGIN PUBLIC KEY-----`+"\n%0124d\n"+`-----END PUBLIC KEY-----`+"\n"+`"},"scheme":"ecdsa-sha2-nistp256"}`, sep, i, i, i)
	})
	b.WriteString(`},"roles":[`)
	each(func(sep string, i int) {
		fmt.Fprintf(&b, `%s{"keyids":["%08x%056x"],"name":"project-%08d","paths":["project-%08d/*"],"terminating":true,"threshold":1}`, sep, i, i, i, i)
	})
	b.WriteString(`]},"expires":"2027-01-12T00:00:00Z","spec_version":"1.0.34","targets":{},"version":7}`)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// work is what is measured, on the files old.json, new.json and sealed.json of
// a folder.
var work = []struct {
	name string
	do   func(dir string) error
}{
	{"payload", func(dir string) error {
		return with(dir, "old.json", func(f *os.File) error {
			_, err := drain(stream.Payload(f))
			return err
		})
	}},
	{"envelope", func(dir string) error {
		return with(dir, "sealed.json", func(f *os.File) error {
			s, err := stream.Envelope(f)
			if err != nil {
				return err
			}
			_, err = drain(s)
			return err
		})
	}},
	{"compare", func(dir string) error {
		return with(dir, "sealed.json", func(old *os.File) error {
			return with(dir, "new.json", func(now *os.File) error {
				s, err := stream.Envelope(old)
				if err != nil {
					return err
				}
				_, err = stream.Compare(s, stream.Payload(now), func(stream.Change) error { return nil })
				return err
			})
		})
	}},
	{"merge", func(dir string) error {
		return with(dir, "old.json", func(f *os.File) error {
			info, err := f.Stat()
			if err != nil {
				return err
			}
			w := stream.NewWriter(io.Discard)
			if err := stream.Merge(w, stream.Payload(f), onePercent(int(info.Size()/bytesEach)), nil); err != nil {
				return err
			}
			_, err = w.Close()
			return err
		})
	}},
	{"seal", func(dir string) error {
		return with(dir, "old.json", func(f *os.File) error {
			sum, err := os.ReadFile(filepath.Join(dir, "digest"))
			if err != nil {
				return err
			}
			return stream.Seal(io.Discard, f, string(sum), []tufmeta.Signature{{KeyID: "k", Sig: "00"}})
		})
	}},
}

// bytesEach is about what a target of writeTargets takes.
const bytesEach = 221

// onePercent replaces every hundredth of n targets.
func onePercent(n int) iter.Seq2[stream.Edit, error] {
	return func(yield func(stream.Edit, error) bool) {
		for i := 0; i < n; i += 100 {
			if !yield(stream.Edit{In: stream.Targets, Name: targetName(i), To: stream.Set([]byte(targetValue(i, "again")))}, nil) {
				return
			}
		}
	}
}

func with(dir, name string, do func(*os.File) error) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	return do(f)
}

// BenchmarkTargets is each thing that is done with a role of many targets, as
// a multiple of SHA-256 alone over the same file. The peak is that of a process
// that does it once.
func BenchmarkTargets(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		dir := b.TempDir()
		writeTargets(b, filepath.Join(dir, "old.json"), n, 0)
		writeTargets(b, filepath.Join(dir, "new.json"), n, 100)
		measure(b, dir, strconv.Itoa(n), "payload", "envelope", "compare", "merge", "seal")
	}
}

// BenchmarkClaimed is the same of a role that delegates to half a million
// projects.
func BenchmarkClaimed(b *testing.B) {
	dir := b.TempDir()
	writeClaimed(b, filepath.Join(dir, "old.json"), 500_000, false)
	writeClaimed(b, filepath.Join(dir, "new.json"), 500_000, true)
	measure(b, dir, "500000", "payload", "envelope", "compare", "seal")
}

func measure(b *testing.B, dir, size string, names ...string) {
	if err := sealIn(dir); err != nil {
		b.Fatal(err)
	}
	for _, w := range work {
		for _, name := range names {
			if name == w.name {
				b.Run(name+"/"+size, func(b *testing.B) { against(b, dir, name, w.do) })
			}
		}
	}
}

// sealIn makes the published file of old.json.
func sealIn(dir string) error {
	return with(dir, "old.json", func(f *os.File) error {
		s := stream.Payload(f)
		if _, err := drain(s); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		sealed, err := os.Create(filepath.Join(dir, "sealed.json"))
		if err != nil {
			return err
		}
		defer sealed.Close()
		if err := os.WriteFile(filepath.Join(dir, "digest"), []byte(s.Digest()), 0o644); err != nil {
			return err
		}
		return stream.Seal(sealed, f, s.Digest(), []tufmeta.Signature{{KeyID: "k", Sig: "00"}})
	})
}

func against(b *testing.B, dir, name string, do func(string) error) {
	info, err := os.Stat(filepath.Join(dir, "old.json"))
	if err != nil {
		b.Fatal(err)
	}
	var alone, took []time.Duration
	clock := func(times *[]time.Duration, do func(string) error) {
		start := time.Now()
		if err := do(dir); err != nil {
			b.Fatal(err)
		}
		*times = append(*times, time.Since(start))
	}
	for b.Loop() {
		b.StopTimer()
		clock(&alone, hashAlone)
		b.StartTimer()
		clock(&took, do)
	}
	b.ReportMetric(median(alone).Seconds()*1000, "ms-sha256")
	b.ReportMetric(median(took).Seconds()/median(alone).Seconds(), "x-sha256")
	b.ReportMetric(float64(info.Size())/1e6, "MB")
	if peak, ok := peakOf(dir, name); ok {
		b.ReportMetric(peak, "MB-peak")
	}
}

func hashAlone(dir string) error {
	return with(dir, "old.json", func(f *os.File) error {
		_, err := io.CopyBuffer(sha256.New(), struct{ io.Reader }{f}, make([]byte, 256<<10))
		return err
	})
}

// median is what a machine that others use as well disturbs least.
func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// alone names the work that a process of this binary is to do, and the folder.
const alone = "STREAM_TEST_WORK"

func TestMain(m *testing.M) {
	name, dir, ok := strings.Cut(os.Getenv(alone), " ")
	if !ok {
		os.Exit(m.Run())
	}
	for _, w := range work {
		if w.name == name {
			if err := w.do(dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kB, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Println(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kB), "kB")))
		}
	}
	os.Exit(0)
}

// peakOf gives the most memory that a process of its own takes for some work,
// in megabytes, where the system tells.
func peakOf(dir, name string) (float64, bool) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), alone+"="+name+" "+dir)
	out, err := c.Output()
	if err != nil {
		return 0, false
	}
	kB, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return kB * 1024 / 1e6, err == nil
}

// What is done with a million targets takes at most 100 MB.
func TestPeak(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("it writes files of half a gigabyte, and the race detector takes memory of its own")
	}
	dir := t.TempDir()
	writeTargets(t, filepath.Join(dir, "old.json"), 1_000_000, 0)
	writeTargets(t, filepath.Join(dir, "new.json"), 1_000_000, 100)
	if err := sealIn(dir); err != nil {
		t.Fatal(err)
	}
	for _, w := range work {
		switch peak, ok := peakOf(dir, w.name); {
		case !ok:
			t.Skip("this system does not tell how much memory a process takes")
		case peak > 100:
			t.Errorf("%s takes %.0f MB", w.name, peak)
		}
	}
}
