package webhook

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestFit: of the codes that a webhook may ask for these are given, those at the
// ends of each range and outside it.
func TestFit(t *testing.T) {
	const none = 0
	for code, want := range map[int]int{
		-550: none, 0: none, 99: none, 199: none, 300: none, 354: none, 399: none, 600: none, 999: none,
		200: 250, 249: 250, 250: 250, 251: 251, 258: 258, 259: 259, 260: 250, 299: 250,
		400: 451, 449: 451, 450: 450, 451: 451, 452: 452, 453: 451, 499: 451,
		500: 554, 549: 554, 550: 550, 553: 553, 554: 554, 555: 554, 599: 554,
	} {
		for _, accepted := range []bool{true, false} {
			want := want
			if !accepted && want/100 == 2 {
				want = none
			}
			got := none
			if r := fit(code, "", "", accepted); r != nil {
				got = r.Code
			}
			if got != want {
				t.Errorf("%d, accepted %t: %d, want %d", code, accepted, got, want)
			}
		}
	}
}

// TestByReply: what each code of a reply means.
func TestByReply(t *testing.T) {
	for code := 200; code <= 599; code++ {
		want := map[int]Result{2: Delivered, 3: Rejected, 4: Deferred, 5: Rejected}[code/100]
		if got, _ := ByReply(code); got != want {
			t.Errorf("%d: %d, want %d", code, got, want)
		}
	}
}

// TestSaidFitsItsStatus: a 2xx that is asked for needs a 2xx of HTTP.
func TestSaidFitsItsStatus(t *testing.T) {
	for status, want := range map[int]bool{199: false, 200: true, 299: true, 300: false} {
		o := Classify(Answer{Status: status, Header: http.Header{"Smtp-Reply": {"251 2.1.5 forwarded"}}}, Statuses{})
		if (o.Reply != nil) != want {
			t.Errorf("%d: %v", status, o.Reply)
		}
	}
	o := Classify(Answer{Status: 200, Body: []byte(`{"smtp":"250 2.0.0 ok","recipients":{"a@x":"550 5.1.1 no"}}`)}, Statuses{})
	if o.Reply == nil || o.Recipients["a@x"].Code != 550 {
		t.Errorf("a reply and its recipients beside it: %+v", o)
	}
}

// TestOddCodes: what is no code of three digits says nothing, however it is written.
func TestOddCodes(t *testing.T) {
	for _, header := range []string{"+550 5.1.1 x", "0550 x", "55 x", "5500 x", "-550 x", "5x0 x", "550x"} {
		if o := Classify(Answer{Status: 200, Header: http.Header{"Smtp-Reply": {header}}}, Statuses{}); o.Reply != nil {
			t.Errorf("SMTP-Reply: %s: %v", header, o.Reply)
		}
	}
	for _, code := range []string{"550.5", "5505", "1e300", "-550", `"five"`, "true", "null", "[550]", "550.0000001"} {
		body := fmt.Sprintf(`{"smtp":{"code":%s}}`, code)
		if o := Classify(Answer{Status: 200, Body: []byte(body)}, Statuses{}); o.Reply != nil {
			t.Errorf("%s: %v", body, o.Reply)
		}
	}
	if o := Classify(Answer{Status: 200, Body: []byte(`{"smtp":{"code":5.5e2}}`)}, Statuses{}); o.Reply == nil || o.Reply.Code != 550 {
		t.Errorf("550 as a number with an exponent: %v", o.Reply)
	}
}

// TestPlainTextBounds: a rejection's text is taken up to twice the length of a
// reply's, and cut to that; a longer one is a page, not a reason.
func TestPlainTextBounds(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, maxText: maxText, 2 * maxText: maxText, 2*maxText + 1: 0} {
		o := Classify(Answer{Status: 406, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte(strings.Repeat("x", n))}, Statuses{})
		got := 0
		if o.Reply != nil {
			got = len(o.Reply.Text())
		}
		if got != want {
			t.Errorf("%d octets: a text of %d, want %d", n, got, want)
		}
	}
}

// TestKeptAnswer: the beginning of a failing answer is kept for people.
func TestKeptAnswer(t *testing.T) {
	for n, want := range map[int]int{0: 0, 7: 7, 2048: 2048, 2049: 2048, 5000: 2048} {
		if got := len(Classify(Answer{Status: 500, Body: []byte(strings.Repeat("x", n))}, Statuses{}).Answer); got != want {
			t.Errorf("%d octets: %d kept, want %d", n, got, want)
		}
	}
	if o := Classify(Answer{Status: 200, Body: []byte("fine")}, Statuses{}); o.Answer != "" {
		t.Errorf("of a delivery %q is kept", o.Answer)
	}
	if o := Classify(Answer{Status: 500, Body: []byte("a\xff")}, Statuses{}); o.Answer != "a\uFFFD" {
		t.Errorf("%q", o.Answer)
	}
}

