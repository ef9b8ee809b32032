package smtp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
	"postern/gateway/smtp/scram"
)

// fixture is a running server for one test.
type fixture struct {
	cfg    smtp.Config
	srv    *smtp.Server
	rec    *recorder
	proto  smtp.Protocol
	unix   bool
	addr   net.Addr
	hello  string
	silent bool // no greeting comes by itself
	cert   tls.Certificate
	auth   bool
	opts   []smtp.Option
	vars   map[string]string
}

// newFixture starts a server as the keys say; it ends with the test.
func newFixture(t testing.TB, keys ...string) *fixture {
	f := &fixture{cfg: smtp.DefaultConfig("mx.here.example"), rec: &recorder{}, hello: "EHLO", vars: map[string]string{}}
	f.cfg.ErrorDelay = 0
	f.cfg.MaxSize = 1 << 20
	for _, k := range keys {
		f.set(t, k)
	}
	f.start(t)
	return f
}

// set applies one key of a dialogue.
func (f *fixture) set(t testing.TB, key string) {
	name, value, _ := strings.Cut(key, "=")
	set, ok := fixtureKeys[name]
	if !ok {
		t.Fatalf("unknown key %q", key)
	}
	set(f, value)
}

func (f *fixture) start(t testing.TB) {
	if f.cert.Certificate == nil && (f.cfg.TLS != smtp.TLSOff || f.proto == smtp.SMTPS) {
		f.cert = selfSigned(t)
	}
	if f.cert.Certificate != nil {
		f.opts = append(f.opts, smtp.WithTLS(&tls.Config{Certificates: []tls.Certificate{f.cert}, ClientAuth: tls.RequestClientCert}))
	}
	if f.auth {
		f.opts = append(f.opts, smtp.WithAuthenticator(users{}))
	}
	f.opts = append(f.opts, smtp.WithLogger(slog.New(slog.DiscardHandler)))
	srv, err := smtp.NewServer(f.cfg, f.rec, f.opts...)
	if err != nil {
		t.Fatal(err)
	}
	f.srv = srv
	l := f.listen(t)
	f.addr = l.Addr()
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l, f.proto) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func (f *fixture) listen(t testing.TB) net.Listener {
	network, addr := "tcp", "127.0.0.1:0"
	if f.unix {
		network, addr = "unix", filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (f *fixture) dial(t testing.TB) net.Conn {
	conn, err := net.Dial(f.addr.Network(), f.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if f.proto != smtp.SMTPS {
		return conn
	}
	c := tls.Client(conn, f.clientTLS())
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fixture) clientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true}
}

// isHello tells a reply to EHLO, which carries no enhanced codes.
func (f *fixture) isHello(lines []string) bool {
	return strings.HasPrefix(lines[0][4:], f.cfg.Domain) && lines[0][:3] == "250"
}

var fixtureKeys = map[string]func(*fixture, string){
	"lmtp":  func(f *fixture, _ string) { f.proto, f.hello = smtp.LMTP, "LHLO" },
	"unix":  func(f *fixture, _ string) { f.unix = true },
	"smtps": func(f *fixture, _ string) { f.proto = smtp.SMTPS },
	"tls": func(f *fixture, v string) {
		f.cfg.TLS = map[string]smtp.TLSMode{"": smtp.TLSOffer, "require": smtp.TLSRequire}[v]
	},
	"auth":   func(f *fixture, v string) { f.auth, f.cfg.AuthRequired = true, v == "required" },
	"clear":  func(f *fixture, _ string) { f.cfg.AuthInsecure = true },
	"legacy": func(f *fixture, _ string) { f.cfg.Legacy = true },
	"turn":   func(f *fixture, _ string) { f.cfg.Turn = true },
	"lookup": func(f *fixture, _ string) { f.cfg.Verify, f.cfg.Expand = true, true },
	"dsn":    func(f *fixture, _ string) { f.cfg.DSN, f.cfg.DeliverBy = true, true },
	"reject": func(f *fixture, _ string) { f.cfg.BareLF = smtp.BareLFReject },
	"strict": func(f *fixture, _ string) { f.cfg.Strict = true },
	"silent": func(f *fixture, _ string) { f.silent = true },
	"notls":  func(f *fixture, _ string) { f.auth = true },
	"proxy": func(f *fixture, _ string) {
		f.cfg.ProxyFrom, f.silent = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, true
	},
	"talk":     func(f *fixture, _ string) { f.cfg.AllowEarlyTalk = true },
	"size":     func(f *fixture, v string) { f.cfg.MaxSize = int64(number(v)) },
	"header":   func(f *fixture, v string) { f.cfg.MaxHeader = int64(number(v)) },
	"hops":     func(f *fixture, v string) { f.cfg.MaxReceived = number(v) },
	"rcpts":    func(f *fixture, v string) { f.cfg.MaxRecipients = number(v) },
	"messages": func(f *fixture, v string) { f.cfg.MaxMessages = number(v) },
	"line":     func(f *fixture, v string) { f.cfg.MaxCommandLine = number(v) },
	"hard":     func(f *fixture, v string) { f.cfg.HardErrors = number(v) },
	"junk":     func(f *fixture, v string) { f.cfg.MaxJunk = number(v) },
	"refused":  func(f *fixture, v string) { f.cfg.MaxRefused = number(v) },
	"failures": func(f *fixture, v string) { f.cfg.MaxAuthFailures = number(v) },
	"idle":     func(f *fixture, v string) { f.cfg.CommandTimeout = duration(v) },
	"block":    func(f *fixture, v string) { f.cfg.DataTimeout = duration(v) },
	"session":  func(f *fixture, v string) { f.cfg.SessionTimeout = duration(v) },
	"header5s": func(f *fixture, v string) { f.cfg.ProxyTimeout = duration(v) },
	"greet":    func(f *fixture, v string) { f.cfg.GreetDelay = duration(v) },
	"total":    func(f *fixture, v string) { f.cfg.MaxConnections = number(v) },
	"client":   func(f *fixture, v string) { f.cfg.MaxConnectionsPerClient = number(v) },
	"refuse": func(f *fixture, _ string) {
		f.rec.helloOK = reply.New(554, reply.Enhanced{5, 7, 1}, "Not you")
		f.silent = true
	},
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

// users is the Authenticator of the tests: ann with the password "secret".
type users struct{}

func (users) Mechanisms() []string { return []string{"SCRAM-SHA-256", "PLAIN", "LOGIN"} }

func (users) Plain(_ context.Context, user, password string) (smtp.Identity, error) {
	switch {
	case user == "down":
		return smtp.Identity{}, errors.New("the users file can't be read")
	case user != "ann" || password != "secret":
		return smtp.Identity{}, smtp.ErrBadCredentials
	}
	return smtp.Identity{Name: user, Collect: []string{"one"}}, nil
}

func (users) SCRAM(_ context.Context, user string) (smtp.SCRAMRecord, error) {
	const iterations = 4096
	salt := []byte("0123456789abcdef")
	if user != "ann" {
		return smtp.SCRAMRecord{Record: scram.Record{Salt: salt, Iterations: iterations, StoredKey: salt, ServerKey: salt}}, nil
	}
	salted, err := pbkdf2.Key(sha256.New, "secret", salt, iterations, sha256.Size)
	if err != nil {
		return smtp.SCRAMRecord{}, err
	}
	stored := sha256.Sum256(hmacSHA256(salted, "Client Key"))
	return smtp.SCRAMRecord{Identity: smtp.Identity{Name: user, Collect: []string{"one"}},
		Record: scram.Record{Salt: salt, Iterations: iterations, StoredKey: stored[:], ServerKey: hmacSHA256(salted, "Server Key")}}, nil
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// selfSigned makes a certificate for the loopback.
func selfSigned(t testing.TB) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.here.example"},
		DNSNames: []string{"mx.here.example", "localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
