package smtp

import (
	"bytes"

	"postern/gateway/smtp/address"
	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

// vrfy asks the handler whether a user exists (RFC 5321 section 3.5).
func (s *session) vrfy(arg []byte) reply.Reply {
	name, r := s.lookupArg(arg)
	if !r.Zero() {
		return r
	}
	if !s.srv.cfg.Verify {
		return replyCannot
	}
	s.send()
	return sane(s.srv.handler.Verify(s.ctx(), &s.client, name)).Or(replyCannot)
}

// expn asks the handler for a list's members.
func (s *session) expn(arg []byte) reply.Reply {
	name, r := s.lookupArg(arg)
	if !r.Zero() {
		return r
	}
	s.send()
	return sane(s.srv.handler.Expand(s.ctx(), &s.client, name)).Or(replyCannot)
}

// lookupArg reads the argument of VRFY and EXPN: an address or a name, without
// its parameter SMTPUTF8 (RFC 6531 section 3.7.4.2), which it needs where it is
// not ASCII.
func (s *session) lookupArg(arg []byte) (string, reply.Reply) {
	const utf8 = "SMTPUTF8"
	if i := bytes.LastIndexByte(arg, ' '); i > 0 && text.IsWord(arg[i+1:], utf8) {
		s.utf8 = true
		arg = bytes.TrimRight(arg[:i], " ")
	}
	who, ok := address.ParseLookup(arg, s.srv.cfg.manners())
	switch {
	case !ok:
		return "", replyAddress
	case !s.utf8 && !text.IsASCII(who):
		return "", replyNoUTF8
	}
	return who, reply.Reply{}
}

// help says what is on, one command's syntax, or how the server does.
func (s *session) help(arg []byte) reply.Reply {
	switch {
	case len(arg) == 0:
		return s.helpAll()
	case text.IsWord(arg, "STATUS"):
		own := reply.New(211, reply.Enhanced{2, 0, 0}, s.srv.cfg.Domain+" is up")
		return sane(s.srv.handler.Status(s.ctx(), &s.client)).Or(own)
	}
	c := s.srv.find(arg)
	if c == nil || !s.offered(c) {
		return replyNoTopic
	}
	return reply.New(214, reply.Enhanced{2, 0, 0}, c.help)
}

func (s *session) helpAll() reply.Reply {
	lines := []string{"Commands:"}
	for i := range s.srv.commands {
		c := &s.srv.commands[i]
		if !s.offered(c) {
			continue
		}
		if last := &lines[len(lines)-1]; len(*last) < 60 {
			*last += " " + c.name
		} else {
			lines = append(lines, c.name)
		}
	}
	lines = append(lines, "HELP <command> gives its syntax, HELP STATUS the server's state")
	return reply.Reply{Code: 214, Enhanced: reply.Enhanced{2, 0, 0}, Lines: lines}
}

// offered reports whether the command would be understood here.
func (s *session) offered(c *command) bool {
	other := lmtpOnly
	if s.proto == LMTP {
		other = smtpOnly
	}
	return c.traits&(foreign|other) == 0 && (c.on == nil || c.on(s))
}
