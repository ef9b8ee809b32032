package devhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		h    *Hook
		want []int
	}{
		{&Hook{}, []int{200, 200}},
		{&Hook{Statuses: []int{503, 200}}, []int{503, 200, 200}},
		{&Hook{Reply: "550 5.1.1 No such project"}, []int{406}},
		{&Hook{Reply: "451 4.3.0 Later"}, []int{503}},
		{&Hook{Reply: "250 2.0.0 Filed", Statuses: []int{202}}, []int{202}},
	} {
		tc.h.Out = new(bytes.Buffer)
		for _, want := range tc.want {
			w := httptest.NewRecorder()
			tc.h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("{}")))
			if w.Code != want || w.Header().Get("SMTP-Reply") != tc.h.Reply {
				t.Errorf("%v %q answered %d %q, want %d", tc.h.Statuses, tc.h.Reply, w.Code, w.Header().Get("SMTP-Reply"), want)
			}
		}
	}
}

func TestPretty(t *testing.T) {
	out := new(bytes.Buffer)
	h := &Hook{Out: out}
	body := `{"subject":"Счёт","content":"` + strings.Repeat("QUJD", 100) + `"}`
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/mail", strings.NewReader(body)))
	for _, want := range []string{"POST /mail", "\n  \"subject\": \"Счёт\",\n", "… (", "answered 200"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	out.Reset()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader("no json\x1b[31m\n")))
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("a mail must not speak to the terminal: %q", out)
	}
}

func TestCheckSignature(t *testing.T) {
	key, now := []byte("0123456789abcdef01234567"), time.Unix(1700000000, 0)
	secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
	sign := func(id string, at int64, body string) http.Header {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.%s", id, at, body)
		return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {fmt.Sprint(at)},
			"Webhook-Signature": {"v1,AAAA v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
	}
	good := sign("a", now.Unix(), "body")
	for _, tc := range []struct {
		secret, body, want string
		h                  http.Header
		now                time.Time
	}{
		{secret, "body", "verified", good, now},
		{secret, "b0dy", "WRONG", good, now},
		{secret, "body", "missing", nil, now},
		{secret, "body", "WRONG", good, now.Add(time.Hour)},
		{"whsec_%", "body", "WRONG", good, now},
	} {
		if got, genuine := checkSignature(tc.secret, tc.h, []byte(tc.body), tc.now); !strings.HasPrefix(got, tc.want) || genuine != (tc.want == "verified") {
			t.Errorf("signature of %q is %q, want %q", tc.body, got, tc.want)
		}
	}
	// The vector of the Standard Webhooks reference libraries.
	h := http.Header{"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}}
	if got, _ := checkSignature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", h, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0)); got != "verified" {
		t.Errorf("the reference vector is %q", got)
	}
}

// With a secret, what it didn't sign is answered 401, whatever else was asked for.
func TestUnsigned(t *testing.T) {
	out := new(bytes.Buffer)
	h := &Hook{Out: out, Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Statuses: []int{202, 503}}
	post := func(header http.Header) int {
		r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
		r.Header = header
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	signed := Request{Header: http.Header{"Webhook-Id": {"msg_1"}}, Body: []byte("{}")}
	if err := resign(&signed, h.Secret, time.Now()); err != nil {
		t.Fatal(err)
	}
	wrong := signed.Header.Clone()
	wrong.Set("Webhook-Id", "msg_2")
	for i, c := range []struct {
		header http.Header
		want   int
	}{{http.Header{}, 401}, {wrong, 401}, {signed.Header, 202}, {http.Header{}, 401}, {signed.Header, 503}} {
		if got := post(c.header); got != c.want {
			t.Errorf("%d: answered %d, want %d", i, got, c.want)
		}
	}
	for _, want := range []string{"answered 401: the signature is missing", "answered 401: the signature is WRONG", "  signature: verified\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

// What is printed of a body never speaks to the terminal.
func FuzzPretty(f *testing.F) {
	f.Add([]byte(`{"a":"\u001b[31m"}`))
	f.Add([]byte("\x1b]0;x\x07\u009b31m\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, r := range (&Hook{Out: io.Discard}).pretty(body) {
			if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
				t.Errorf("%q prints %q", body, r)
			}
		}
	})
}
