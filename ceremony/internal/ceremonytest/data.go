package ceremonytest

import (
	"os"
	"path/filepath"
	"testing"
)

// Data gives the path of a file of ../shared/data, beside the repository: real
// metadata that others have published. The test is skipped where it is absent.
func Data(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(repository(t), "..", "shared", "data", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no published metadata to test against: %s is absent", filepath.Join("..", "shared", "data", name))
	}
	return path
}

// Read gives the content of a file of ../shared/data.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(Data(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// repository is the folder with go.mod.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
