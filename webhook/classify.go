package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/gateway/text"
)

// maxRetryAfter bounds what a webhook may ask for by Retry-After.
const maxRetryAfter = 6 * time.Hour

// maxKeptAnswer is how much of a failing answer an operator is shown, in octets.
const maxKeptAnswer = 2 << 10

// Answer is what came of one POST: a status, or the error that kept it away.
type Answer struct {
	Status int // 0: none came
	Header http.Header
	Body   []byte    // what was read of it, at most maxAnswer octets
	Err    error     // why no status came; ignored once there is one
	Early  bool      // it came before the webhook had the whole request
	At     time.Time // when, for a Retry-After that is a date
}

// Classify says what an answer means for the mail. It is total and pure: any
// status and any error end in one of the three results, by product rule:
//
//	SMTP-Reply, JSON smtp    as asked
//	webhook-delivery: abort-message, 406, rejects    Rejected
//	2xx                      Delivered, but Deferred (early) before the message was sent whole
//	413                      Deferred (too large): mostly a proxy's own limit
//	429, 507                 Deferred (busy)
//	408, 425, other 5xx      Deferred (unavailable)
//	anything else            Deferred (misconfigured): deploys and rotated secrets answer it
//	no status                Deferred by the kind of error
//
// What the webhook asks for explicitly wins over its status.
func Classify(a Answer, rejects Statuses) Outcome {
	if a.Status == 0 {
		return Outcome{Result: Deferred, Reason: reasonOf(a.Err), Err: noAnswer(a.Err)}
	}
	said := readSaid(a)
	o := byStatus(a.Status, rejects)
	o.Status = a.Status
	o.Recipients = said.recipients
	switch {
	case said.reply != nil:
		o.Result, o.Reason = ByReply(said.reply.Code)
		o.Reply = said.reply
	case strings.EqualFold(strings.TrimSpace(a.Header.Get("Webhook-Delivery")), "abort-message"):
		o.Result, o.Reason = Rejected, ReasonRejected
	}
	if o.Result == Delivered && a.Early { // it can't have seen what it says it took
		o.Result, o.Reason, o.Reply, o.Recipients = Deferred, ReasonEarly, nil, nil
	}
	if o.Result == Rejected && o.Reply == nil {
		if said := plainText(a); said != "" {
			r := o.SMTPReply()
			r.Lines = []string{said}
			o.Reply = &r
		}
	}
	if o.Result == Deferred {
		o.After = retryAfter(a.Header.Get("Retry-After"), a.At)
	}
	if o.Result != Delivered {
		o.Err = fmt.Errorf("the webhook answered %s%s", statusText(a.Status), hint(a, o.Reason))
		o.Answer = text.Clip(strings.ToValidUTF8(string(a.Body[:min(len(a.Body), maxKeptAnswer)]), "\uFFFD"), maxKeptAnswer)
	}
	return o
}

// byStatus is the table where the webhook says nothing but its status.
func byStatus(status int, rejects Statuses) Outcome {
	switch {
	case status >= 200 && status <= 299:
		return Outcome{Result: Delivered, Reason: ReasonDelivered}
	case status == http.StatusRequestEntityTooLarge && rejects.Has(status):
		return Outcome{Result: Rejected, Reason: ReasonTooLarge}
	case status == http.StatusRequestEntityTooLarge:
		return Outcome{Result: Deferred, Reason: ReasonTooLarge}
	case rejects.Has(status):
		return Outcome{Result: Rejected, Reason: ReasonRejected}
	case status == http.StatusTooManyRequests || status == http.StatusInsufficientStorage:
		return Outcome{Result: Deferred, Reason: ReasonBusy}
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status >= 500 && status <= 599:
		return Outcome{Result: Deferred, Reason: ReasonUnavailable}
	default:
		return Outcome{Result: Deferred, Reason: ReasonMisconfigured}
	}
}

// ByReply is what an explicit reply means.
func ByReply(code int) (Result, Reason) {
	switch code / 100 {
	case 2:
		return Delivered, ReasonDelivered
	case 4:
		return Deferred, ReasonAsked
	default:
		return Rejected, ReasonRejected
	}
}

// retryAfter reads seconds or an HTTP date (RFC 9110, 10.2.3); 0 where there is
// none or it has passed.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	var d time.Duration
	if n, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		d = time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if t, err := http.ParseTime(value); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

func statusText(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// hint says what an operator can do about an answer.
func hint(a Answer, r Reason) string {
	switch {
	case r == ReasonTooLarge:
		return "; raise the size that it, or a proxy in front of it, takes (nginx: client_max_body_size), or set POSTERN_PUBLIC_URL so that content travels by url"
	case r == ReasonEarly:
		return " before the message was sent to its end, so it may not have it; let it read the body before it answers"
	case r != ReasonMisconfigured:
		return ""
	case a.Status >= 300 && a.Status <= 399:
		if to := a.Header.Get("Location"); to != "" {
			return " to " + text.Reply(text.RedactURL(to), 200) + "; redirects are not followed, set URL to the final address"
		}
		return "; redirects are not followed, set URL to the final address"
	case a.Status == 401 || a.Status == 403:
		return "; check the endpoint's SECRET, TOKEN or PASSWORD"
	case a.Status == 404 || a.Status == 405 || a.Status == 410:
		return "; check the endpoint's URL"
	case a.Status == 400 || a.Status == 415 || a.Status == 422:
		return "; check the endpoint's FORMAT, and the size that the receiver takes"
	}
	return ""
}
