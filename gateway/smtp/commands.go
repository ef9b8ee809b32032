package smtp

import (
	"bytes"
	"postern/gateway/smtp/reply"
	"strconv"
	"strings"

	"postern/gateway/smtp/address"
	"postern/gateway/text"
)

// Labels of replies that answer no command of the table.
const (
	verbConnect = "CONNECT"
	verbMessage = "END-OF-DATA"
	verbUnknown = "UNKNOWN"
)

// traits of a command.
type traits uint16

const (
	plain     traits = 1 << iota // allowed before STARTTLS where TLS is required (RFC 3207 section 4)
	anonymous                    // allowed before AUTH where it is required (RFC 4954 section 6)
	junk                         // counts against MaxJunk
	noArg                        // 501 with an argument
	needArg                      // 501 without
	lmtpOnly                     // 500 on SMTP
	smtpOnly                     // 500 on LMTP
	foreign                      // another protocol's: the connection ends
)

// states, combined.
const (
	always    = stateGreet | stateReady | stateMail | stateRcpt | stateBdat
	noMessage = stateGreet | stateReady | stateMail | stateRcpt
)

// command is a row of the table: what runs, and when it is in order.
type command struct {
	name   string
	in     state
	traits traits
	run    func(*session, []byte) reply.Reply
	on     func(*session) bool // nil: always
	help   string
}

// find looks a verb up, in any case; nil: unknown.
func (s *Server) find(verb []byte) *command {
	for i := range s.commands {
		if c := &s.commands[i]; text.IsWord(verb, c.name) {
			return c
		}
	}
	return nil
}

func isHello(verb string) bool { return verb == "EHLO" || verb == "HELO" || verb == "LHLO" }

// dispatch answers one command line.
func (s *session) dispatch(line []byte) reply.Reply {
	if i := bytes.IndexAny(line, "\x00\r"); i >= 0 {
		return replyBadLine
	}
	if !s.srv.cfg.Strict {
		line = bytes.TrimLeft(line, " \t")
	}
	verb, arg := splitCommand(line)
	c := s.srv.find(verb)
	if c == nil {
		return replyUnknown
	}
	s.cmd, s.verb = c, c.name
	r := s.admit(c, arg)
	switch {
	case r.Zero():
		return c.run(s, arg)
	case c.name == "BDAT":
		return s.refuseChunk(arg, r)
	case c.name == "DATA":
		return s.behind(r)
	}
	return r
}

// splitCommand cuts a line into its verb and its argument.
func splitCommand(line []byte) (verb, arg []byte) {
	line = bytes.TrimRight(line, " \t\r")
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		return line[:i], bytes.TrimLeft(line[i:], " \t")
	}
	return line, nil
}

// admit says whether the command may run now.
func (s *session) admit(c *command, arg []byte) reply.Reply {
	cfg := &s.srv.cfg
	switch {
	case c.traits&foreign != 0:
		s.happened(EventCrossProtocol)
		return s.ended(EndProtocol, replyForeign)
	case c.traits&lmtpOnly != 0 && s.proto != LMTP, c.traits&smtpOnly != 0 && s.proto == LMTP:
		return replyUnknown
	case c.on != nil && !c.on(s):
		return replyOff
	case cfg.TLS == TLSRequire && c.traits&plain == 0 && !s.client.secure():
		return replyNeedTLS
	case cfg.AuthRequired && c.traits&anonymous == 0 && s.client.Auth == "" && !s.client.Unix:
		return replyNeedAuth
	case c.traits&noArg != 0 && len(arg) > 0:
		return replyNoArgument
	case c.traits&needArg != 0 && len(arg) == 0:
		return replyNeedsArg
	case s.state&c.in == 0:
		return s.outOfOrder(c)
	}
	return reply.Reply{}
}

// outOfOrder is 503, but for a DATA whose recipients were all refused.
func (s *session) outOfOrder(c *command) reply.Reply {
	switch {
	case s.state == stateGreet:
		return replyNoHello
	case s.state == stateMail && s.t.Refused > 0 && s.proto != LMTP && (c.name == "DATA" || c.name == "BDAT"):
		return replyNoRcpt
	}
	return replyOrder
}

// lineLimit is how long a line that begins like this may be: AUTH brings its
// initial response along (RFC 4954 section 4).
func (s *session) lineLimit(line []byte) int {
	const auth = "AUTH "
	if s.inExchange || len(line) >= len(auth) && text.IsWord(line[:len(auth)], auth) {
		return maxAuthLine
	}
	return s.srv.cfg.MaxCommandLine
}

