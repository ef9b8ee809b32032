package webhook

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/gateway/mail"
	"postern/webhook/payload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zeros is an attachment of n zero octets that is never held.
type zeros int64

func (z zeros) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(zeroReader{}, int64(z))), nil
}

func (z zeros) WriteBase64(w io.Writer) error {
	enc := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.CopyN(enc, zeroReader{}, int64(z)); err != nil {
		return err
	}
	return enc.Close()
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// unreadable is content whose store has gone.
type unreadable struct{}

func (unreadable) Open() (io.ReadCloser, error) { return nil, errors.New("gone") }
func (unreadable) WriteBase64(w io.Writer) error {
	_, _ = w.Write(make([]byte, 1000))
	return errors.New("gone")
}

func delivery(attachment int64) payload.Delivery {
	raw := mail.Bytes("Subject: Hi\r\n\r\nHello\r\n")
	d := payload.Delivery{
		ID: DeliveryID("key", "ep", []string{"a@in.example"}), Attempt: 1, Endpoint: "ep",
		Envelope: &mail.Envelope{
			ID: "m1", Received: time.Unix(1700000000, 0), Client: netip.MustParseAddrPort("192.0.2.1:25"),
			Verb: mail.VerbMail, From: "s@out.example", Size: raw.Size(),
		},
		Recipients: []mail.Recipient{{Address: "a@in.example"}},
		Message:    &mail.Message{Subject: "Hi", Text: "Hello\n", From: []mail.Address{{Name: "S", Address: "s@out.example"}}},
		Raw:        raw,
	}
	if attachment > 0 {
		d.Message.Attachments = []mail.Attachment{{Filename: "z.bin", ContentType: "application/octet-stream", Disposition: "attachment", Size: attachment, Content: zeros(attachment)}}
	}
	return d
}

func sender(t testing.TB) *Sender {
	t.Helper()
	s, err := NewSender(SenderConfig{Hostname: "mx.example", UserAgent: "Postern/test"}, SenderDeps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// serve starts a webhook that goes when the test does.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestSendCarriesEverything(t *testing.T) {
	for _, size := range []int64{0, 100, 3 << 20} {
		var got *http.Request
		var body []byte
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			fmt.Fprint(w, `{"smtp":{"code":250,"enhanced":"2.0.0","message":"ticket 7"}}`)
		})
		ep := endpoint(t, Config{
			URL: strings.Replace(srv.URL, "http://", "http://user:p%40ss@", 1) + "/in?k=v", Secret: Fixed(testSecret + " " + testSecret),
			Headers: http.Header{"X-Team": {"mail"}},
		})
		d := delivery(size)
		o := sender(t).Send(t.Context(), ep, d)
		if o.Result != Delivered || o.Status != 200 || o.Err != nil || o.Endpoint != "ep" || o.Reply == nil || o.Reply.Text() != "ticket 7" {
			t.Fatalf("%+v", o)
		}
		if got.ContentLength != int64(len(body)) || len(got.TransferEncoding) > 0 {
			t.Errorf("Content-Length %d of %d, %v", got.ContentLength, len(body), got.TransferEncoding)
		}
		if !json.Valid(body) {
			t.Error("the body is no JSON")
		}
		h := got.Header
		if user, pw, _ := got.BasicAuth(); user != "user" || pw != "p@ss" || got.RequestURI != "/in?k=v" {
			t.Errorf("user %q, password %q, %s", user, pw, got.RequestURI)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "Postern/test", "X-Team": "mail",
			"webhook-id": d.ID, "webhook-attempt": "1", "postern-message-id": "m1",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %q, want %q", name, h.Get(name), want)
			}
		}
		sigs := strings.Fields(h.Get("webhook-signature"))
		if len(sigs) != 2 {
			t.Errorf("signatures: %v", sigs)
		}
		if err := Verify(testSecret, d.ID, h.Get("webhook-timestamp"), sigs[1], body, time.Now(), time.Minute); err != nil {
			t.Error(err)
		}
	}
}

func TestStandardWebhooksVector(t *testing.T) {
	body := []byte(`{"test": 2432232314}`)
	sig, err := Sign(testSecret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), func(w io.Writer) error { _, err := w.Write(body); return err })
	if err != nil || sig != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%s, %v", sig, err)
	}
	if Verify(testSecret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,AAAA "+sig, body, time.Unix(1614265000, 0), 10*time.Minute) != nil {
		t.Error("our own signature doesn't verify")
	}
	for what, err := range map[string]error{
		"another body": Verify(testSecret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", sig, []byte("{}"), time.Time{}, 0),
		"another id":   Verify(testSecret, "msg_x", "1614265330", sig, body, time.Time{}, 0),
		"another time": Verify(testSecret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265331", sig, body, time.Time{}, 0),
		"too old":      Verify(testSecret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", sig, body, time.Unix(1614269999, 0), time.Minute),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestSendEveryStatus(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Query().Get("status"))
		w.Header().Set("Location", "http://127.0.0.1:1/elsewhere?token=secret")
		w.WriteHeader(status)
	})
	s := sender(t)
	for status := 200; status <= 599; status++ {
		ep := endpoint(t, Config{URL: fmt.Sprintf("%s/?status=%d", srv.URL, status)})
		o := s.Send(t.Context(), ep, delivery(0))
		reason, result, _, off := wantStatus(status)
		if o.Status != status || o.Reason != reason || o.Result != result || codes(o.SMTPReply()) != off {
			t.Errorf("%d: %+v", status, o)
		}
		if o.Err != nil && strings.Contains(o.Err.Error(), "secret") {
			t.Errorf("%d: %v", status, o.Err)
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	var opened atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 100<<10)) // more than is looked at
	}))
	srv.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	s, ep := sender(t), endpoint(t, Config{URL: srv.URL, Concurrency: 8})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if o := s.Send(context.Background(), ep, delivery(0)); o.Result != Delivered {
					t.Error(o.Err)
				}
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n > 16 { // net/http takes a connection back a moment after its answer was read
		t.Errorf("%d connections for 8 slots", n)
	}
}

