package smtp

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"strconv"

	"postern/gateway/smtp/scram"
)

// plain is RFC 4616: authorization identity, user and password in one response.
func (s *session) plain(first []byte, has bool) (Identity, error) {
	if !has {
		var err error
		if first, err = s.challenge(nil); err != nil {
			return Identity{}, err
		}
	}
	parts := bytes.Split(first, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 {
		return Identity{}, errExchange
	}
	if zid := parts[0]; len(zid) > 0 && !bytes.Equal(zid, parts[1]) {
		return Identity{}, ErrBadCredentials // nobody acts for somebody else here
	}
	return s.checkPassword(string(parts[1]), string(parts[2]))
}

// login is the old mechanism that asks for user and password in turn; many
// clients send the user along.
func (s *session) login(user []byte, has bool) (id Identity, err error) {
	if !has {
		if user, err = s.challenge([]byte("Username:")); err != nil {
			return id, err
		}
	}
	user = bytes.Clone(user)
	password, err := s.challenge([]byte("Password:"))
	if err != nil {
		return id, err
	}
	return s.checkPassword(string(user), string(password))
}

// scramNonce is how many random octets we add to the client's nonce.
const scramNonce = 18

// scram is RFC 5802 with SHA-256 (RFC 7677), without channel binding. A user
// who doesn't exist is told from a wrong password by nobody: the record is made
// up, and no proof fits it.
func (s *session) scram(first []byte, has bool) (Identity, error) {
	var err error
	if !has {
		if first, err = s.challenge(nil); err != nil {
			return Identity{}, err
		}
	}
	hello, err := scram.ParseFirst(string(first))
	if err != nil {
		return Identity{}, err
	}
	s.claims = hello.User
	rec, err := s.srv.auth.SCRAM(s.ctx(), hello.User)
	if err != nil {
		return Identity{}, err
	}
	nonce := hello.Nonce + newNonce()
	server := "r=" + nonce + ",s=" + base64.StdEncoding.EncodeToString(rec.Salt) + ",i=" + strconv.Itoa(rec.Iterations)
	answer, err := s.challenge([]byte(server))
	if err != nil {
		return Identity{}, err
	}
	signature, err := scram.CheckFinal(string(answer), hello, nonce, server, rec.Record)
	if err != nil {
		return Identity{}, err
	}
	if hello.AuthzID != "" && hello.AuthzID != hello.User {
		return Identity{}, ErrBadCredentials
	}
	if _, err := s.challenge([]byte("v=" + base64.StdEncoding.EncodeToString(signature))); err != nil {
		return Identity{}, err
	}
	return rec.Identity, nil
}

// checkPassword asks the authenticator when the client's turn comes.
func (s *session) checkPassword(user, password string) (id Identity, err error) {
	s.send()
	s.claims = user
	err = s.srv.signIns.Check(s.ctx(), s.signInNetwork(), func() (err error) {
		id, err = s.srv.auth.Plain(s.ctx(), user, password)
		return err
	})
	return id, err
}

func newNonce() string {
	var b [scramNonce]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}
