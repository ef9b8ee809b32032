package rspamd_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/gateway/mail"
	"postern/gateway/rspamd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, url string) *rspamd.Client {
	t.Helper()
	c, err := rspamd.New(url, "mx.example", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func envelope() *mail.Envelope {
	return &mail.Envelope{ID: "m1", From: "a@b.example", To: []mail.Recipient{{Address: "x@in.example"}, {Address: "y@in.example"}}, Hello: "b.example", Auth: "ann",
		Client: netip.MustParseAddrPort("[::ffff:192.0.2.1]:4242"), ClientName: "mail.b.example"}
}

// TestQuestion: rspamd gets the octets as they are and what the envelope says.
func TestQuestion(t *testing.T) {
	var got http.Header
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r.Header, r.URL.Path+" "+string(b)
		_, _ = io.WriteString(w, `{"score":7.5,"required_score":15,"action":"add header","symbols":{"A":{"name":"A","score":0.5},"B":{"score":7},"C":{"score":0.5}}}`)
	}))
	defer s.Close()
	o := client(t, s.URL+"/").Check(t.Context(), envelope(), mail.Bytes("Subject: s\r\n\r\nx\r\n"))
	if o == nil || o.Score != 7.5 || o.Action != "add header" || len(o.Symbols) != 3 || o.Symbols[0].Name != "B" || o.Symbols[1].Name != "A" || !o.Spam() {
		t.Errorf("%+v", o)
	}
	if body != "/checkv2 Subject: s\r\n\r\nx\r\n" {
		t.Errorf("%q", body)
	}
	for name, want := range map[string]string{"From": "a@b.example", "Rcpt": "x@in.example,y@in.example", "Ip": "192.0.2.1", "Helo": "b.example", "Hostname": "mail.b.example", "User": "ann", "Queue-Id": "m1", "Mta-Name": "mx.example"} {
		if v := strings.Join(got.Values(name), ","); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
}

// TestNoOpinion: whatever is wrong with it, an rspamd holds nobody up.
func TestNoOpinion(t *testing.T) {
	ended := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Queue-Id") {
		case "500":
			w.WriteHeader(500)
		case "junk":
			_, _ = io.WriteString(w, "<html>")
		case "empty":
			_, _ = io.WriteString(w, "{}")
		case "slow":
			_, _ = io.Copy(io.Discard, r.Body)
			<-ended
		}
	}))
	defer s.Close()
	defer close(ended)
	c := client(t, s.URL)
	for _, id := range []string{"500", "junk", "empty", "slow"} {
		e := envelope()
		e.ID = id
		began := time.Now()
		if o := c.Check(t.Context(), e, mail.Bytes("x")); o != nil {
			t.Errorf("%s: %+v", id, o)
		}
		if took := time.Since(began); took > rspamd.Timeout+time.Second {
			t.Errorf("%s took %v", id, took)
		}
	}
	if o := client(t, "http://127.0.0.1:1").Check(t.Context(), envelope(), mail.Bytes("x")); o != nil {
		t.Errorf("nobody there: %+v", o)
	}
	if _, err := rspamd.New("11333", "", nil); err == nil {
		t.Error("a base without a host")
	}
}

// TestRealRspamd has the system's rspamd look at GTUBE and at a plain mail.
func TestRealRspamd(t *testing.T) {
	program, err := exec.LookPath("rspamd")
	if err != nil {
		if os.Getenv("TOOLS") == "required" {
			t.Fatal("there is no rspamd; TOOLS=required wants it")
		}
		t.Skip("no rspamd here")
	}
	dir := t.TempDir()
	socket := freePort(t)
	config := filepath.Join(dir, "rspamd.conf")
	text := `options { pidfile = "` + dir + `/pid"; tempdir = "` + dir + `"; hs_cache_dir = "` + dir + `"; cache_file = "` + dir + `/cache"; url_tld = "` + dir + `/tld";
	dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; } filters = ""; }
logging { type = "console"; level = "error"; }
worker "normal" { bind_socket = "` + socket + `"; count = 1; task_timeout = 4s; }
metric { name = "default"; actions { reject = 15; add_header = 6; greylist = 4; } group "x" { symbol "X" { weight = 1; } } }
`
	if err := os.WriteFile(filepath.Join(dir, "tld"), []byte("com\nexample\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-f", "-i", "-c", config) // -i: as whoever runs the test
	out, _ := os.Create(filepath.Join(dir, "out"))
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }()
	c := client(t, "http://"+socket)
	message := func(text string) mail.Source {
		return mail.Bytes("From: a@b.example\r\nTo: x@in.example\r\nSubject: s\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@b.example>\r\n\r\n" + text + "\r\n")
	}
	var o *mail.Spam
	for end := time.Now().Add(time.Minute); o == nil && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		o = c.Check(t.Context(), envelope(), message("hello"))
	}
	if o == nil {
		b, _ := os.ReadFile(out.Name())
		t.Fatalf("rspamd never answered: %s", b)
	}
	if o.Spam() {
		t.Errorf("a plain mail: %+v", o)
	}
	o = c.Check(t.Context(), envelope(), message("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"))
	if o == nil || o.Action != "reject" || len(o.Symbols) == 0 || o.Symbols[0].Name != "GTUBE" {
		t.Errorf("GTUBE: %+v", o)
	}
}

func freePort(t *testing.T) string {
	s := httptest.NewServer(nil)
	defer s.Close()
	return s.Listener.Addr().String()
}
