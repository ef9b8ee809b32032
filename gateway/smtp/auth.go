package smtp

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"postern/gateway/smtp/limit"
	"postern/gateway/smtp/reply"
	"postern/gateway/smtp/scram"
	"postern/gateway/text"
)

// ErrBadCredentials is returned by an Authenticator where user or password is
// wrong; the client is answered 535 5.7.8. Any other error is 454 4.7.0.
var ErrBadCredentials = errors.New("smtp: wrong user or password")

// Authenticator knows who may sign in.
type Authenticator interface {
	// Mechanisms are those that all users can use now, best first, of "PLAIN",
	// "LOGIN" and "SCRAM-SHA-256". A client takes the best one and doesn't
	// fall back, so a mechanism that works for some users only is not for it.
	Mechanisms() []string
	// Plain checks a user's password. It may be made to cost CPU on purpose:
	// only a few run at once. A user who doesn't exist must cost the same.
	Plain(ctx context.Context, user, password string) (Identity, error)
	// SCRAM is a user's record for SCRAM-SHA-256 (RFC 5802, 7677), a made-up
	// one for a user who doesn't exist.
	SCRAM(ctx context.Context, user string) (SCRAMRecord, error)
}

// Identity is who signed in.
type Identity struct {
	Name    string
	Collect []string // the endpoints whose waiting mail it may take by TURN
}

// SCRAMRecord is a user's record.
type SCRAMRecord struct {
	Identity Identity
	scram.Record
}

// maxAuthLine is the longest line of an exchange, with AUTH and the
// mechanism's name before an initial response (RFC 4954 section 4).
const maxAuthLine = 12288 + 64

// mechanism is a SASL mechanism of ours.
type mechanism struct {
	name  string
	clear bool // the password itself goes over the wire
	run   func(*session, []byte, bool) (Identity, error)
}

// knownMechanisms are those that can be spoken.
func knownMechanisms() []mechanism {
	return []mechanism{
		{"SCRAM-SHA-256", false, (*session).scram},
		{"PLAIN", true, (*session).plain},
		{"LOGIN", true, (*session).login},
	}
}

// offers are the mechanisms that the authenticator names now.
func (s *Server) offers() []mechanism {
	var list []mechanism
	for _, name := range s.auth.Mechanisms() {
		for _, m := range s.mechs {
			if m.name == name {
				list = append(list, m)
			}
		}
	}
	return list
}

// checkMechanisms refuses an authenticator whose mechanisms nobody knows.
func checkMechanisms(a Authenticator) error {
	for _, name := range a.Mechanisms() {
		if !slices.ContainsFunc(knownMechanisms(), func(m mechanism) bool { return m.name == name }) {
			return fmt.Errorf("smtp: the authenticator names the mechanism %q, which is not one of PLAIN, LOGIN, SCRAM-SHA-256", name)
		}
	}
	return nil
}

// allowed: a password in the clear only where nobody listens.
func (s *session) allowed(m mechanism) bool {
	return !m.clear || s.client.secure() || s.srv.cfg.AuthInsecure
}

// authLine is the AUTH keyword of EHLO, "" without a mechanism to offer.
func (s *session) authLine() string {
	if s.srv.auth == nil {
		return ""
	}
	line := ""
	for _, m := range s.srv.offers() {
		if s.allowed(m) {
			line += " " + m.name
		}
	}
	if line == "" {
		return ""
	}
	return "AUTH" + line
}

// Ways in which an exchange ends that are not about credentials.
var (
	errCancelled = errors.New("smtp: exchange cancelled")
	errEncoding  = errors.New("smtp: not base64")
	errExchange  = errors.New("smtp: not a message of the mechanism")
)

// lostError is a connection that failed in the middle of an exchange.
type lostError struct{ error }

// authenticate runs an exchange (RFC 4954 section 4), and tells the handler of
// one that somebody failed.
func (s *session) authenticate(arg []byte) reply.Reply {
	if s.client.Auth != "" {
		return replyOrder
	}
	s.claims = ""
	how, r := s.exchange(arg)
	s.srv.observer.SignedIn(&s.client, how)
	if r.Code >= 400 && s.claims != "" {
		s.srv.handler.Refused(&s.client, s.verb, s.claims, r)
	}
	return r
}

