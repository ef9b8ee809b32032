package smtp

// commandTable is the protocol at a glance. EXPN, SEND, SOML, SAML and TURN are
// 502 where they are off, whatever the state; a verb that isn't here is 500.
func commandTable() []command {
	return []command{
		{"EHLO", always, plain | anonymous | junk | needArg | smtpOnly, (*session).hello, nil, "EHLO <domain>"},
		{"HELO", always, anonymous | junk | needArg | smtpOnly, (*session).hello, nil, "HELO <domain>"},
		{"LHLO", always, plain | anonymous | junk | needArg | lmtpOnly, (*session).hello, nil, "LHLO <domain>"},
		{"MAIL", stateReady, needArg, (*session).mail, nil, "MAIL FROM:<address> [parameter ...]"},
		{"RCPT", stateMail | stateRcpt, needArg, (*session).rcpt, nil, "RCPT TO:<address> [parameter ...]"},
		{"DATA", stateRcpt, noArg, (*session).data, nil, "DATA, then the message, ended by <CR><LF>.<CR><LF>"},
		{"BDAT", stateRcpt | stateBdat, needArg, (*session).bdat, nil, "BDAT <octets> [LAST], then so many octets"},
		{"RSET", always, anonymous | junk | noArg, (*session).rset, nil, "RSET"},
		{"NOOP", always, plain | anonymous | junk, (*session).noop, nil, "NOOP [anything]"},
		{"QUIT", always, plain | anonymous | noArg, (*session).quit, nil, "QUIT"},
		{"STARTTLS", stateReady | stateMail | stateRcpt, plain | anonymous | noArg, (*session).starttls, (*session).canTLS, "STARTTLS"},
		{"AUTH", stateReady, anonymous | needArg, (*session).authenticate, (*session).canAuth, "AUTH <mechanism> [initial response]"},
		{"VRFY", noMessage, junk | needArg, (*session).vrfy, nil, "VRFY <user or address>"},
		{"EXPN", noMessage, junk | needArg, (*session).expn, (*session).canExpand, "EXPN <list>"},
		{"HELP", noMessage, anonymous | junk, (*session).help, nil, "HELP [command | STATUS]"},
		{"SEND", stateReady, needArg, (*session).mail, (*session).canLegacy, "SEND FROM:<address>: to the user's terminal, now or never"},
		{"SOML", stateReady, needArg, (*session).mail, (*session).canLegacy, "SOML FROM:<address>: to the user's terminal or the mailbox"},
		{"SAML", stateReady, needArg, (*session).mail, (*session).canLegacy, "SAML FROM:<address>: to the user's terminal and the mailbox"},
		{"TURN", stateReady, noArg, (*session).turn, (*session).canTurn, "TURN: you become the server and get the mail that waits"},
		{"GET", always, foreign, nil, nil, ""},
		{"POST", always, foreign, nil, nil, ""},
		{"PUT", always, foreign, nil, nil, ""},
		{"HEAD", always, foreign, nil, nil, ""},
		{"OPTIONS", always, foreign, nil, nil, ""},
		{"CONNECT", always, foreign, nil, nil, ""},
		{"PRI", always, foreign, nil, nil, ""},
		{"PROXY", always, foreign, nil, nil, ""},
	}
}

func (s *session) canExpand() bool { return s.srv.cfg.Expand }
func (s *session) canLegacy() bool { return s.srv.cfg.Legacy }

// canTurn: only who signed in where nobody listens, and has mail to collect.
func (s *session) canTurn() bool {
	private := s.client.secure() || s.srv.cfg.AuthInsecure
	return s.srv.cfg.Turn && s.srv.collector != nil && s.client.Auth != "" && private && len(s.client.Collect) > 0
}

func (s *session) canAuth() bool { return s.srv.auth != nil }

// canTLS also where a proxy or SMTPS made TLS already: then it is out of order.
func (s *session) canTLS() bool {
	return s.srv.cfg.TLS != TLSOff && !s.client.Unix
}

// offersTLS: not again inside TLS (RFC 3207 section 4.2).
func (s *session) offersTLS() bool { return s.canTLS() && s.client.TLS == nil }

// isOn reports whether the command of that name would run.
func (s *session) isOn(verb string) bool {
	if verb == "VRFY" {
		return s.srv.cfg.Verify
	}
	c := s.srv.find([]byte(verb))
	return c != nil && (c.on == nil || c.on(s))
}
