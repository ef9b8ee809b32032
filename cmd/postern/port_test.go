package main

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// freeAddress is a local address for a server that another process starts. It
// lies below the ports that the system gives away by itself (32768 and up on
// Linux), so that nobody is given it before that server listens.
func freeAddress() (string, error) {
	var err error
	for range 100 {
		var ln net.Listener
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(22_000))
		if ln, err = net.Listen("tcp", addr); err == nil {
			return addr, ln.Close()
		}
	}
	return "", err
}
