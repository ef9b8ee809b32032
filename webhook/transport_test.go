package webhook

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBearerToken(t *testing.T) {
	var got string
	srv := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") })
	token := "one"
	ep := endpoint(t, Config{URL: srv.URL, Token: func() Secret { return Secret(token) }})
	s := sender(t)
	for _, token = range []string{"one", "two"} { // a rotated file
		if s.Send(t.Context(), ep, delivery(0), false); got != "Bearer "+token {
			t.Errorf("%q, want %q", got, token)
		}
	}
}

func TestHTTPProxy(t *testing.T) {
	var asked string
	proxy := serve(t, func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() })
	s, err := NewSender(SenderOptions{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o := s.Send(t.Context(), endpoint(t, Config{URL: "http://hook.invalid/in"}), delivery(0), false)
	if o.Result != Delivered || asked != "http://hook.invalid/in" {
		t.Errorf("%+v, asked for %q", o, asked)
	}
}

// A body that breaks off changes nothing: the status stands.
func TestBrokenAnswerBody(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusNotAcceptable)
		_, _ = io.WriteString(w, "cut")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	if o := sender(t).Send(t.Context(), endpoint(t, Config{URL: srv.URL}), delivery(0), false); o.Status != 406 || o.Result != Rejected {
		t.Errorf("%+v", o)
	}
}

func TestSwitchingProtocols(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	})
	start := time.Now()
	o := sender(t).Send(t.Context(), endpoint(t, Config{URL: srv.URL}), delivery(0), false)
	if o.Status != 101 || o.Reason != ReasonMisconfigured || time.Since(start) > answerTimeout/2 {
		t.Errorf("%+v", o)
	}
}

func TestSecretThatBecameInvalid(t *testing.T) {
	srv := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("posted without a signature") })
	secret := Secret(testSecret)
	ep := endpoint(t, Config{URL: srv.URL, Secret: func() Secret { return secret }})
	secret = "topsecret"
	o := sender(t).Send(t.Context(), ep, delivery(0), false)
	if o.Result != Deferred || o.Reason != ReasonMisconfigured || strings.Contains(o.Err.Error(), "topsecret") {
		t.Errorf("%+v", o)
	}
}

func TestClientCertificate(t *testing.T) {
	dir := t.TempDir()
	ca, caKey := certificate(t, nil, nil, "ca")
	server, serverKey := certificate(t, ca, caKey, "127.0.0.1")
	client, clientKey := certificate(t, ca, caKey, "postern")
	caFile, certFile, keyFile := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	writePEM(t, caFile, "CERTIFICATE", ca.Raw)
	writePEM(t, certFile, "CERTIFICATE", client.Raw)
	writeKey(t, keyFile, clientKey)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	var subject string
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		subject = r.TLS.PeerCertificates[0].Subject.CommonName
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{server.Raw}, PrivateKey: serverKey}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	s := sender(t)
	d := delivery(0)
	d.Envelope.RequireTLS = true
	if o := s.Send(t.Context(), endpoint(t, Config{URL: srv.URL, CAFile: caFile, CertFile: certFile, KeyFile: keyFile}), d, false); o.Result != Delivered || subject != "postern" {
		t.Errorf("%+v, subject %q", o, subject)
	}
	if o := s.Send(t.Context(), endpoint(t, Config{URL: srv.URL, CAFile: caFile}), d, false); o.Reason != ReasonTLS {
		t.Errorf("without a certificate: %+v", o)
	}
	if o := s.Send(t.Context(), endpoint(t, Config{URL: srv.URL, CertFile: certFile, KeyFile: keyFile}), d, false); o.Reason != ReasonTLS {
		t.Errorf("without the authority: %+v", o)
	}
	if _, err := NewEndpoint(Config{Name: "x", URL: srv.URL, CAFile: keyFile}); err == nil || !strings.Contains(err.Error(), "CA_FILE") {
		t.Errorf("a key as authority: %v", err)
	}
}

// certificate signs with the parent, or makes an authority.
func certificate(t *testing.T, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if parent == nil {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		parent, parentKey = c, key
	} else {
		c.IPAddresses = append(c.IPAddresses, []byte{127, 0, 0, 1})
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c, key
}

func writeKey(t *testing.T, path string, key *ecdsa.PrivateKey) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, path, "PRIVATE KEY", der)
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
