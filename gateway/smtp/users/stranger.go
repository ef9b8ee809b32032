package users

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/crypto/bcrypt"

	"postern/gateway/smtp"
	"postern/gateway/smtp/scram"
)

// What a SCRAM record has by default (RFC 7677 section 4).
const (
	defaultIterations = 4096
	defaultSalt       = 16 // octets
)

// stranger makes up the records of those who don't exist. It depends on the
// file alone, and changes as little as can be when the file does.
type stranger struct {
	key   []byte  // the smallest hash of a record: secret, and it stays while its user does
	forms []share // of the users, in a fixed order
}

// form is what can be told of a record from outside.
type form struct {
	cost       int // of bcrypt; 0: SCRAM
	iterations int
	salt       int // octets
}

// share is a form and how many of the users have it or one before it.
type share struct {
	form
	upTo float64 // 0 to 1
}

func newStranger(all map[string]user) stranger {
	s := stranger{key: bytes.Repeat([]byte{0xff}, sha256.Size)}
	count := map[form]int{}
	for _, u := range all {
		count[formOf(u)]++
		h := sha256.New()
		h.Write(u.bcrypt)
		h.Write(u.scram.StoredKey)
		h.Write(u.scram.ServerKey)
		if sum := h.Sum(nil); bytes.Compare(sum, s.key) < 0 {
			s.key = sum
		}
	}
	if len(all) == 0 {
		count[form{cost: bcrypt.DefaultCost}]++
	}
	n := 0
	for f, users := range count {
		n += users
		s.forms = append(s.forms, share{form: f})
	}
	slices.SortFunc(s.forms, func(a, b share) int {
		return cmp.Or(a.cost-b.cost, a.iterations-b.iterations, a.salt-b.salt)
	})
	below := 0
	for i := range s.forms {
		below += count[s.forms[i].form]
		s.forms[i].upTo = float64(below) / float64(n)
	}
	return s
}

func formOf(u user) form {
	if u.bcrypt == nil {
		return form{iterations: u.scram.Iterations, salt: len(u.scram.Salt)}
	}
	cost, _ := bcrypt.Cost(u.bcrypt) // parsed when the file was read
	return form{cost: cost}
}

// record is a user's who doesn't exist: of the forms that users have, each as
// often as users have it.
func (s stranger) record(name string) user {
	at := float64(binary.BigEndian.Uint64(s.derive("form", name))) / (1 << 64)
	f := s.forms[len(s.forms)-1]
	for _, one := range s.forms {
		if at < one.upTo {
			f = one
			break
		}
	}
	if f.cost > 0 {
		return user{bcrypt: fmt.Appendf(nil, "$2a$%02d$%s", f.cost, noSaltNoHash)}
	}
	return user{scram: s.scram(name, f.iterations, f.salt)}
}

// noSaltNoHash completes a bcrypt record that no known password matches.
const noSaltNoHash = "yC2EtHbnPgLcoQjuXvIAo.Brms8bcdAV6KeRnMrhQCNPBEEHl58ry"

// scram is a made-up SCRAM record; nobody knows a password for its keys.
func (s stranger) scram(name string, iterations, salt int) smtp.SCRAMRecord {
	r := scram.Record{Iterations: iterations, StoredKey: s.derive("stored", name), ServerKey: s.derive("server", name)}
	for len(r.Salt) < salt {
		r.Salt = append(r.Salt, s.derive(fmt.Sprint("salt", len(r.Salt)), name)...)
	}
	r.Salt = r.Salt[:salt]
	return smtp.SCRAMRecord{Record: r}
}

// derive is 32 octets that only who knows the file can tell.
func (s stranger) derive(what, name string) []byte {
	h := hmac.New(sha256.New, s.key)
	fmt.Fprintf(h, "%s %s", what, name)
	return h.Sum(nil)
}
