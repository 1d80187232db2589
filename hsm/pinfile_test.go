package hsm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadPIN(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	for _, c := range []struct{ content, pin, refusal string }{
		{"123456", "123456", ""},
		{"123456\n", "123456", ""},
		{"123456\r\n", "123456", ""},
		{"123456\n\n", "123456\n", ""},
		{"123456\r", "123456\r", ""},
		{"123456 \n", "123456 ", ""},
		{"\n123456\n", "\n123456", ""},
		{strings.Repeat("1", 128) + "\r\n", strings.Repeat("1", 128), ""},
		{"", "", "no PIN"},
		{"\n", "", "no PIN"},
		{"\r\n", "", "no PIN"},
		{strings.Repeat("1", 129), "", "more than 128"},
		{strings.Repeat("1", 131), "", "more than 128"},
		{strings.Repeat("1", 4000), "", "more than 128"},
	} {
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		pin, err := ReadPIN(path)
		if string(pin) != c.pin || (err == nil) != (c.refusal == "") {
			t.Errorf("%.20q gives %.20q, %v", c.content, pin, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.refusal) || strings.Contains(err.Error(), strings.Repeat("1", 20))) {
			t.Errorf("%.20q: error is %q, want %q in it", c.content, err, c.refusal)
		}
	}
}

func TestReadPINRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadPIN(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	_, err := ReadPIN(filepath.Join(dir, "none"))
	if !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), "none") != 1 {
		t.Errorf("no file: %v", err)
	}
}

func TestPINSourcePath(t *testing.T) {
	for source, want := range map[string]string{
		"file:/run/pin": "/run/pin", "file:/a b": "/a b", "file:/dev/shm/pin": "/dev/shm/pin", "file:/dev/stdin": "", "file:/proc/self/fd/0": "",
		"": "", "/run/pin": "", "file:run": "", "file:": "", "file:/": "", "file://h/p": "",
		"FILE:/a": "", "|/bin/sh": "", "https://h/p": "", "file:/a\x00": "", "file:/a\n": "",
	} {
		path, err := PINSourcePath(source)
		if path != want || (err == nil) != (want != "") {
			t.Errorf("%q gives %q, %v", source, path, err)
		}
	}
}

func TestPINErrorSaysWhatItCosts(t *testing.T) {
	for tries, want := range map[int]string{Unknown: "does not say", 1: "1 try left", 2: "2 tries left"} {
		if got := (&PINError{TriesLeft: tries}).Error(); !strings.Contains(got, want) {
			t.Errorf("%d: %q", tries, got)
		}
	}
}
