//go:build !linux && !darwin

package secret

// NoDumps does nothing: on Windows the system's error reporting decides.
func NoDumps() error { return nil }
