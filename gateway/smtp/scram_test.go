package smtp_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
)

// scramClient is the client's side of RFC 5802, written from the RFC.
type scramClient struct {
	t              *testing.T
	p              *player
	user, password string
}

func (c scramClient) run() (code string, verified bool) {
	bare := "n=" + c.user + ",r=clientnonce"
	c.p.must("> AUTH SCRAM-SHA-256 "+base64.StdEncoding.EncodeToString([]byte("n,,"+bare)), "< 334")
	server := c.decode()
	f := map[string]string{}
	for _, kv := range strings.Split(server, ",") {
		f[kv[:1]] = kv[2:]
	}
	if !strings.HasPrefix(f["r"], "clientnonce") || len(f["r"]) < len("clientnonce")+16 {
		c.t.Fatalf("nonce %q", f["r"])
	}
	salt, err := base64.StdEncoding.DecodeString(f["s"])
	if err != nil {
		c.t.Fatal(err)
	}
	iterations, _ := strconv.Atoi(f["i"])
	salted, err := pbkdf2.Key(sha256.New, c.password, salt, iterations, sha256.Size)
	if err != nil {
		c.t.Fatal(err)
	}
	final := "c=biws,r=" + f["r"]
	signed := bare + "," + server + "," + final
	key := hmacSHA256(salted, "Client Key")
	stored := sha256.Sum256(key)
	for i, b := range hmacSHA256(stored[:], signed) {
		key[i] ^= b
	}
	c.p.step("> " + base64.StdEncoding.EncodeToString([]byte(final+",p="+base64.StdEncoding.EncodeToString(key))))
	c.p.last = c.p.reply()
	if code = c.p.last[0][:3]; code != "334" {
		return code, false
	}
	want := "v=" + base64.StdEncoding.EncodeToString(hmacSHA256(hmacSHA256(salted, "Server Key"), signed))
	verified = c.decode() == want
	c.p.must("> ", "< 235")
	return "235", verified
}

func (c scramClient) decode() string {
	raw, err := base64.StdEncoding.DecodeString(c.p.last[0][4:])
	if err != nil {
		c.t.Fatal(err)
	}
	return string(raw)
}

// TestSCRAM: the right password signs in, and the server proves itself; a
// wrong one and an unknown user are told apart by nothing.
func TestSCRAM(t *testing.T) {
	for _, c := range []struct{ user, password, code string }{
		{"ann", "secret", "235"},
		{"ann", "wrong", "535"},
		{"nobody", "secret", "535"},
		{"nob=2Cody", "secret", "535"},
	} {
		p := talk(t, newFixture(t, "auth"))
		p.must("E")
		code, verified := scramClient{t, p, c.user, c.password}.run()
		if code != c.code || verified != (code == "235") {
			t.Errorf("%s/%s: %s, verified %t", c.user, c.password, code, verified)
		}
	}
}
