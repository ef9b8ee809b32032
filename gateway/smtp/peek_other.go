//go:build !unix

package smtp

import "net"

// peek can't look here: only what was read already counts as early talk.
func peek(net.Conn) (data, gone bool) { return false, false }
