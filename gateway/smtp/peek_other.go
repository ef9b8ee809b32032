//go:build !unix

package smtp

import "net"

// peek can't look here: only what was read already counts as early talk.
func peek(net.Conn) (data, gone bool) { return false, false }

// canWait: sessions stay awake here.
func canWait(net.Conn) bool { return false }

func waitReadable(net.Conn) error { return nil }
