// Package scram reads and checks the client's messages of SCRAM-SHA-256 (RFC
// 5802, 7677), without channel binding. It keeps nothing: the exchange is its
// caller's.
package scram

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
)

var (
	// ErrSyntax is returned for what is no message of the mechanism.
	ErrSyntax = errors.New("scram: not a message of SCRAM-SHA-256")
	// ErrProof is returned for a proof that doesn't fit the record.
	ErrProof = errors.New("scram: wrong proof")
)

// Record is what a server keeps of a password (RFC 5802 section 3).
type Record struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte // SHA-256 of the client key
	ServerKey  []byte
}

// Hello is the client's first message.
type Hello struct {
	header  string // gs2-header, which the final message repeats
	bare    string // what is signed
	AuthzID string // whom the client wants to act for, "" itself
	User    string
	Nonce   string
}

// ParseFirst reads "n,[a=authzid],n=user,r=nonce".
func ParseFirst(msg string) (h Hello, err error) {
	parts := strings.SplitN(msg, ",", 3)
	if len(parts) != 3 || (parts[0] != "n" && parts[0] != "y") {
		return h, ErrSyntax // "p=…": channel binding, which we don't offer
	}
	h.header, h.bare = parts[0]+","+parts[1]+",", parts[2]
	ok := true
	if parts[1] != "" {
		h.AuthzID, ok = saslName(parts[1], "a=")
	}
	fields := strings.Split(h.bare, ",")
	if !ok || len(fields) < 2 {
		return h, ErrSyntax
	}
	if h.User, ok = saslName(fields[0], "n="); !ok {
		return h, ErrSyntax
	}
	if h.Nonce, ok = strings.CutPrefix(fields[1], "r="); !ok || h.Nonce == "" {
		return h, ErrSyntax
	}
	return h, nil
}

// saslName reads a name in which "," and "=" are written "=2C" and "=3D".
func saslName(field, prefix string) (string, bool) {
	name, ok := strings.CutPrefix(field, prefix)
	if !ok || name == "" {
		return "", false
	}
	plain := strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name)
	return plain, strings.Count(name, "=") == strings.Count(name, "=2C")+strings.Count(name, "=3D")
}

// CheckFinal checks "c=…,r=nonce[,…],p=proof" and returns the server's
// signature.
func CheckFinal(msg string, h Hello, nonce, server string, rec Record) ([]byte, error) {
	at := strings.LastIndex(msg, ",p=")
	if at < 0 {
		return nil, ErrSyntax
	}
	bare := msg[:at]
	proof, err := base64.StdEncoding.DecodeString(msg[at+len(",p="):])
	fields := strings.Split(bare, ",")
	if err != nil || len(proof) != sha256.Size || len(fields) < 2 {
		return nil, ErrSyntax
	}
	if fields[0] != "c="+base64.StdEncoding.EncodeToString([]byte(h.header)) || fields[1] != "r="+nonce {
		return nil, ErrSyntax
	}
	signed := []byte(h.bare + "," + server + "," + bare)
	key := mac(rec.StoredKey, signed)
	subtle.XORBytes(key, key, proof) // the client's key
	if sum := sha256.Sum256(key); subtle.ConstantTimeCompare(sum[:], rec.StoredKey) != 1 {
		return nil, ErrProof
	}
	return mac(rec.ServerKey, signed), nil
}

func mac(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}
