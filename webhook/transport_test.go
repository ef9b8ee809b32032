package webhook

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
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
		if s.Send(t.Context(), ep, delivery(0)); got != "Bearer "+token {
			t.Errorf("%q, want %q", got, token)
		}
	}
}

func TestHTTPProxy(t *testing.T) {
	var asked string
	proxy := serve(t, func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() })
	s, err := NewSender(SenderConfig{}, SenderDeps{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o := s.Send(t.Context(), endpoint(t, Config{URL: "http://hook.invalid/in"}), delivery(0))
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
	if o := sender(t).Send(t.Context(), endpoint(t, Config{URL: srv.URL}), delivery(0)); o.Status != 406 || o.Result != Rejected {
		t.Errorf("%+v", o)
	}
}

// TestRedirects: none is followed, and none loses its status, wherever it points
// to and whether or not the message is still there to be sent again.
func TestRedirects(t *testing.T) {
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		for _, location := range []string{"", "/elsewhere", "http://127.0.0.1:1/", "http://[::bad/", "\u00e9:"} {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if _, _ = io.Copy(io.Discard, r.Body); r.URL.Path != "/" {
					t.Errorf("%d to %q was followed", status, location)
				}
				if location != "" {
					w.Header().Set("Location", location)
				}
				w.WriteHeader(status)
			})
			s, ep := sender(t), endpoint(t, Config{URL: srv.URL + "/"})
			r, err := s.Render(ep, delivery(0))
			if err != nil {
				t.Fatal(err)
			}
			r.OnSent(func() {})
			if o := s.Post(t.Context(), r, time.Second); o.Status != status || o.Reason != ReasonMisconfigured {
				t.Errorf("%d to %q: %+v", status, location, o)
			}
		}
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
	o := sender(t).Send(t.Context(), endpoint(t, Config{URL: srv.URL}), delivery(0))
	if o.Status != 101 || o.Reason != ReasonMisconfigured || time.Since(start) > answerTimeout/2 {
		t.Errorf("%+v", o)
	}
}

func TestSecretThatBecameInvalid(t *testing.T) {
	srv := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("posted without a signature") })
	secret := Secret(testSecret)
	ep := endpoint(t, Config{URL: srv.URL, Secret: func() Secret { return secret }})
	secret = "topsecret"
	o := sender(t).Send(t.Context(), ep, delivery(0))
	if o.Result != Deferred || o.Reason != ReasonMisconfigured || strings.Contains(o.Err.Error(), "topsecret") {
		t.Errorf("%+v", o)
	}
}

func TestClientCertificate(t *testing.T) {
	ca, caKey := certificate(t, nil, nil, "ca")
	client, clientKey := certificate(t, ca, caKey, "postern")
	var subject string
	srv := serveTLS(t, ca, caKey, func(_ http.ResponseWriter, r *http.Request) { subject = r.TLS.PeerCertificates[0].Subject.CommonName })
	authorities, pair := pool(ca), &tls.Certificate{Certificate: [][]byte{client.Raw}, PrivateKey: clientKey}
	s := sender(t)
	d := delivery(0)
	d.Envelope.RequireTLS = true
	if o := s.Send(t.Context(), endpoint(t, Config{URL: srv.URL, Authorities: authorities, Certificate: func() *tls.Certificate { return pair }}), d); o.Result != Delivered || subject != "postern" {
		t.Errorf("%+v, subject %q", o, subject)
	}
	if o := s.Send(t.Context(), endpoint(t, Config{URL: srv.URL, Authorities: authorities}), d); o.Reason != ReasonTLS {
		t.Errorf("without a certificate: %+v", o)
	}
	if o := s.Send(t.Context(), endpoint(t, Config{URL: srv.URL, Certificate: func() *tls.Certificate { return pair }}), d); o.Reason != ReasonTLS {
		t.Errorf("without the authority: %+v", o)
	}
}

// The authorities are those of the moment: a handshake after a rotation goes by
// the new ones, and so does a resumed session.
func TestAuthoritiesRotate(t *testing.T) {
	ca, caKey := certificate(t, nil, nil, "ca")
	other, _ := certificate(t, nil, nil, "other")
	srv := serveTLS(t, ca, caKey, func(http.ResponseWriter, *http.Request) {})
	srv.TLS.ClientAuth = tls.NoClientCert
	srv.Config.SetKeepAlivesEnabled(false)
	now := pool(other)
	ep := endpoint(t, Config{URL: srv.URL, Authorities: func() *x509.CertPool { return now() }})
	s := sender(t)
	for i, step := range []struct {
		authorities func() *x509.CertPool
		want        Reason
	}{{pool(other), ReasonTLS}, {pool(ca), ReasonDelivered}, {pool(other), ReasonTLS}, {pool(other, ca), ReasonDelivered}} {
		now = step.authorities
		if o := s.Send(t.Context(), ep, delivery(0)); o.Reason != step.want {
			t.Errorf("step %d: %+v, want the reason %q", i, o, step.want)
		}
	}
	misnamed := endpoint(t, Config{URL: strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), Authorities: pool(ca)})
	if o := s.Send(t.Context(), misnamed, delivery(0)); o.Reason != ReasonTLS {
		t.Errorf("a certificate for another name: %+v", o)
	}
}

func pool(all ...*x509.Certificate) func() *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range all {
		p.AddCert(c)
	}
	return func() *x509.CertPool { return p }
}

// serveTLS serves with a certificate of the authority, and asks clients for one.
func serveTLS(t *testing.T, ca *x509.Certificate, caKey *ecdsa.PrivateKey, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	cert, key := certificate(t, ca, caKey, "127.0.0.1")
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool(ca)(),
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
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
