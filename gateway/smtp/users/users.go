// Package users is who may sign in: a file with a line for each user,
//
//	name:record
//	name:record:collect=endpoint1,endpoint2
//
// whose record is bcrypt ("$2b$…", as htpasswd -B writes it) or SCRAM-SHA-256
// ("SCRAM-SHA-256$4096:salt$storedkey:serverkey", as PostgreSQL writes it).
// Empty lines and lines that begin with "#" are passed over. The file is read
// again when it changes; while it is broken, the last good one holds.
//
// Who doesn't know a password can't find out whether its user exists: a
// stranger's record has the form, the cost and a salt like a user's, the same
// on every replica and after a restart.
package users

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"

	"golang.org/x/crypto/bcrypt"

	"postern/gateway/reload"
	"postern/gateway/smtp"
)

// Users is an smtp.Authenticator.
type Users struct{ file *reload.File[list] }

// Open reads the file; it must be good at the start.
func Open(path string, deps reload.Deps) (*Users, error) {
	f, err := reload.Open(deps, func() (list, error) { return read(path) }, path)
	if err != nil {
		return nil, err
	}
	return &Users{f}, nil
}

var (
	allMechanisms   = []string{"SCRAM-SHA-256", "PLAIN", "LOGIN"}
	plainMechanisms = allMechanisms[1:]
)

// Mechanisms implements smtp.Authenticator. SCRAM is offered only where every
// user has a SCRAM record.
func (u *Users) Mechanisms() []string {
	if u.file.Get().scram {
		return allMechanisms
	}
	return plainMechanisms
}

// Plain implements smtp.Authenticator.
func (u *Users) Plain(_ context.Context, name, password string) (smtp.Identity, error) {
	one, known := u.find(name)
	matches := false
	if one.bcrypt != nil {
		matches = bcrypt.CompareHashAndPassword(one.bcrypt, []byte(password)) == nil
	} else {
		matches = scramMatches(one.scram, password)
	}
	if !known || !matches {
		return smtp.Identity{}, smtp.ErrBadCredentials
	}
	return one.identity, nil
}

// SCRAM implements smtp.Authenticator.
func (u *Users) SCRAM(_ context.Context, name string) (smtp.SCRAMRecord, error) {
	one, _ := u.find(name)
	if one.bcrypt != nil {
		return u.file.Get().stranger.scram(name, defaultIterations, defaultSalt), nil
	}
	return one.scram, nil
}

// find looks a user up in the present file. Who isn't there gets a record that
// no password matches; it is made for everybody, so that it costs the same.
func (u *Users) find(name string) (one user, known bool) {
	l := u.file.Get()
	madeUp := l.stranger.record(name)
	if one, known = l.all[name]; known {
		return one, true
	}
	return madeUp, false
}

// scramMatches checks a password against a SCRAM record (RFC 5802, 3).
func scramMatches(r smtp.SCRAMRecord, password string) bool {
	salted, err := pbkdf2.Key(sha256.New, password, r.Salt, r.Iterations, sha256.Size)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, salted)
	mac.Write([]byte("Client Key"))
	stored := sha256.Sum256(mac.Sum(nil))
	return subtle.ConstantTimeCompare(stored[:], r.StoredKey) == 1
}
