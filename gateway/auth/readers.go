package auth

import (
	"slices"

	"postern/gateway/mail"
)

// elsewhere is why no signature counts where readers begin the body at another octet
// than DKIM's blank line, or take lines of the header for content: a stranger put
// them there.
const elsewhere = "the header ends elsewhere for readers"

// doubt settles the signatures that don't cover what readers see.
func (m *message) doubt() {
	for _, s := range m.signatures {
		if m.elsewhere {
			s.settle(policy, elsewhere)
			continue
		}
		s.doubt(m.shown, m.fields)
	}
}

// doubtful reports whether readers see what no signature of the author's covers, so
// that somebody else's pass for it says nothing about that.
func (m *message) doubtful() bool {
	return m.elsewhere || slices.ContainsFunc(m.signatures, func(s *signature) bool {
		return s.result == policy && related(s.domain, m.author())
	})
}

// once are the fields that a mail may have only once (RFC 5322, 3.6; RFC 2045, 3)
// and that readers are shown or read the body by.
var once = []string{"from", "subject", "date", "sender", "reply-to", "to", "cc", "message-id", "in-reply-to", "references",
	"content-type", "content-transfer-encoding"}

// doubt settles a signature that doesn't cover what readers see of the fields that
// it signs: a further one of them (RFC 6376, 8.15), or one that they read otherwise.
// A second From is DMARC's matter.
func (s *signature) doubt(shown *mail.Shown, fields []rawField) {
	for _, name := range once {
		listed := 0
		for _, h := range s.headers {
			if h == name {
				listed++
			}
		}
		if listed == 0 {
			continue
		}
		seen := shown.All(name)
		if len(seen) > listed && name != "from" {
			s.settle(policy, "a further "+name+" is not signed")
		}
		if !slices.EqualFunc(seen, valuesOf(fields, name), sameText) {
			s.settle(policy, "readers see another "+name)
		}
	}
}

func valuesOf(fields []rawField, name string) []string {
	var out []string
	for _, f := range fields {
		if f.name == name {
			out = append(out, f.value())
		}
	}
	return out
}

// sameText compares two values without white space.
func sameText(a []byte, b string) bool {
	return string(a) == b || squeezed(string(a)) == squeezed(b)
}
