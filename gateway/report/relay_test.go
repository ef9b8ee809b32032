package report

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relay is a running SMTP server that keeps what it is sent.
type relay struct {
	addr string

	mu     sync.Mutex
	refuse reply.Reply // to the message
	got    []received
}

type received struct {
	from string
	to   []string
	body string
	auth string
	tls  bool
	utf8 bool
}

// startRelay runs the gateway's own SMTP engine as somebody else's relay.
func startRelay(t *testing.T, change func(*smtp.Config), options ...smtp.Option) *relay {
	t.Helper()
	r := &relay{}
	cfg := smtp.DefaultConfig("relay.example.com")
	cfg.ErrorDelay = 0
	if change != nil {
		change(&cfg)
	}
	s, err := smtp.NewServer(cfg, r, options...)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(context.Background(), ln, smtp.SMTP) }()
	t.Cleanup(func() { s.Close(); <-done })
	return r
}

func (r *relay) mails() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

type memSink struct{ bytes.Buffer }

func (*memSink) Abort() {}

func (r *relay) Connect(context.Context, *smtp.Client) reply.Reply   { return reply.Reply{} }
func (r *relay) Mail(context.Context, *smtp.Transaction) reply.Reply { return reply.Reply{} }
func (r *relay) Rcpt(_ context.Context, _ *smtp.Transaction, to *smtp.Recipient) reply.Reply {
	return reply.Reply{}
}
func (r *relay) Data(context.Context, *smtp.Transaction) (smtp.Sink, reply.Reply) {
	return &memSink{}, reply.Reply{}
}
func (r *relay) Message(_ context.Context, t *smtp.Transaction, s smtp.Sink) []reply.Reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := received{from: t.From.String(), body: s.(*memSink).String(), auth: t.Client.Auth, tls: t.Client.TLS != nil, utf8: t.UTF8}
	for _, to := range t.Recipients {
		m.to = append(m.to, to.Address.String())
	}
	if r.refuse.Code == 0 {
		r.got = append(r.got, m)
		return []reply.Reply{{Code: 250, Enhanced: reply.Enhanced{2, 0, 0}}}
	}
	return []reply.Reply{r.refuse}
}
func (r *relay) Ended(*smtp.Transaction, []reply.Reply, bool)             {}
func (r *relay) Refused(*smtp.Client, string, string, reply.Reply)        {}
func (r *relay) Verify(context.Context, *smtp.Client, string) reply.Reply { return reply.Reply{} }
func (r *relay) Expand(context.Context, *smtp.Client, string) reply.Reply { return reply.Reply{} }
func (r *relay) Status(context.Context, *smtp.Client) reply.Reply         { return reply.Reply{} }

// testTLS is a certificate for example.com and 127.0.0.1 and the pool that trusts it.
func testTLS(t *testing.T) (server *tls.Config, client *tls.Config) {
	t.Helper()
	h := httptest.NewUnstartedServer(nil)
	h.StartTLS()
	defer h.Close()
	pool := x509.NewCertPool()
	pool.AddCert(h.Certificate())
	return &tls.Config{Certificates: h.TLS.Certificates}, &tls.Config{RootCAs: pool}
}

func TestNewRelayReadsTheAddress(t *testing.T) {
	for address, want := range map[string]string{
		"smtp://mx.example.com":           "mx.example.com 25 false",
		"smtp://u:p@mx.example.com:587":   "mx.example.com 587 false u",
		"smtps://u:p%40ss@mx.example.com": "mx.example.com 465 true u",
		"smtp://[::1]:2525":               "::1 2525 false",
		"http://mx.example.com":           "",
		"mx.example.com:25":               "",
		"smtp://":                         "",
	} {
		r, err := NewRelay(address, nil)
		if err != nil {
			if want != "" || strings.Contains(err.Error(), "p%40ss") {
				t.Errorf("%s: %v", address, err)
			}
			continue
		}
		got := strings.TrimSpace(strings.Join([]string{r.host, r.port, map[bool]string{true: "true", false: "false"}[r.tls], r.user}, " "))
		if got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

type fixed string

func (fixed) utf8() bool { return false }
func (s fixed) write(w io.Writer, _ bool) error {
	_, err := w.Write([]byte(s))
	return err
}

func sendTo(t *testing.T, address string, config *tls.Config) error {
	t.Helper()
	r, err := NewRelay(address, config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return r.send(ctx, "mx.example.org", "a@example.com", fixed("Subject: x\r\n\r\n.dot\r\n"))
}

func TestRelaySends(t *testing.T) {
	plain := startRelay(t, nil)
	if err := sendTo(t, "smtp://"+plain.addr, nil); err != nil {
		t.Fatal(err)
	}
	if m := plain.mails(); len(m) != 1 || m[0].from != "" || m[0].to[0] != "a@example.com" || m[0].body != "Subject: x\r\n\r\n.dot\r\n" {
		t.Errorf("arrived: %+v", m)
	}
}

func TestRelayUsesSTARTTLS(t *testing.T) {
	server, client := testTLS(t)
	r := startRelay(t, func(c *smtp.Config) { c.TLS = smtp.TLSRequire }, smtp.WithTLS(server))
	if err := sendTo(t, "smtp://"+r.addr, client); err != nil {
		t.Fatal(err)
	}
	if m := r.mails(); len(m) != 1 || !m[0].tls {
		t.Errorf("arrived: %+v", m)
	}
	if err := sendTo(t, "smtp://"+r.addr, nil); err == nil || len(r.mails()) != 1 {
		t.Errorf("a certificate that nobody vouches for was taken: %v", err)
	}
}

func TestRelayRefusals(t *testing.T) {
	r := startRelay(t, nil)
	for code, final := range map[int]bool{451: false, 550: true} {
		r.refuse = reply.Reply{Code: code, Enhanced: reply.Enhanced{uint16(code / 100), 7, 1}}
		err := sendTo(t, "smtp://"+r.addr, nil)
		var e errFinal
		if err == nil || errors.As(err, &e) != final {
			t.Errorf("%d: %v", code, err)
		}
	}
	if err := sendTo(t, "smtp://u:secret-word@"+r.addr, nil); err == nil || strings.Contains(err.Error(), "secret-word") {
		t.Errorf("a relay that has no AUTH: %v", err)
	}
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	ln.Close()
	if err := sendTo(t, "smtp://"+ln.Addr().String(), nil); err == nil {
		t.Error("nobody listens, and yet it was sent")
	}
}

// A relay that takes the connection and says nothing must not hold us.
func TestRelayThatIsSilent(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r, _ := NewRelay("smtp://"+ln.Addr().String(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := r.send(ctx, "mx.example.org", "a@example.com", fixed("x")); err == nil {
		t.Error("sent to nobody")
	}
}
