//go:build cgo

package pkcs11

// FinalizeAll finalises every module that this process has initialised, for a
// program that is about to end, on a signal say: some devices stay locked for
// others until they are told that nobody uses them any more. It waits for a
// call that is under way, for five seconds at most in all. Nothing is asked of
// any module afterwards: whoever tries is told that the program is ending.
func FinalizeAll() error { return process.finalizeAll(finalizing) }
