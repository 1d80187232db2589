package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/folder"
)

// small has files of each depth, one empty and one that fills two blocks.
func small() folder.Files {
	return folder.Files{
		"plan.yaml": []byte("plan\n"), "keys/1001/attestation.pem": nil, "metadata/1.root.json": bytes.Repeat([]byte("x"), 600),
	}
}

func encode(files folder.Files) ([]byte, error) {
	var b bytes.Buffer
	err := pack(&b, files)
	return b.Bytes(), err
}

func encoded(t testing.TB) []byte {
	t.Helper()
	data, err := encode(small())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	data := encoded(t)
	files, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(files, small(), bytes.Equal) {
		t.Errorf("read back %v", slices.Sorted(maps.Keys(files)))
	}
	for range 5 {
		if again := encoded(t); !bytes.Equal(again, data) {
			t.Fatal("the same files make different bytes")
		}
	}
}

// A bundle is what it says in the package comment: tar and sha256sum are
// enough to look inside.
func TestTarAndSha256sum(t *testing.T) {
	for _, tool := range []string{"tar", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s", tool)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bundle"), encoded(t), 0o644); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh", "-c", "tar -xf bundle && sha256sum --strict -c MANIFEST && rm bundle MANIFEST && find . -type f | wc -l")
	shell.Dir = dir
	out, err := shell.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), fmt.Sprint(len(small()))) {
		t.Errorf("%v\n%s", err, out)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "metadata", "1.root.json")); err != nil || !bytes.Equal(data, small()["metadata/1.root.json"]) {
		t.Errorf("tar gives %q, %v", data, err)
	}
}

// Whichever byte is changed, and wherever it is cut: it is no bundle any more.
func TestEveryByteCounts(t *testing.T) {
	data := encoded(t)
	for i := range data {
		altered := bytes.Clone(data)
		altered[i] ^= 1 << (i % 8)
		if files, err := Decode(altered); err == nil || files != nil {
			t.Fatalf("byte %d of %d was changed, and it is accepted", i, len(data))
		}
		if files, err := Decode(data[:i]); err == nil || files != nil {
			t.Fatalf("%d of %d bytes are accepted", i, len(data))
		}
	}
	for _, more := range [][]byte{{0}, {'x'}, make([]byte, 512), data} {
		if _, err := Decode(append(bytes.Clone(data), more...)); err == nil {
			t.Errorf("%d bytes were added, and it is accepted", len(more))
		}
	}
}

// What somebody could write into a tar file, with a manifest that matches.
func TestDecodeRefuses(t *testing.T) {
	plan := tar.Header{Typeflag: tar.TypeReg, Name: "plan.yaml", Size: 5, Mode: 0o644, Format: tar.FormatUSTAR}
	with := func(change func(h *tar.Header)) tar.Header { h := plan; change(&h); return h }
	for _, row := range []struct {
		name    string
		headers []tar.Header
		want    string
	}{
		{"as Write writes it", []tar.Header{plan}, ""},
		{"a path that leads out", []tar.Header{plan, with(func(h *tar.Header) { h.Name = "keys/../../x" })}, "is no name of a file"},
		{"a path from the top", []tar.Header{with(func(h *tar.Header) { h.Name = "/plan.yaml" })}, "is no name of a file"},
		{"a file outside the parts", []tar.Header{plan, with(func(h *tar.Header) { h.Name = "notes.txt" })}, `"notes.txt" is no name of a file`},
		{"a file in the place of a folder", []tar.Header{with(func(h *tar.Header) { h.Name = "keys" })}, `"keys" is no name of a file`},
		{"a folder in the place of a file", []tar.Header{with(func(h *tar.Header) { h.Name = "plan.yaml/x" })}, "is no name of a file"},
		{"payloads, which the metadata has", []tar.Header{with(func(h *tar.Header) { h.Name = "payload/1.root.json" })}, "is no name of a file"},
		{"too deep", []tar.Header{with(func(h *tar.Header) { h.Name = "keys/a/b/c" })}, "is no name of a file"},
		{"an escape sequence", []tar.Header{with(func(h *tar.Header) { h.Name = "keys/\x1b[2J" })}, "u001b[2J"},
		{"another mode", []tar.Header{with(func(h *tar.Header) { h.Mode = 0o4755 })}, "was altered"},
		{"a time", []tar.Header{with(func(h *tar.Header) { h.ModTime = time.Unix(1, 0) })}, "was altered"},
		{"an owner", []tar.Header{with(func(h *tar.Header) { h.Uname = "root" })}, "was altered"},
		{"a link", []tar.Header{with(func(h *tar.Header) { h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, "keys", 0 })}, `"plan.yaml" is no plain file`},
		{"a folder", []tar.Header{with(func(h *tar.Header) { h.Typeflag, h.Name, h.Size = tar.TypeDir, "keys/", 0 })}, `"keys/" is no plain file`},
		{"another format", []tar.Header{with(func(h *tar.Header) { h.Format = tar.FormatGNU })}, "was altered"},
		{"a file twice", []tar.Header{plan, plan}, "was altered"},
		{"out of order", []tar.Header{plan, with(func(h *tar.Header) { h.Name = "keys/a.pem" })}, "was altered"},
		{"no file", nil, "was altered"},
	} {
		t.Run(row.name, func(t *testing.T) {
			files, err := Decode(archive(t, row.headers))
			if row.want == "" {
				if err != nil || len(files) != 1 {
					t.Errorf("%v, %v", files, err)
				}
				return
			}
			if err == nil || files != nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%v, want %q", err, row.want)
			}
		})
	}
}

