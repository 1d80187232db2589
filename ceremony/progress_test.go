package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// The line comes after a second of waiting, is as wide as a terminal at most, and
// is gone before anything else is said and at the end of a pass.
func TestProgress(t *testing.T) {
	var screen bytes.Buffer
	clock := time.Unix(1_800_000_000, 0)
	p := &progress{out: &screen, now: func() time.Time { return clock }}
	step := func(after time.Duration, done int64) string {
		clock = clock.Add(after)
		screen.Reset()
		p.report(done, 2_000_000_000)
		return screen.String()
	}
	for i := range int64(9) {
		if shown := step(100*time.Millisecond, i*1_000_000); shown != "" {
			t.Fatalf("after %d00 ms it says %q", i+1, shown)
		}
	}
	step(100*time.Millisecond, 800_000_000)
	shown := step(100*time.Millisecond, 900_000_000)
	if !strings.Contains(shown, "[##################......................]  45 % of 2000.0 MB") || len(shown) > 80 {
		t.Errorf("it says %q", shown)
	}
	if again := step(10*time.Millisecond, 910_000_000); again != "" {
		t.Errorf("it flickers: %q", again)
	}
	screen.Reset()
	if _, err := (clearing{p, &screen}).Write([]byte("words\n")); err != nil {
		t.Fatal(err)
	}
	before, gone := strings.CutSuffix(screen.String(), "\rwords\n")
	if !gone || strings.Trim(before, " \r") != "" || len(before) < len(strings.TrimLeft(shown, "\r")) {
		t.Errorf("before words it says %q", screen.String())
	}
	if shown := step(200*time.Millisecond, 1_000_000_000); shown == "" {
		t.Error("it does not come back")
	}
	if end := step(time.Millisecond, 2_000_000_000); strings.Trim(end, " \r") != "" || end == "" {
		t.Errorf("at the end it leaves %q", end)
	}
	if late := step(time.Minute, 1_000); late != "" {
		t.Errorf("a new wait begins with %q", late)
	}
}
