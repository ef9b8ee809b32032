package smtp

// ParseAddress reads what Address.String wrote: a mailbox, a bare local part
// such as postmaster, or "" for the null reverse-path.
func ParseAddress(s string) (Address, bool) {
	if s == "" {
		return Address{}, true
	}
	return parseMailbox([]byte(s))
}