func (s *session) exchange(arg []byte) (SignIn, reply.Reply) {
	if s.srv.signIns.Barred(s.signInNetwork(), time.Now()) {
		return SignInBarred, replyAuthBarred
	}
	name, initial, hasInitial := bytes.Cut(arg, []byte(" "))
	m, r := s.mechanism(name)
	if !r.Zero() {
		return SignInRefused, r
	}
	first, err := decodeInitial(bytes.TrimLeft(initial, " "))
	if err != nil {
		return s.authFailed(err)
	}
	id, err := m.run(s, first, hasInitial)
	if err != nil {
		return s.authFailed(err)
	}
	s.client.Auth, s.client.Collect = id.Name, id.Collect
	return SignInOK, replyAuthed
}

// mechanism finds the one that the client named, or says why it can't have it.
func (s *session) mechanism(name []byte) (mechanism, reply.Reply) {
	for _, m := range s.srv.offers() {
		switch {
		case !text.IsWord(name, m.name):
		case s.allowed(m):
			return m, reply.Reply{}
		case s.offersTLS():
			return m, reply.New(538, reply.Enhanced{5, 7, 11}, "Encryption required for this mechanism: use STARTTLS first")
		default:
			return m, reply.New(534, reply.Enhanced{5, 7, 9}, "Mechanism too weak without encryption")
		}
	}
	return mechanism{}, reply.New(504, reply.Enhanced{5, 5, 4}, "Mechanism not implemented")
}

// decodeInitial decodes an initial response; "=" is an empty one.
func decodeInitial(b []byte) ([]byte, error) {
	if string(b) == "=" {
		return nil, nil
	}
	return decode64(b)
}

func decode64(b []byte) ([]byte, error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Strict().Decode(out, b)
	if err != nil {
		return nil, errEncoding
	}
	return out[:n], nil
}

// challenge sends one and reads the response.
func (s *session) challenge(text []byte) ([]byte, error) {
	s.say(reply.Reply{Code: 334, Lines: []string{base64.StdEncoding.EncodeToString(text)}})
	s.inExchange = true
	line, err := s.readLine()
	s.inExchange = false
	switch {
	case errors.Is(err, errLineTooLong):
		return nil, err
	case err != nil:
		return nil, lostError{err}
	case string(line) == "*":
		return nil, errCancelled
	}
	return decode64(line)
}

// authFailed answers an exchange that led nowhere; wrong credentials cost time
// and, a few times over, the connection.
func (s *session) authFailed(err error) (SignIn, reply.Reply) {
	var lost lostError
	switch {
	case errors.As(err, &lost):
		return SignInCancelled, s.lost(lost.error)
	case errors.Is(err, errCancelled):
		return SignInCancelled, reply.New(501, reply.Enhanced{5, 7, 0}, "Authentication cancelled")
	case errors.Is(err, errEncoding):
		return SignInMalformed, reply.New(501, reply.Enhanced{5, 5, 2}, "Not base64")
	case errors.Is(err, errExchange), errors.Is(err, scram.ErrSyntax):
		return SignInMalformed, reply.New(501, reply.Enhanced{5, 5, 2}, "Not a message of this mechanism")
	case errors.Is(err, errLineTooLong):
		return SignInMalformed, replyAuthTooLong
	case errors.Is(err, limit.ErrLine):
		return SignInBusy, replyAuthBusy
	case errors.Is(err, ErrBadCredentials), errors.Is(err, scram.ErrProof):
		return SignInWrong, s.badCredentials()
	}
	s.srv.log.Error("authentication is not available", "client", s.client.Addr, "err", err)
	return SignInUnavailable, reply.New(454, reply.Enhanced{4, 7, 0}, "Temporary authentication failure")
}

func (s *session) badCredentials() reply.Reply {
	s.srv.signIns.Failed(s.signInNetwork(), time.Now())
	s.srv.pause(s.srv.cfg.ErrorDelay)
	if s.counts.auth++; reached(s.counts.auth, s.srv.cfg.MaxAuthFailures) {
		return s.ended(EndLimit, reply.New(421, reply.Enhanced{4, 7, 0}, "Too many failed attempts to sign in"))
	}
	return reply.New(535, reply.Enhanced{5, 7, 8}, "Authentication credentials invalid")
}

func (s *session) signInNetwork() netip.Prefix { return limit.SignInNetwork(s.client.Addr.Addr()) }
