package devhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/gateway/text"
	"postern/webhook"
)

// Forwarder hands requests on to an app.
type Forwarder struct {
	URL    string
	Secret string // signs what is sent again anew; "": it goes with its old signature
	Kept   *Kept  // nil: nothing is kept

	client *http.Client
	via    string // what requests that we handed on bear
}

const (
	forwardTimeout = 2 * time.Minute // the gateway gives up before
	maxAnswer      = 16 << 20        // octets of an app's answer
)

// NewForwarder returns a Forwarder; Close it.
func NewForwarder(url, secret string, kept *Kept) *Forwarder {
	return &Forwarder{URL: url, Secret: secret, Kept: kept, via: "1.1 postern-listen-" + rand.Text(), client: &http.Client{
		Timeout:       forwardTimeout,
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close drops the connections to the app.
func (f *Forwarder) Close() { f.client.CloseIdleConnections() }

// Pass keeps a request and has the app answer it. One that comes back to us, for
// want of an app behind the URL, would go round without end: it is a 508.
func (f *Forwarder) Pass(r *http.Request, body []byte) answer {
	if slices.Contains(r.Header.Values("Via"), f.via) {
		return answer{status: http.StatusLoopDetected, header: plainText(), body: []byte("listen forwards to itself\n"), how: ": " + text.RedactURL(f.URL) + " leads back to this listen"}
	}
	kept := Request{At: time.Now(), URL: f.URL, Method: r.Method, Header: endToEnd(r.Header), Body: body}
	note := ""
	if f.Kept != nil {
		if err := f.Kept.Add(kept); err != nil {
			note = "; it could not be kept: " + err.Error()
		}
	}
	kept.Header = kept.Header.Clone()
	kept.Header.Add("Via", f.via)
	a := f.send(r.Context(), kept)
	a.how += note
	return a
}

// Again sends a kept request once more, with the webhook-id that it had, signed
// anew where the secret is known; the words say what it was answered. Its error
// is that there was no answer.
func (f *Forwarder) Again(ctx context.Context, r Request) (words string, err error) {
	r.URL = cmp.Or(f.URL, r.URL)
	if f.Secret != "" {
		if err := resign(&r, f.Secret, time.Now()); err != nil {
			return "", err
		}
	}
	a := f.send(ctx, r)
	return fmt.Sprintf("%s: %d%s", r.ID(), a.status, a.how), a.err
}

// resign gives a request today's timestamp, without which an app takes it for a
// replayed one.
func resign(r *Request, secret string, now time.Time) error {
	sig, err := webhook.Sign(webhook.Secret(secret), r.Header.Get(webhook.HeaderID), now, func(w io.Writer) error { _, err := w.Write(r.Body); return err })
	if err != nil {
		return err
	}
	r.Header = r.Header.Clone()
	r.Header.Set(webhook.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(webhook.HeaderSignature, sig)
	return nil
}

// send makes the request to the app; one that can't be asked is a 502.
func (f *Forwarder) send(ctx context.Context, r Request) answer {
	began := time.Now()
	failed := func(err error) answer {
		return answer{status: http.StatusBadGateway, header: plainText(), body: []byte("the app gave no answer\n"), how: ": no answer from " + text.RedactURL(r.URL) + ": " + cause(err), err: err}
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return failed(err)
	}
	req.Header = r.Header.Clone()
	res, err := f.client.Do(req)
	if err != nil {
		return failed(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return failed(err)
	}
	return answer{status: res.StatusCode, header: endToEnd(res.Header), body: body, how: " by " + text.RedactURL(r.URL) + " in " + time.Since(began).Round(time.Millisecond).String()}
}

// cause is a request's error without its URL, which may hold a password.
func cause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

// hopByHop are the fields that speak of a connection (RFC 9110, 7.6.1).
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length"}

// endToEnd is a header without what is the connection's own.
func endToEnd(h http.Header) http.Header {
	out := h.Clone()
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			out.Del(textproto.TrimString(name))
		}
	}
	for name := range out {
		if slices.Contains(hopByHop, name) {
			delete(out, name)
		}
	}
	return out
}
