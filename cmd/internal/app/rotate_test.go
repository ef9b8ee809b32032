package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"postern/cmd/internal/config"
)

// start runs a gateway until the test ends.
func start(t *testing.T, environ ...string) *App {
	t.Helper()
	cfg, err := config.Load(append([]string{"POSTERN_DOMAIN=mx.example.com", "POSTERN_SMTP_ADDR=127.0.0.1:0", "POSTERN_HTTP_ADDR=off",
		"POSTERN_RETRY_STORE=off", "POSTERN_LOG_LEVEL=error"}, environ...))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	log, flush := cfg.Process.Logger(t.Output())
	t.Cleanup(flush)
	a, err := New(ctx, cfg, Deps{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, a.Close()); err != nil {
			t.Error(err)
		}
	})
	return a
}

// identity is an authority and a certificate of its for 127.0.0.1.
type identity struct {
	authority []byte // PEM
	pair      tls.Certificate
	cert, key []byte // PEM
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	template := func(n int64) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(n), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true}
	}
	make := func(c, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return key, der
	}
	ca := template(1)
	ca.IsCA = true
	caKey, caDER := make(ca, ca, nil)
	leaf := template(2)
	leaf.IPAddresses = append(leaf.IPAddresses, []byte{127, 0, 0, 1})
	key, der := make(leaf, ca, caKey)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	i := identity{
		authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}),
		cert:      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:       pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
	if i.pair, err = tls.X509KeyPair(i.cert, i.key); err != nil {
		t.Fatal(err)
	}
	return i
}

// A rotation of the webhook's authority, of our certificate or of the clients'
// authority needs no restart.
func TestRotation(t *testing.T) {
	dir, old, next := t.TempDir(), newIdentity(t), newIdentity(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rotate := func(i identity) {
		t.Helper()
		write("ca", i.authority)
		write("crt", i.cert)
		write("key", i.key)
	}
	rotate(old)
	var hookPair atomic.Pointer[tls.Certificate]
	hookPair.Store(&old.pair)
	hook := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	hook.Config.ErrorLog = log.New(io.Discard, "", 0)
	hook.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*hookPair.Load()}}, nil
	}}
	hook.StartTLS()
	t.Cleanup(hook.Close)
	a := start(t, "POSTERN_WEBHOOK_URL="+hook.URL, "POSTERN_WEBHOOK_CA_FILE="+path("ca"),
		"POSTERN_TLS_CERT_FILE="+path("crt"), "POSTERN_TLS_KEY_FILE="+path("key"), "POSTERN_TLS_CLIENT_CA_FILE="+path("ca"))
	if err := sendOne(a, old); err != nil {
		t.Fatal(err)
	}
	rotate(next)
	hookPair.Store(&next.pair)
	hook.CloseClientConnections()
	eventually(t, func() error { return sendOne(a, next) })
	if err := sendOne(a, old); err == nil {
		t.Error("the authority from before the rotation still counts")
	}
}

// sendOne sends a mail as a client of that authority: over STARTTLS, with its
// certificate.
func sendOne(a *App, i identity) error {
	c, err := smtp.Dial(a.Addr("SMTP_ADDR"))
	if err != nil {
		return err
	}
	defer c.Close()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(i.authority)
	if err := c.StartTLS(&tls.Config{RootCAs: pool, ServerName: "127.0.0.1", Certificates: []tls.Certificate{i.pair}}); err != nil {
		return err
	}
	if err := errors.Join(c.Mail("a@example.com"), c.Rcpt("b@example.com")); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "Subject: rotation\r\n\r\nbody\r\n")
	return errors.Join(err, w.Close())
}

func eventually(t *testing.T, what func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := what()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