// limit counts a reply against the session's limits and makes it a 421 where
// one is reached.
func (s *session) limit(r reply.Reply) reply.Reply {
	cfg, n := &s.srv.cfg, &s.counts
	switch {
	case r.Close || r.Code == 421 || s.verb == verbConnect:
		return r
	case s.verb == verbMessage:
		return s.limitMessages(r)
	case s.verb == "RCPT" && r.Code >= 550 && r.Code < 555:
		n.refused++
	case r.Code == 535: // counted where it fails
	case s.isJunk(r):
		n.junk++
	case r.Code >= 500:
		n.errors++
	}
	switch {
	case reached(n.errors, cfg.HardErrors), reached(n.refused, cfg.MaxRefused):
		return s.ended(EndLimit, replyErrors)
	case reached(n.junk-1, cfg.MaxJunk):
		return s.ended(EndLimit, replyJunk)
	case r.Code >= 500 && cfg.SoftErrors > 0 && n.errors > cfg.SoftErrors && cfg.ErrorDelay > 0:
		s.srv.pause(cfg.ErrorDelay)
	}
	return r
}

func reached(n, limit int) bool { return limit > 0 && n >= limit }

// isJunk: commands that bring no message nearer, sign-ins that nobody looked
// at, recipients above the limit, and those that follow a
// refusal in a pipelined group, which are not the client's fault.
func (s *session) isJunk(r reply.Reply) bool {
	if s.cmd != nil && s.cmd.traits&junk != 0 {
		return true
	}
	if r.Code == 454 && s.verb == "AUTH" {
		return true
	}
	if s.verb == "RCPT" && r.Code == 452 {
		return s.full()
	}
	follows := s.verb == "RCPT" || s.verb == "DATA" || s.verb == "BDAT"
	return follows && (r.Code == 503 || r.Code == 554)
}

// limitMessages: a message that was taken wipes the slate.
func (s *session) limitMessages(r reply.Reply) reply.Reply {
	if r.Code >= 200 && r.Code < 300 {
		s.counts.errors, s.counts.junk, s.counts.refused = 0, 0, 0
	}
	return r
}

// hello answers HELO, EHLO and LHLO, and resets (RFC 5321 section 4.1.4).
func (s *session) hello(arg []byte) reply.Reply {
	name, _, _ := bytes.Cut(arg, []byte(" "))
	if len(name) > address.MaxDomain || bytes.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return replySyntax
	}
	s.reset()
	s.state = stateReady
	s.client.Hello = strings.ToValidUTF8(string(name), "?")
	s.client.Extended = s.verb != "HELO"
	if !s.client.Extended {
		return reply.Reply{Code: 250, Lines: []string{s.srv.cfg.Domain}}
	}
	return reply.Reply{Code: 250, Lines: s.extensions()}
}

// extensions is the answer to EHLO: the domain, then exactly what is on.
func (s *session) extensions() []string {
	cfg := &s.srv.cfg
	lines := []string{cfg.Domain, "PIPELINING", "SIZE " + strconv.FormatInt(cfg.MaxSize, 10), "8BITMIME", "BINARYMIME",
		"CHUNKING", "SMTPUTF8", "ENHANCEDSTATUSCODES"}
	add := func(on bool, line string) {
		if on {
			lines = append(lines, line)
		}
	}
	add(s.offersTLS(), "STARTTLS")
	mechs := s.authLine()
	add(mechs != "", mechs)
	add(cfg.DSN, "DSN")
	add(cfg.DeliverBy, "DELIVERBY")
	add(s.client.TLS != nil, "REQUIRETLS")
	limits := ""
	if cfg.MaxRecipients > 0 {
		limits += " RCPTMAX=" + strconv.Itoa(cfg.MaxRecipients)
	}
	if cfg.MaxMessages > 0 {
		limits += " MAILMAX=" + strconv.Itoa(cfg.MaxMessages)
	}
	add(limits != "", "LIMITS"+limits)
	for _, verb := range [...]string{"VRFY", "EXPN", "SEND", "SOML", "SAML", "TURN"} {
		add(s.isOn(verb), verb)
	}
	return append(lines, "HELP")
}

// noop, rset and quit: RFC 5321 sections 4.1.1.9, 4.1.1.5 and 4.1.1.10.
func (s *session) noop([]byte) reply.Reply { return replyOK }

func (s *session) rset([]byte) reply.Reply {
	s.reset()
	return replyReset
}

func (s *session) quit([]byte) reply.Reply { return s.ended(EndQuit, replyBye) }