// TestHints: each answer that an operator can mend says how.
func TestHints(t *testing.T) {
	for status := 100; status <= 599; status++ {
		want := ""
		switch {
		case status/100 == 2:
			continue
		case status/100 == 3:
			want = "redirects are not followed, set URL to the final address"
		case slices.Contains([]int{401, 403}, status):
			want = "check the endpoint's SECRET, TOKEN or PASSWORD"
		case slices.Contains([]int{404, 405, 410}, status):
			want = "check the endpoint's URL"
		case slices.Contains([]int{400, 415, 422}, status):
			want = "check the endpoint's FORMAT, and the size that the receiver takes"
		case status == 413:
			want = "client_max_body_size"
		}
		err := Classify(Answer{Status: status}, Statuses{}).Err.Error()
		if _, hint, given := strings.Cut(err, ";"); given != (want != "") || !strings.Contains(hint, want) {
			t.Errorf("%d: %q, want %q", status, err, want)
		}
	}
	to := Classify(Answer{Status: 302, Header: http.Header{"Location": {"https://app.example/new?token=s3cret"}}}, Statuses{}).Err.Error()
	if !strings.Contains(to, "https://app.example/new") || strings.Contains(to, "s3cret") {
		t.Errorf("a redirect: %s", to)
	}
	long := Classify(Answer{Status: 302, Header: http.Header{"Location": {"https://app.example/" + strings.Repeat("x", 300)}}}, Statuses{}).Err.Error()
	_, shown, _ := strings.Cut(long, " to ")
	if shown, _, _ = strings.Cut(shown, ";"); len(shown) != 200 {
		t.Errorf("%d octets of a long redirect", len(shown))
	}
	if err := Classify(Answer{Status: 404}, reject(t, "404")).Err.Error(); strings.Contains(err, ";") {
		t.Errorf("what is meant needs no mending: %s", err)
	}
	early := Classify(Answer{Status: 200, Early: true}, Statuses{}).Err.Error()
	if !strings.Contains(early, "let it read the body before it answers") {
		t.Errorf("too early: %s", early)
	}
}

// TestRejectBounds: what REJECT may name, and what a format's own statuses add.
func TestRejectBounds(t *testing.T) {
	for word, want := range map[string]bool{"299": false, "300": true, "399": true, "599": true, "600": false, "4XX": true, "": true} {
		if _, err := ParseStatuses([]string{word}); (err == nil) != want {
			t.Errorf("%q: %v", word, err)
		}
	}
	own := reject(t, "404")
	own.stops = func(status int) bool { return status == 410 }
	for status, want := range map[int]bool{404: true, 406: true, 410: true, 409: false, 500: false} {
		if own.Has(status) != want {
			t.Errorf("%d: %t", status, !want)
		}
	}
}

// TestReasonsAreSorted, so that what lists them is the same each time.
func TestReasonsAreSorted(t *testing.T) {
	if all := Reasons(); len(all) != len(standard) || !slices.IsSorted(all) {
		t.Errorf("%v", all)
	}
}

// TestExplainRows: the rows that postern explain prints for each kind of answer.
func TestExplainRows(t *testing.T) {
	for answer, want := range map[string]Row{
		"200":          {"200 OK", ReasonDelivered, "250 2.0.0", "250 2.0.0", "done", ""},
		"406":          {"406 Not Acceptable", ReasonRejected, "554 5.7.1", "554 5.7.1", "dead letter", "the webhook will never take this mail"},
		"429":          {"429 Too Many Requests", ReasonBusy, "queued, 250", "452 4.3.1", "after Retry-After", "Retry-After is obeyed up to 6 h"},
		"503":          {"503 Service Unavailable", ReasonUnavailable, "queued, 250", "451 4.3.0", "retry", ""},
		" Timeout ":    {"timeout", ReasonTimeout, "queued, 250", "451 4.4.2", "retry", "no answer within TIMEOUT, or the upload stalled for 10 s"},
		"queue-full":   {"queue-full", "", "452 4.3.1", "-", "-", "the sender keeps the mail"},
		"queue-broken": {"queue-broken", "", "451 4.3.0", "-", "-", "the queue can't write; the sender keeps the mail"},
	} {
		if got, err := Explain(answer, Statuses{}); err != nil || got != want {
			t.Errorf("%s: %+v, %v", answer, got, err)
		}
	}
	large, err := Explain("413", Statuses{})
	if err != nil || large.Waiting != "once more by url, else queued, 250" || large.NoQueue != "once more by url, else 552 5.3.4" ||
		large.Queued != "once more by url, else retry" || !strings.Contains(large.Note, "configuration fault") {
		t.Errorf("413: %+v, %v", large, err)
	}
	if r, _ := Explain("404", Statuses{}); !strings.Contains(r.Note, "configuration fault; check the endpoint's URL") {
		t.Errorf("404: %+v", r)
	}
	for _, status := range []string{"100", "599"} {
		if _, err := Explain(status, Statuses{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := Explain("what", Statuses{}); err == nil || !strings.Contains(err.Error(), "timeout, refused") || !strings.HasSuffix(err.Error(), "queue-full, queue-broken") {
		t.Errorf("%v", err)
	}
	var seen []string
	for _, r := range Table() {
		seen = append(seen, strings.Fields(r.Answer)[0])
	}
	want := "200 301 401 404 406 408 413 422 425 429 500 503 507 timeout refused reset dns tls breaker early no-slot memory paused queue-full queue-broken"
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("the table has %s", got)
	}
}
