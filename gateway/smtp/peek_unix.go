//go:build unix

package smtp

import (
	"net"
	"syscall"
)

// peek looks at a socket without waiting and without taking anything from it:
// whether octets wait there, and whether the peer has hung up.
func peek(conn net.Conn) (data, gone bool) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false, true
	}
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		data = n > 0
		gone = err == nil && n == 0 || err == syscall.ECONNRESET
	})
	return data, gone || err != nil
}
