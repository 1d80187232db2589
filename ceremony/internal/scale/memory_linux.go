package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// peakOf is the most memory that a process has had so far, in bytes, and 0
// where there is no such process any more.
func peakOf(pid string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%s/status", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if kB, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			n, _ := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(kB), []byte(" kB"))), 10, 64)
			return n * 1024
		}
	}
	return 0
}

func peakHere() int64 { return peakOf("self") }

// peakAfter is what the system says of a process that has ended. Linux counts
// from before the program was started, when the memory was that of the process
// that started it: less than that says nothing.
func peakAfter(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok || usage.Maxrss*1024 <= peakHere() {
		return 0
	}
	return usage.Maxrss * 1024
}
