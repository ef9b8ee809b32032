package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"postern/cmd/internal/config"
	"postern/gateway/reload"
	"postern/gateway/smtp"
)

// users is who may sign in: a file with a line for each,
//
//	name:record
//	name:record:collect=endpoint1,endpoint2
//
// whose record is bcrypt ("$2b$…", as htpasswd -B writes it) or SCRAM-SHA-256
// ("SCRAM-SHA-256$4096:salt$storedkey:serverkey", as PostgreSQL writes it).
// Empty lines and lines that begin with "#" are passed over. The file is read
// again when it changes; while it is broken, the last good one holds.
type users struct{ file *reload.File[userList] }

// userList is what the file says.
type userList struct {
	all   map[string]user
	scram bool // all records are SCRAM
}

type user struct {
	identity smtp.Identity
	bcrypt   []byte // else the SCRAM record holds
	scram    smtp.SCRAMRecord
}

// usersMax bounds the file: a record is about 100 octets.
const usersMax = 64 << 20

func newUsers(path string, deps reload.Deps) (*users, error) {
	f, err := reload.Open(deps, func() (userList, error) { return readUsers(path) }, path)
	if err != nil {
		return nil, config.Refuse("USERS_FILE", err)
	}
	return &users{f}, nil
}

func readUsers(path string) (userList, error) {
	text, err := reload.Bytes(path, usersMax)
	if err != nil {
		return userList{}, err
	}
	all, err := parseUsers(text)
	if err != nil {
		return userList{}, fmt.Errorf("%s: %w", path, err)
	}
	l := userList{all, len(all) > 0}
	for _, one := range all {
		l.scram = l.scram && one.bcrypt == nil
	}
	return l, nil
}

func parseUsers(text []byte) (map[string]user, error) {
	all := map[string]user{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		one, err := parseUser(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err) // never the line itself: it holds a secret
		}
		if _, twice := all[one.identity.Name]; twice {
			return nil, fmt.Errorf("line %d: the user %q was named before", n, one.identity.Name)
		}
		all[one.identity.Name] = one
	}
	return all, lines.Err()
}

func parseUser(line string) (user, error) {
	name, record, ok := strings.Cut(line, ":")
	if !ok || name == "" {
		return user{}, fmt.Errorf("write name:record, the record bcrypt or SCRAM-SHA-256")
	}
	u := user{identity: smtp.Identity{Name: name}}
	if at := strings.LastIndex(record, ":collect="); at >= 0 {
		u.identity.Collect = strings.Split(record[at+len(":collect="):], ",")
		record = record[:at]
	}
	if strings.HasPrefix(record, "$2") {
		if _, err := bcrypt.Cost([]byte(record)); err != nil {
			return user{}, fmt.Errorf("the bcrypt record of %q can't be used: %w", name, err)
		}
		u.bcrypt = []byte(record)
		return u, nil
	}
	var err error
	u.scram, err = parseSCRAM(record)
	u.scram.Identity = u.identity
	if err != nil {
		return user{}, fmt.Errorf("the record of %q is neither bcrypt ($2b$…) nor SCRAM-SHA-256$iterations:salt$storedkey:serverkey", name)
	}
	return u, nil
}

// parseSCRAM reads PostgreSQL's form of a SCRAM record.
func parseSCRAM(record string) (r smtp.SCRAMRecord, err error) {
	parts := strings.Split(record, "$")
	if len(parts) != 3 || parts[0] != "SCRAM-SHA-256" {
		return r, fmt.Errorf("not a SCRAM-SHA-256 record")
	}
	iterations, salt, _ := strings.Cut(parts[1], ":")
	stored, server, _ := strings.Cut(parts[2], ":")
	if r.Iterations, err = strconv.Atoi(iterations); err != nil || r.Iterations < 1 {
		return r, fmt.Errorf("iterations %q", iterations)
	}
	for _, f := range []struct {
		to   *[]byte
		from string
	}{{&r.Salt, salt}, {&r.StoredKey, stored}, {&r.ServerKey, server}} {
		if *f.to, err = base64.StdEncoding.DecodeString(f.from); err != nil || len(*f.to) == 0 {
			return r, fmt.Errorf("not base64")
		}
	}
	if len(r.StoredKey) != sha256.Size || len(r.ServerKey) != sha256.Size {
		return r, fmt.Errorf("keys of the wrong length")
	}
	return r, nil
}

// find looks a user up in the present file.
func (u *users) find(name string) (user, bool) {
	one, ok := u.file.Get().all[name]
	return one, ok
}

// Mechanisms implements smtp.Authenticator. SCRAM is offered only where every
// user has a SCRAM record.
func (u *users) Mechanisms() []string {
	if u.file.Get().scram {
		return []string{"SCRAM-SHA-256", "PLAIN", "LOGIN"}
	}
	return []string{"PLAIN", "LOGIN"}
}

// nobodysHash costs a stranger as much time as a user's wrong password does.
const nobodysHash = "$2a$10$yC2EtHbnPgLcoQjuXvIAo.Brms8bcdAV6KeRnMrhQCNPBEEHl58ry"

// Plain implements smtp.Authenticator.
func (u *users) Plain(_ context.Context, name, password string) (smtp.Identity, error) {
	one, ok := u.find(name)
	switch {
	case !ok:
		_ = bcrypt.CompareHashAndPassword([]byte(nobodysHash), []byte(password))
	case one.bcrypt != nil:
		ok = bcrypt.CompareHashAndPassword(one.bcrypt, []byte(password)) == nil
	default:
		ok = scramMatches(one.scram, password)
	}
	if !ok {
		return smtp.Identity{}, smtp.ErrBadCredentials
	}
	return one.identity, nil
}

// SCRAM implements smtp.Authenticator.
func (u *users) SCRAM(_ context.Context, name string) (smtp.SCRAMRecord, error) {
	one, ok := u.find(name)
	if !ok || one.bcrypt != nil {
		return smtp.SCRAMRecord{}, smtp.ErrBadCredentials
	}
	return one.scram, nil
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
