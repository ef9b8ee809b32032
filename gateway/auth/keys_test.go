package auth_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
)

// keys are made once for all tests.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	k := map[string]crypto.Signer{}
	for name, bits := range map[string]int{"rsa1024": 1024, "rsa2048": 2048} {
		k[name], _ = rsa.GenerateKey(rand.Reader, bits)
	}
	_, k["ed"], _ = ed25519.GenerateKey(rand.Reader)
	return k
})

// keyRecord is the record of a key, with more tags before p=.
func keyRecord(name, more string) string {
	if k, ok := keys()[name].(ed25519.PrivateKey); ok {
		return "v=DKIM1; k=ed25519; " + more + "p=" + base64.StdEncoding.EncodeToString(k.Public().(ed25519.PublicKey))
	}
	return "v=DKIM1; " + more + "p=" + rsaKey(keys()[name].Public().(*rsa.PublicKey))
}

func rsaKey(k *rsa.PublicKey) string {
	der, _ := x509.MarshalPKIXPublicKey(k)
	return base64.StdEncoding.EncodeToString(der)
}

// smallKey is a key record of 512 bits, with which nobody needs to sign.
func smallKey() string {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 511))
	n.SetBit(n, 511, 1).SetBit(n, 0, 1)
	return "v=DKIM1; p=" + rsaKey(&rsa.PublicKey{N: n, E: 65537})
}

// signing is one signature to make.
type signing struct {
	key, domain, selector string
	identity              string
	canon                 string // "relaxed/relaxed" where empty
	headers               []string
	expires               time.Time
}

// signed puts signatures before a message, the last one uppermost.
func signed(t testing.TB, message string, list ...signing) string {
	t.Helper()
	for _, s := range list {
		o := &dkim.SignOptions{Domain: s.domain, Selector: s.selector, Identifier: s.identity, Signer: keys()[s.key], Hash: crypto.SHA256,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
			HeaderKeys: []string{"From", "To", "Subject", "Date"}, Expiration: s.expires}
		if h, b, ok := strings.Cut(s.canon, "/"); ok {
			o.HeaderCanonicalization, o.BodyCanonicalization = dkim.Canonicalization(h), dkim.Canonicalization(b)
		}
		if s.headers != nil {
			o.HeaderKeys = s.headers
		}
		var b bytes.Buffer
		if err := dkim.Sign(&b, strings.NewReader(message), o); err != nil {
			t.Fatal(err)
		}
		message = b.String()
	}
	return message
}