func archive(t *testing.T, headers []tar.Header) []byte {
	t.Helper()
	var out, list bytes.Buffer
	for _, h := range headers {
		if h.Size > 0 {
			fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256([]byte("plan\n")), h.Name)
		}
	}
	w := tar.NewWriter(&out)
	must(t, add(&out, manifest, list.Bytes()))
	for _, h := range headers {
		must(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := io.WriteString(w, "plan\n")
			must(t, err)
		}
	}
	must(t, w.Close())
	return out.Bytes()
}

// A sparse file says in a few bytes that it is larger than any memory. It must
// be refused before it is unpacked.
func TestSparseFile(t *testing.T) {
	const size = 1 << 35 // fits 12 octal digits, and no memory
	h := make([]byte, 512)
	copy(h, "keys/a.pem")
	for at, text := range map[int]string{100: "0000644", 108: "0000000", 116: "0000000", 124: "00000000000", 136: "00000000000", 148: "        ",
		156: "S", 257: "ustar  ", 386: fmt.Sprintf("%012o", size), 398: fmt.Sprintf("%012o", 0), 483: fmt.Sprintf("%012o", size)} {
		copy(h[at:], text)
	}
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	data := append(h, make([]byte, 1024)...)
	if h, err := tar.NewReader(bytes.NewReader(data)).Next(); err != nil || h.Size != size {
		t.Fatalf("tar reads it as %+v, %v: nothing is tested", h, err)
	}
	if files, err := Decode(data); err == nil || files != nil || !strings.Contains(err.Error(), "was altered") {
		t.Errorf("%v, %v", files, err)
	}
}

func TestNothing(t *testing.T) {
	for _, data := range [][]byte{nil, {}, []byte("hello"), make([]byte, 1024), []byte(strings.Repeat("x", 2048))} {
		if files, err := Decode(data); err == nil || files != nil || !strings.Contains(err.Error(), "reading the bundle: ") {
			t.Errorf("%d bytes: %v, %v", len(data), files, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, name := range []string{"notes.txt", "payload/1.root.json", "keys", "keys/a b", "../plan.yaml", ""} {
		if data, err := encode(folder.Files{name: nil}); err == nil || data != nil {
			t.Errorf("%q is written into a bundle, and cannot be read from it", name)
		}
	}
}

// What is accepted is what its content makes, byte for byte.
func FuzzDecode(f *testing.F) {
	f.Add(encoded(f))
	one, err := encode(folder.Files{"plan.yaml": []byte("p")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one)
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := Decode(data)
		if err != nil {
			return
		}
		if again, err := encode(files); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted, and encodes to other bytes (%v)", err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
