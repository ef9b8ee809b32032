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

// canWait reports whether waitReadable works on the connection.
func canWait(conn net.Conn) bool {
	_, ok := conn.(syscall.Conn)
	return ok
}

// waitReadable waits, without a buffer, until the socket has something to
// read, has ended or its read deadline has passed.
func waitReadable(conn net.Conn) error {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(readable)
}

// readable looks without taking.
func readable(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN
}
