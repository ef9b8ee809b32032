package directory

import "strings"

// listed is the answer with a line for each mailbox, as VRFY and EXPN give it
// (RFC 5321, 3.5.1).
func (a Answer) listed() Answer {
	switch {
	case len(a.Members) > 0:
		a.Lines = nil
		for _, m := range a.Members {
			a.Lines = append(a.Lines, m.String())
		}
	case a.Code == 250:
		a.Lines = []string{Member{a.Name, a.Address}.String()}
	}
	return a
}

// String is "Name <address>", in what a reply line can hold.
func (m Member) String() string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '<' || r == '>' {
			return -1
		}
		return r
	}, m.Name)
	if name == "" {
		return "<" + m.Address + ">"
	}
	return name + " <" + m.Address + ">"
}
