package smtp

import "net/netip"

var networkNone netip.Prefix

// readProxy takes the PROXY header off where one is due.
func (s *session) readProxy() Reply {
	return Reply{}
}
