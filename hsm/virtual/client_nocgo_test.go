//go:build !cgo

package virtual_test

func stopShared() error { return nil }
