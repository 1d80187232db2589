//go:build !linux

package virtual

import "net"

func quickAck(*net.TCPConn) error { return nil }
