package users

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"postern/gateway/reload"
	"postern/gateway/smtp"
)

// list is what the file says.
type list struct {
	all      map[string]user
	scram    bool // all records are SCRAM
	stranger stranger
}

type user struct {
	identity smtp.Identity
	bcrypt   []byte // else the SCRAM record holds
	scram    smtp.SCRAMRecord
}

// maxFile bounds the file: a record is about 100 octets.
const maxFile = 64 << 20

func read(path string) (list, error) {
	text, err := reload.Bytes(path, maxFile)
	if err != nil {
		return list{}, err
	}
	all, err := parse(text)
	if err != nil {
		return list{}, fmt.Errorf("%s: %w", path, err)
	}
	l := list{all: all, scram: len(all) > 0, stranger: newStranger(all)}
	for _, one := range all {
		l.scram = l.scram && one.bcrypt == nil
	}
	return l, nil
}

func parse(text []byte) (map[string]user, error) {
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
		return user{}, errors.New("write name:record, the record bcrypt or SCRAM-SHA-256")
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
		return r, errors.New("not a SCRAM-SHA-256 record")
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
			return r, errors.New("not base64")
		}
	}
	if len(r.StoredKey) != sha256.Size || len(r.ServerKey) != sha256.Size {
		return r, errors.New("keys of the wrong length")
	}
	return r, nil
}
