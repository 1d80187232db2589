package main

import (
	"fmt"
	"os"
	"strings"
)

// peakVariable names a file that gets the peak memory of the program, in MB. What
// the system tells the parent counts the parent's own memory, up to the start of
// the program.
const peakVariable = "CEREMONY_TEST_PEAK"

func notePeak() {
	file := os.Getenv(peakVariable)
	if file == "" {
		return
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	var kilobytes int64
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(line, &kilobytes); err != nil {
		panic(err)
	}
	if err := os.WriteFile(file, fmt.Append(nil, kilobytes/1024), 0o600); err != nil {
		panic(err)
	}
}
