//go:build !cgo || !(linux || darwin)

package pcsc

// Service cannot be had in this build.
type Service struct{}

// Connect refuses: the smart card service is reached through a C library.
func Connect() (*Service, error) { return nil, ErrUnsupported }

// Close has nothing to close.
func (*Service) Close() error { return nil }

// Readers refuses: see Connect.
func (*Service) Readers() ([]string, error) { return nil, ErrUnsupported }

// State refuses: see Connect.
func (*Service) State(string) (State, error) { return State{}, ErrUnsupported }

// Open refuses: see Connect.
func (*Service) Open(string, Sharing) (*Card, error) { return nil, ErrUnsupported }

// Card cannot be had in this build.
type Card struct{}

// Transmit refuses: see Connect.
func (*Card) Transmit([]byte) ([]byte, error) { return nil, ErrUnsupported }

// Close has nothing to close.
func (*Card) Close(Leaving) error { return nil }
