package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/gateway/smtp/reply"
)

func reject(t *testing.T, list ...string) Statuses {
	t.Helper()
	s, err := ParseStatuses(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The table of product behaviour, written a second time, status by status.
func wantStatus(status int) (Reason, Result, string, string) {
	switch {
	case status/100 == 2:
		return ReasonDelivered, Delivered, "250 2.0.0", "250 2.0.0"
	case status == 406:
		return ReasonRejected, Rejected, "554 5.7.1", "554 5.7.1"
	case status == 413:
		return ReasonTooLarge, Deferred, "250 2.0.0", "552 5.3.4"
	case status == 429, status == 507:
		return ReasonBusy, Deferred, "250 2.0.0", "452 4.3.1"
	case status == 408, status == 425, status/100 == 5:
		return ReasonUnavailable, Deferred, "250 2.0.0", "451 4.3.0"
	default:
		return ReasonMisconfigured, Deferred, "250 2.0.0", "451 4.3.5"
	}
}

func TestClassifyEveryStatus(t *testing.T) {
	for status := 100; status <= 999; status++ {
		for _, err := range []error{nil, io.ErrUnexpectedEOF, ErrTimeout} { // a fault after the status changes nothing
			o := Classify(Answer{Status: status, Err: err}, Statuses{})
			reason, result, on, off := wantStatus(status)
			if o.Reason != reason || o.Result != result || o.Status != status {
				t.Errorf("%d: %s, %d", status, o.Reason, o.Result)
			}
			if got := codes(o.SMTPReplyQueued()); got != on {
				t.Errorf("%d, queue on: %s, want %s", status, got, on)
			}
			if got := codes(o.SMTPReply()); got != off {
				t.Errorf("%d, queue off: %s, want %s", status, got, off)
			}
			if (o.Err == nil) != (result == Delivered) || o.SMTPReplyQueued().Text() == "" || o.SMTPReply().Text() == "" {
				t.Errorf("%d: error %v, replies %v", status, o.Err, o.SMTPReplyQueued())
			}
		}
	}
}

func TestClassifyEveryError(t *testing.T) {
	wrap := func(err error) error { return &url.Error{Op: "Post", URL: "http://user:pw@host/?k=secret", Err: err} }
	for _, c := range []struct {
		err    error
		reason Reason
		off    string
	}{
		{nil, ReasonConnect, "451 4.4.1"},
		{errors.New("anything"), ReasonConnect, "451 4.4.1"},
		{io.EOF, ReasonConnect, "451 4.4.1"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, ReasonConnect, "451 4.4.1"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, ReasonConnect, "451 4.4.1"},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, ReasonTimeout, "451 4.4.2"},
		{context.DeadlineExceeded, ReasonTimeout, "451 4.4.2"},
		{context.Canceled, ReasonTimeout, "451 4.4.2"},
		{ErrTimeout, ReasonTimeout, "451 4.4.2"},
		{ErrStalled, ReasonTimeout, "451 4.4.2"},
		{&net.DNSError{Err: "no such host", Name: "nowhere.invalid"}, ReasonDNS, "451 4.4.3"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "timeout", IsTimeout: true}}, ReasonDNS, "451 4.4.3"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, ReasonTLS, "451 4.7.5"},
		{x509.CertificateInvalidError{Cert: &x509.Certificate{}}, ReasonTLS, "451 4.7.5"},
		{x509.UnknownAuthorityError{}, ReasonTLS, "451 4.7.5"},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, ReasonTLS, "451 4.7.5"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}, ReasonTLS, "451 4.7.5"},
		{tls.AlertError(40), ReasonTLS, "451 4.7.5"},
		{tls.RecordHeaderError{Msg: "x"}, ReasonTLS, "451 4.7.5"},
		{errors.New("http: server gave HTTP response to HTTPS client"), ReasonTLS, "451 4.7.5"},
		{fmt.Errorf("%w: disk", errUnreadable), ReasonRender, "451 4.3.0"},
	} {
		for _, err := range []error{c.err, wrap(c.err)} {
			if c.err == nil {
				err = nil
			}
			o := Classify(Answer{Err: err}, Statuses{})
			if o.Result != Deferred || o.Reason != c.reason || o.Err == nil {
				t.Errorf("%v: %v %v", err, o.Result, o.Reason)
				continue
			}
			if got := codes(o.SMTPReply()); got != c.off {
				t.Errorf("%v: %s, want %s", err, got, c.off)
			}
			if got := codes(o.SMTPReplyQueued()); got != "250 2.0.0" {
				t.Errorf("%v, queue on: %s", err, got)
			}
			if s := o.Err.Error(); strings.Contains(s, "pw") || strings.Contains(s, "secret") {
				t.Errorf("the error shows a secret: %s", s)
			}
		}
	}
}

