package ops

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern/gateway/history"
	"postern/gateway/mail"
)

// watched notes until when its answer may take; real connections end then.
type watched struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (w *watched) SetWriteDeadline(t time.Time) error {
	w.until = append(w.until, t)
	return nil
}

// Whatever a client downloads, it may take its time as long as it takes something,
// and doesn't hold the connection and the file for ever.
func TestSlowReaders(t *testing.T) {
	srv := newTestServer(t, testQueue(t), func(_ *Config, d *Deps) { d.Preview = previews(t) })
	v := visit(t, srv)
	v.signIn()
	for _, path := range []string{"/messages/m1/raw", "/messages/m1/request/body?delivery=d1", "/api/v1/messages/m1/raw", "/api/v1/deliveries/d1/message", "/api/v1/deliveries/d1/request/body"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+testToken)
		at, _ := r.URL.Parse(srv.URL)
		for _, c := range v.Jar.Cookies(at) {
			r.AddCookie(c)
		}
		w := &watched{ResponseRecorder: httptest.NewRecorder()}
		srv.Config.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.Len() == 0 || len(w.until) == 0 {
			t.Fatalf("%s: %d, %d octets, %d deadlines", path, w.Code, w.Body.Len(), len(w.until))
		}
		for _, until := range w.until {
			if left := time.Until(until); left <= 0 || left > time.Hour {
				t.Errorf("%s: it may take %v more", path, left)
			}
		}
	}
}

// An attachment is a file to save, whatever it calls itself; the source is text.
func TestPageAttachment(t *testing.T) {
	q := testQueue(t)
	q.keep(t, &mail.Envelope{ID: "m9", Received: time.Now()}, []byte("Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n"+
		"Content-Type: text/html; name=\"<x>.html\"\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nPHNjcmlwdD4=\r\n--b--\r\n"))
	srv := newTestServer(t, q, nil)
	v := visit(t, srv)
	v.signIn()
	if _, message := v.get("/messages/m9"); !strings.Contains(message, `<a href="/messages/m9/attachments/0"><bdi>&lt;x&gt;.html</bdi></a>`) {
		t.Errorf("the message's view: %s", message)
	}
	resp, file := v.get("/messages/m9/attachments/0")
	h := resp.Header
	if file != "<script>" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") ||
		h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%q with %v", file, h)
	}
	resp, source := v.get("/messages/m9/source")
	if h := resp.Header; !strings.Contains(source, "PHNjcmlwdD4=") || h.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the source: %v %s", h, source)
	}
	for _, n := range []string{"1", "-1", "x", "99999999999999999999"} {
		if resp, _ := v.get("/messages/m9/attachments/" + n); resp.StatusCode != http.StatusNotFound {
			t.Errorf("attachment %s: %d", n, resp.StatusCode)
		}
	}
}

// A webhook that repeats itself is told once, and many recipients don't bury the rest.
func TestPageIsShort(t *testing.T) {
	ring := history.NewRing(10, 1<<20, time.Now)
	r := history.Record{ID: "m1", At: time.Now(), Result: history.Accepted, Reply: "250 2.0.0 OK", Waiting: 1}
	var to []string
	for n := range 64 {
		to = append(to, fmt.Sprintf("r%02d@in.example", n))
		r.To = append(r.To, history.Recipient{Address: to[n]})
	}
	b := history.Batch{Records: []history.Record{r}}
	for n, said := range []string{"down", "down", "up", "down"} {
		b.Attempts = append(b.Attempts, history.Attempt{Message: "m1", Delivery: "d1", Endpoint: "app", To: to, At: time.Now(), N: n + 1, Queued: true, Status: 503, Reason: "unavailable", Answer: said})
	}
	if err := ring.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	v := visit(t, newTestServer(t, testQueue(t), func(_ *Config, d *Deps) { d.History = ring }))
	v.signIn()
	_, message := v.get("/messages/m1")
	if strings.Count(message, "It said the same as before.") != 1 || strings.Count(message, `class="short"`) != 3 || strings.Count(message, "<summary>and 56 more</summary>") != 5 {
		t.Errorf("the view is long:\n%s", message)
	}
}
