package smtp

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
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
	hello, err := parseScramFirst(string(first))
	if err != nil {
		return Identity{}, err
	}
	rec, err := s.srv.auth.SCRAM(s.ctx(), hello.user)
	if err != nil {
		return Identity{}, err
	}
	nonce := hello.nonce + newNonce()
	server := "r=" + nonce + ",s=" + base64.StdEncoding.EncodeToString(rec.Salt) + ",i=" + strconv.Itoa(rec.Iterations)
	answer, err := s.challenge([]byte(server))
	if err != nil {
		return Identity{}, err
	}
	signature, err := checkScramFinal(string(answer), hello, nonce, server, rec)
	if err != nil {
		return Identity{}, err
	}
	if hello.authzid != "" && hello.authzid != hello.user {
		return Identity{}, ErrBadCredentials
	}
	if _, err := s.challenge([]byte("v=" + base64.StdEncoding.EncodeToString(signature))); err != nil {
		return Identity{}, err
	}
	return rec.Identity, nil
}

// scramHello is the client's first message.
type scramHello struct {
	header  string // gs2-header, which the final message repeats
	bare    string // what is signed
	authzid string
	user    string
	nonce   string
}

// parseScramFirst reads "n,[a=authzid],n=user,r=nonce".
func parseScramFirst(msg string) (h scramHello, err error) {
	parts := strings.SplitN(msg, ",", 3)
	if len(parts) != 3 || (parts[0] != "n" && parts[0] != "y") {
		return h, errExchange // "p=…": channel binding, which we don't offer
	}
	h.header, h.bare = parts[0]+","+parts[1]+",", parts[2]
	ok := true
	if parts[1] != "" {
		h.authzid, ok = saslName(parts[1], "a=")
	}
	fields := strings.Split(h.bare, ",")
	if !ok || len(fields) < 2 {
		return h, errExchange
	}
	if h.user, ok = saslName(fields[0], "n="); !ok {
		return h, errExchange
	}
	if h.nonce, ok = strings.CutPrefix(fields[1], "r="); !ok || h.nonce == "" {
		return h, errExchange
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

// checkScramFinal checks "c=…,r=nonce[,…],p=proof" and returns the server's
// signature.
func checkScramFinal(msg string, h scramHello, nonce, server string, rec SCRAMRecord) ([]byte, error) {
	at := strings.LastIndex(msg, ",p=")
	if at < 0 {
		return nil, errExchange
	}
	bare := msg[:at]
	proof, err := base64.StdEncoding.DecodeString(msg[at+len(",p="):])
	fields := strings.Split(bare, ",")
	if err != nil || len(proof) != sha256.Size || len(fields) < 2 {
		return nil, errExchange
	}
	if fields[0] != "c="+base64.StdEncoding.EncodeToString([]byte(h.header)) || fields[1] != "r="+nonce {
		return nil, errExchange
	}
	signed := []byte(h.bare + "," + server + "," + bare)
	key := mac(rec.StoredKey, signed)
	subtle.XORBytes(key, key, proof) // the client's key
	if sum := sha256.Sum256(key); subtle.ConstantTimeCompare(sum[:], rec.StoredKey) != 1 {
		return nil, ErrBadCredentials
	}
	return mac(rec.ServerKey, signed), nil
}

func mac(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

func newNonce() string {
	var b [scramNonce]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}
