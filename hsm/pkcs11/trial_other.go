//go:build cgo && !linux

package pkcs11

import "time"

// try does nothing here. On macOS the system's own libraries, that of smart
// cards among them, end a process that uses them after fork; Windows has no
// fork. A broken module crashes this process.
func try(source, time.Duration) error { return nil }
