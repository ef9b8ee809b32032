package devhook

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// app is an application that notes what it is asked.
type app struct {
	*httptest.Server
	asked []*http.Request
	body  string
}

func newApp(t *testing.T, answer http.HandlerFunc) *app {
	a := &app{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.asked, a.body = append(a.asked, r), string(body)
		answer(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// The app gets the request as it came, and its answer goes back as it is.
func TestForward(t *testing.T) {
	a := newApp(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("SMTP-Reply", "550 5.1.1 No such project")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
		fmt.Fprint(w, `{"smtp":{}}`)
	})
	var out bytes.Buffer
	f := NewForwarder(strings.Replace(a.URL, "://", "://me:pass-word@", 1)+"/mail", "", &Kept{Folder: filepath.Join(t.TempDir(), "kept")})
	defer f.Close()
	h := &Hook{Out: &out, Forward: f}
	r := httptest.NewRequest("POST", "/somewhere?x=1", strings.NewReader("a=b"))
	r.Header = http.Header{"Webhook-Id": {"msg_1"}, "Content-Type": {"text/odd"}, "Connection": {"close, X-Hop"}, "X-Hop": {"1"}, "Keep-Alive": {"1"}, "Authorization": {"Bearer t"}}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 302 || w.Header().Get("SMTP-Reply") != "550 5.1.1 No such project" || w.Header().Get("Location") != "/elsewhere" || w.Body.String() != `{"smtp":{}}` {
		t.Errorf("passed back %d %v %s", w.Code, w.Header(), w.Body)
	}
	got := a.asked[0]
	if got.URL.String() != "/mail" || a.body != "a=b" || got.Header.Get("Content-Type") != "text/odd" || got.Header.Get("Authorization") != "Bearer t" || got.Header.Get("X-Hop") != "" || got.Header.Get("Keep-Alive") != "" {
		t.Errorf("passed on %s %v %s", got.URL, got.Header, a.body)
	}
	if !strings.Contains(out.String(), "answered 302 by "+a.URL+"/mail in ") {
		t.Errorf("printed:\n%s", &out)
	}
	if strings.Contains(out.String(), "pass-word") {
		t.Errorf("a password is printed:\n%s", &out)
	}
	a.Close()
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("a=b")))
	if w.Code != 502 || !strings.Contains(out.String(), "answered 502: no answer from "+a.URL+"/mail: ") {
		t.Errorf("without the app: %d\n%s", w.Code, &out)
	}
}

// What isn't signed never reaches the app.
func TestForwardVerifies(t *testing.T) {
	a := newApp(t, func(http.ResponseWriter, *http.Request) {})
	f := NewForwarder(a.URL, secret, nil)
	defer f.Close()
	h := &Hook{Out: io.Discard, Secret: secret, Forward: f}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("{}")))
	if w.Code != 401 || len(a.asked) != 0 {
		t.Errorf("answered %d, the app was asked %d times", w.Code, len(a.asked))
	}
}

// A kept request is sent again with its webhook-id and a signature of today.
func TestAgain(t *testing.T) {
	a := newApp(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	f := NewForwarder(a.URL, secret, nil)
	defer f.Close()
	old := Request{Method: "POST", URL: a.URL, Header: http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1"}, "Webhook-Signature": {"v1,old"}}, Body: []byte("{}")}
	words, err := f.Again(t.Context(), old)
	if err != nil || !strings.HasPrefix(words, "msg_1: 202 by ") {
		t.Errorf("%s, %v", words, err)
	}
	got := a.asked[0]
	if says, genuine := checkSignature(secret, got.Header, []byte(a.body), time.Now()); !genuine || got.Header.Get("Webhook-Id") != "msg_1" {
		t.Errorf("%s: %v", says, got.Header)
	}
	if old.Header.Get("Webhook-Signature") != "v1,old" {
		t.Error("the kept request was changed")
	}
	f.Secret = ""
	if _, err := f.Again(t.Context(), old); err != nil || a.asked[1].Header.Get("Webhook-Signature") != "v1,old" {
		t.Errorf("without the secret: %v, %v", err, a.asked[1].Header)
	}
}

// The last requests are kept, each once, and found by the beginning of their id.
func TestKept(t *testing.T) {
	k := &Kept{Folder: filepath.Join(t.TempDir(), "kept")}
	if _, err := k.Find("last"); err == nil || !strings.Contains(err.Error(), "no request was kept") {
		t.Errorf("of nothing: %v", err)
	}
	began := time.Now().Add(-time.Hour)
	add := func(i int, id, body string) {
		r := Request{At: began, Method: "POST", Header: http.Header{"Webhook-Id": {id}}, Body: []byte(body)}
		if err := k.Add(r); err != nil {
			t.Fatal(err)
		}
		at := began.Add(time.Duration(i) * time.Second)
		if err := os.Chtimes(filepath.Join(k.Folder, r.ID()+keptSuffix), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for i := range Keep + 5 {
		add(i, fmt.Sprintf("msg_a%02d", i), "old")
	}
	add(99, "msg_a20", "new")
	add(98, "../../etc/msg", "elsewhere")
	files, err := os.ReadDir(k.Folder)
	if err != nil || len(files) != Keep {
		t.Errorf("%d are kept, %v", len(files), err)
	}
	for id, want := range map[string]string{"msg_a20": "new", "a20": "new", "last": "new", "msg_a2": "ambiguous", "msg_a00": "error", "etcm": "elsewhere", "": "ambiguous"} {
		r, err := k.Find(id)
		got := string(r.Body)
		switch {
		case err != nil && strings.Contains(err.Error(), "several ids"):
			got = "ambiguous"
		case err != nil:
			got = "error"
		}
		if got != want {
			t.Errorf("%q finds %s, want %s (%v)", id, got, want, err)
		}
	}
	if info, err := os.Stat(filepath.Join(k.Folder, "msg_a20"+keptSuffix)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A listen that forwards to itself says so at once.
func TestForwardToItself(t *testing.T) {
	var out bytes.Buffer
	h := &Hook{Out: &out}
	srv := httptest.NewServer(h)
	defer srv.Close()
	f := NewForwarder(srv.URL, "", nil)
	defer f.Close()
	h.Forward = f
	res, err := http.Post(srv.URL, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	if res.StatusCode != http.StatusLoopDetected || strings.Count(out.String(), "POST /") != 2 || !strings.Contains(out.String(), "leads back to this listen") {
		t.Errorf("%d:\n%s", res.StatusCode, &out)
	}
}