func TestEveryReasonHasItsReply(t *testing.T) {
	for _, r := range Reasons() {
		want := standard[r]
		o := Outcome{Result: byCode(want.Code), Reason: r}
		if got := o.SMTPReply(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", r, got, want)
		}
		if int(want.Enhanced[0]) != want.Code/100 {
			t.Errorf("%s: class of %v", r, want)
		}
	}
	if got := (Outcome{Result: Rejected, Reason: "unknown"}).SMTPReplyQueued(); got.Code != 554 {
		t.Errorf("unknown reason: %v", got)
	}
}

func TestRejectSets(t *testing.T) {
	some, all := reject(t, "404", " 422", "429"), reject(t, "4xx")
	for status := 100; status <= 599; status++ {
		wantSome := status == 404 || status == 406 || status == 422 || status == 429
		if some.Has(status) != wantSome {
			t.Errorf("404,422,429 has %d: %v", status, !wantSome)
		}
		wantAll := status/100 == 4 && status != 408 && status != 425 && status != 429
		if all.Has(status) != wantAll {
			t.Errorf("4xx has %d: %v", status, !wantAll)
		}
	}
	if o := Classify(Answer{Status: 413}, all); o.Reason != ReasonTooLarge || o.Result != Rejected || codes(o.SMTPReplyQueued()) != "552 5.3.4" {
		t.Errorf("413 under 4xx: %+v", o)
	}
	for _, bad := range []string{"200", "abc", "600", "5xx", "4", "-404"} {
		if _, err := ParseStatuses([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestWhatTheWebhookSays(t *testing.T) {
	h := func(kv ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			h.Set(kv[i], kv[i+1])
		}
		return h
	}
	const js = "application/json"
	for name, c := range map[string]struct {
		a    Answer
		want string // result, reply
	}{
		"header":                {Answer{Status: 200, Header: h("SMTP-Reply", "550 5.1.1 No such project")}, "2 550 5.1.1 No such project"},
		"header with 500":       {Answer{Status: 500, Header: h("SMTP-Reply", "450 4.2.1 Later")}, "0 450 4.2.1 Later"},
		"no enhanced":           {Answer{Status: 404, Header: h("SMTP-Reply", "550 No such project")}, "2 550 5.7.1 No such project"},
		"class mismatch":        {Answer{Status: 404, Header: h("SMTP-Reply", "550 4.1.1 x")}, "2 550 5.1.1 x"},
		"421":                   {Answer{Status: 503, Header: h("SMTP-Reply", "421 4.3.2 bye")}, "0 451 4.3.2 bye"},
		"503":                   {Answer{Status: 503, Header: h("SMTP-Reply", "503 5.5.1 x")}, "2 554 5.5.1 x"},
		"250 with 200":          {Answer{Status: 200, Header: h("SMTP-Reply", "250 2.0.0 ticket 42")}, "1 250 2.0.0 ticket 42"},
		"250 with 500":          {Answer{Status: 500, Header: h("SMTP-Reply", "250 2.0.0 ok")}, "0 451 4.3.0 -"},
		"354":                   {Answer{Status: 200, Header: h("SMTP-Reply", "354 go")}, "1 250 2.0.0 -"},
		"nonsense":              {Answer{Status: 406, Header: h("SMTP-Reply", "no")}, "2 554 5.7.1 -"},
		"code only":             {Answer{Status: 406, Header: h("SMTP-Reply", "553")}, "2 553 5.1.3 -"},
		"line ends":             {Answer{Status: 406, Body: []byte(`{"smtp":{"code":550,"enhanced":"5.1.1","message":"a\r\n250 b\u0007"}}`)}, "2 550 5.1.1 a 250 b"},
		"json":                  {Answer{Status: 200, Header: h("Content-Type", js), Body: []byte(`{"smtp":{"code":451,"enhanced":"4.7.1","message":"greylisted"}}`)}, "0 451 4.7.1 greylisted"},
		"json, code as text":    {Answer{Status: 200, Body: []byte(`{"smtp":{"code":"552"}}`)}, "2 552 5.3.4 -"},
		"json string":           {Answer{Status: 200, Body: []byte(`{"smtp":"550 5.1.1 gone"}`)}, "2 550 5.1.1 gone"},
		"json of another kind":  {Answer{Status: 200, Body: []byte(`{"smtp":true,"recipients":["a"]}`)}, "1 250 2.0.0 -"},
		"header before json":    {Answer{Status: 200, Header: h("SMTP-Reply", "550 5.1.1 h"), Body: []byte(`{"smtp":{"code":451}}`)}, "2 550 5.1.1 h"},
		"text of a rejection":   {Answer{Status: 406, Header: h("Content-Type", "text/plain; charset=utf-8"), Body: []byte("Нет\tthis \r\n project\n")}, "2 554 5.7.1 ??? this project"},
		"text of a 413":         {Answer{Status: 413, Header: h("Content-Type", "text/plain"), Body: []byte("2 MB at most")}, "0 552 5.3.4 -"},
		"413 that is meant":     {Answer{Status: 413, Header: h("SMTP-Reply", "552 5.2.3 Two MB at most")}, "2 552 5.2.3 Two MB at most"},
		"too early":             {Answer{Status: 200, Early: true}, "0 451 4.4.1 -"},
		"too early, with words": {Answer{Status: 200, Early: true, Header: h("SMTP-Reply", "250 2.0.0 ok")}, "0 451 4.4.1 -"},
		"early, but not now":    {Answer{Status: 200, Early: true, Header: h("SMTP-Reply", "450 4.2.1 later")}, "0 450 4.2.1 later"},
		"early refusal":         {Answer{Status: 406, Early: true}, "2 554 5.7.1 -"},
		"text of a 503":         {Answer{Status: 503, Header: h("Content-Type", "text/plain"), Body: []byte("down")}, "0 451 4.3.0 -"},
		"html of a rejection":   {Answer{Status: 406, Header: h("Content-Type", "text/html"), Body: []byte("<p>no")}, "2 554 5.7.1 -"},
		"long text":             {Answer{Status: 406, Header: h("Content-Type", "text/plain"), Body: []byte(strings.Repeat("x", 5000))}, "2 554 5.7.1 -"},
		"abort":                 {Answer{Status: 500, Header: h("webhook-delivery", "abort-message")}, "2 554 5.7.1 -"},
		"abort, other word":     {Answer{Status: 500, Header: h("webhook-delivery", "retry")}, "0 451 4.3.0 -"},
		"json cut short":        {Answer{Status: 200, Body: []byte(`{"smtp":{"code":550`)}, "1 250 2.0.0 -"},
		"enhanced above 255":    {Answer{Status: 200, Header: h("SMTP-Reply", "550 5.7.708 Blocked")}, "2 550 5.7.708 Blocked"},
		"enhanced out of range": {Answer{Status: 200, Header: h("SMTP-Reply", "550 5.1111.1 x")}, "2 550 5.7.1 5.1111.1 x"},
	} {
		o := Classify(c.a, Statuses{})
		r := o.SMTPReply()
		text := r.Text()
		if o.Reply == nil || o.Reply.Text() == "" {
			text = "-"
		}
		if got := fmt.Sprintf("%d %d %s %s", o.Result, r.Code, r.Enhanced, text); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if strings.ContainsAny(r.Text(), "\r\n\x00\a") {
			t.Errorf("%s: %q can't be a line", name, r.Text())
		}
	}
}

func TestRecipientReplies(t *testing.T) {
	for _, body := range []string{
		`{"smtp":{"recipients":{"a@x":{"code":550,"enhanced":"5.1.1","message":"no"},"b@x":"250 2.1.5 ok","c@x":{"code":99}}}}`,
		`{"recipients":{"a@x":{"code":550,"enhanced":"5.1.1","message":"no"},"b@x":"250 2.1.5 ok"}}`,
		"\uFEFF" + `{"smtp":{"recipients":{"a@x":{"code":"550","enhanced":"5.1.1","message":"no"},"b@x":{"code":250.0,"message":[]},"c@x":null,"d@x":7}},"recipients":[]}`,
	} {
		o := Classify(Answer{Status: 200, Body: []byte(body)}, Statuses{})
		if o.Result != Delivered || len(o.Recipients) != 2 || !reflect.DeepEqual(o.Recipients["a@x"], reply.New(550, reply.Enhanced{5, 1, 1}, "no")) || o.Recipients["b@x"].Code != 250 {
			t.Errorf("%s: %+v", body, o)
		}
	}
}

// TestReplyTo: an app may store addresses in small letters.
func TestReplyTo(t *testing.T) {
	o := Outcome{Recipients: map[string]reply.Reply{"ann@x.org": {Code: 550}, "ANN@x.org": {Code: 551}, "<bo@x.org>": {Code: 552}}}
	for address, want := range map[string]int{"ann@x.org": 550, "ANN@x.org": 551, "Ann@X.org": 551, "Bo@x.org": 552, "cy@x.org": 0, "": 0} {
		if r, ok := o.ReplyTo(address); r.Code != want || ok != (want != 0) {
			t.Errorf("%s: %d %v, want %d", address, r.Code, ok, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                     0,
		"120":                  2 * time.Minute,
		"-5":                   0,
		"x":                    0,
		"1e3":                  0,
		"99999999":             maxRetryAfter,
		"99999999999999999999": maxRetryAfter,
		now.Add(time.Hour).Format(http.TimeFormat):      time.Hour,
		now.Add(-time.Hour).Format(http.TimeFormat):     0,
		now.Add(48 * time.Hour).Format(http.TimeFormat): maxRetryAfter,
	} {
		for _, status := range []int{429, 503, 404} {
			o := Classify(Answer{Status: status, Header: http.Header{"Retry-After": {value}}, At: now}, Statuses{})
			if o.After != want {
				t.Errorf("%d, Retry-After: %s: %s, want %s", status, value, o.After, want)
			}
		}
	}
	if o := Classify(Answer{Status: 200, Header: http.Header{"Retry-After": {"9"}}}, Statuses{}); o.After != 0 {
		t.Error("a delivery waits")
	}
}

func TestExplain(t *testing.T) {
	for status := 100; status <= 599; status++ {
		if _, err := Explain(fmt.Sprint(status), Statuses{}); err != nil {
			t.Error(err)
		}
	}
	for _, row := range Table() {
		if row.Waiting == "" || row.NoQueue == "" || row.Queued == "" {
			t.Errorf("%+v", row)
		}
	}
	if r, _ := Explain("503", Statuses{}); r.Waiting != "queued, 250" || r.NoQueue != "451 4.3.0" || r.Queued != "retry" {
		t.Errorf("%+v", r)
	}
	if r, _ := Explain("404", reject(t, "404")); r.Queued != "dead letter" {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"", "99", "600", "what"} {
		if _, err := Explain(bad, Statuses{}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