func TestTimeoutRunsFromTheLastOctet(t *testing.T) {
	slow := make(chan struct{})
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/silent" {
			_, _ = io.Copy(io.Discard, r.Body)
			<-slow
			return
		}
		for range 30 { // takes longer than TIMEOUT to read, but never stalls
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			time.Sleep(80 * time.Millisecond)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	t.Cleanup(func() { close(slow) })
	s := sender(t)
	short := Config{URL: srv.URL + "/silent", Timeout: 50 * time.Millisecond, RetryTimeout: time.Minute}
	if o := s.Send(t.Context(), endpoint(t, short), delivery(0)); o.Reason != ReasonTimeout || !errors.Is(o.Err, ErrTimeout) {
		t.Errorf("%+v", o)
	}
	short.URL, short.Timeout = srv.URL+"/slow", 1500*time.Millisecond
	if o := s.Send(t.Context(), endpoint(t, short), delivery(24<<20)); o.Result != Delivered {
		t.Errorf("%+v", o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	long := Config{URL: srv.URL + "/silent"}
	if o := s.Send(ctx, endpoint(t, long), delivery(0)); o.Reason != ReasonTimeout {
		t.Errorf("%+v", o)
	}
}

func TestFaultsOfTheNetwork(t *testing.T) {
	s := sender(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := l.Addr().String()
	l.Close()
	reset, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer reset.Close()
	go func() {
		for {
			c, err := reset.Accept()
			if err != nil {
				return
			}
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	clear := serve(t, func(http.ResponseWriter, *http.Request) {})
	for url, want := range map[string]Reason{
		"http://" + refused:               ReasonConnect,
		"http://" + reset.Addr().String(): ReasonConnect,
		untrusted.URL:                     ReasonTLS,
		strings.Replace(clear.URL, "http://", "https://", 1): ReasonTLS,
		"http://nowhere.invalid":                             ReasonDNS,
	} {
		o := s.Send(t.Context(), endpoint(t, Config{URL: url}), delivery(0))
		if o.Result != Deferred || o.Reason != want || o.Err == nil || o.Status != 0 {
			t.Errorf("%s: %+v", url, o)
		}
	}
}

// A webhook that closed a kept connection while it was idle has not failed.
func TestStaleConnection(t *testing.T) {
	var posts atomic.Int32
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// Each connection serves one request and, at the sight of a second, is reset
	// without an answer.
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 64<<10)
				_, _ = c.Read(buf)
				posts.Add(1)
				_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
				_, _ = c.Read(buf)
				_ = c.(*net.TCPConn).SetLinger(0)
			}()
		}
	}()
	s, ep := sender(t), endpoint(t, Config{URL: "http://" + l.Addr().String()})
	for i := range 20 {
		if o := s.Send(t.Context(), ep, delivery(0)); o.Result != Delivered {
			t.Fatalf("%d: %+v", i, o)
		}
	}
	if posts.Load() != 20 {
		t.Errorf("%d answers for 20 deliveries", posts.Load())
	}
}

func TestNothingIsPostedOfAMessageThatCantBeRead(t *testing.T) {
	var whole atomic.Int32
	srv := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			whole.Add(1)
		}
	})
	for _, size := range []int64{100, 10 << 20} {
		d := delivery(size)
		d.Message.Attachments[0].Content = unreadable{}
		for _, c := range []Config{{URL: srv.URL}, {URL: srv.URL, Secret: Fixed(testSecret)}} {
			if o := sender(t).Send(t.Context(), endpoint(t, c), d); o.Result != Deferred || o.Reason != ReasonRender || o.Err == nil {
				t.Errorf("%d: %+v", size, o)
			}
		}
	}
	if whole.Load() > 0 {
		t.Error("a body that can't be whole was taken")
	}
}

func TestBadSettings(t *testing.T) {
	_, err := NewEndpoint(Config{
		URL: "ftp://user:topsecret@host/", Match: []string{"sales"}, Format: "fax", Attachments: "later", Raw: "never",
		Secret: Fixed("topsecret"), Reject: []string{"200"}, Timeout: -1, Headers: http.Header{"Bad Name": {"x"}},
	})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"NAME", "URL", "MATCH", "FORMAT", "ATTACHMENTS", "RAW", "SECRET", "REJECT", "TIMEOUT", "HEADERS"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "topsecret") {
		t.Error(err)
	}
	ep := endpoint(t, Config{URL: "https://user:topsecret@host/a?token=topsecret"})
	if s := fmt.Sprint(ep, ep.URL(), ep.LogValue()); strings.Contains(s, "topsecret") || !strings.Contains(s, "https://host/a?") {
		t.Error(s)
	}
}

func BenchmarkSend(b *testing.B) {
	srv := serve(b, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	s := sender(b)
	for _, secret := range []string{"", testSecret} {
		b.Run(fmt.Sprintf("small,signed=%v", secret != ""), func(b *testing.B) {
			ep, d := endpoint(b, Config{URL: srv.URL, Secret: Fixed(secret)}), delivery(0)
			d.Message.Text = string(bytes.Repeat([]byte("a line of text that is like others\n"), 50))
			b.ReportAllocs()
			for b.Loop() {
				if o := s.Send(context.Background(), ep, d); o.Result != Delivered {
					b.Fatal(o.Err)
				}
			}
		})
	}
}
