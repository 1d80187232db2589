package secret

import (
	"bytes"
	"testing"
)

func TestFree(t *testing.T) {
	a, b := New(8), Copy([]byte("123456"))
	copy(a, "31415926")
	if len(a) != 8 || cap(a) != 8 || string(b) != "123456" {
		t.Fatalf("%d of %d bytes, %q", len(a), cap(a), b)
	}
	Free(a[2:4]) // a part is enough
	Free(a)
	Free(a)
	Free(nil)
	Free(New(0))
	c := New(8)
	if !bytes.Equal(c, make([]byte, 8)) || string(b) != "123456" {
		t.Errorf("new memory is %q, the other's %q", c, b)
	}
	Free(b)
	Free(c)
	elsewhere := []byte("123456")
	Free(elsewhere)
	if !bytes.Equal(elsewhere, make([]byte, 6)) {
		t.Errorf("memory from elsewhere is %q after Free", elsewhere)
	}
}

// More secrets than there are pages, and larger ones, are still secrets.
func TestMoreThanPages(t *testing.T) {
	var many [][]byte
	for range 2 * pages {
		many = append(many, Copy([]byte("123456")))
	}
	many = append(many, New(1<<20))
	for _, b := range many {
		Free(b)
	}
	for _, b := range many[pages+1:] {
		if _, mine := all.page(b); !mine && !bytes.Equal(b, make([]byte, len(b))) {
			t.Error("a secret was not wiped")
		}
	}
	for page, used := range all.used {
		if used {
			t.Errorf("page %d was not given back", page)
		}
	}
}
