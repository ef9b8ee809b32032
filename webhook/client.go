package webhook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-resty/resty/v2"
)

const (
	// maxAnswer is what is read of an answer's body for what it may say.
	maxAnswer = 64 << 10
	// maxDrain is what is read beyond that to keep the connection.
	maxDrain = 256 << 10
	// maxIdle is how many connections are kept where nobody said how many POSTs
	// there may be at once.
	maxIdle = 1000
	// answerTimeout bounds the reading of an answer's body; its status stands by then.
	answerTimeout = 5 * time.Second
	// sentGrace is how long after an answer the request's last octet may still be
	// on its way out of this process: goroutines have no order.
	sentGrace = time.Second
)

// client is an endpoint's HTTP side: its connections and its TLS.
type client struct {
	ep         *Endpoint
	url        string
	transport  *http.Transport
	resty      *resty.Client
	processors Processors
}

// newClient builds the client.
func newClient(ep *Endpoint, deps SenderDeps) *client {
	t := NewTransport(cmp.Or(ep.cfg.Concurrency, maxIdle), ep.tls, deps.Proxy)
	r := resty.NewWithClient(&http.Client{Transport: unfollowed{t}})
	r.SetDoNotParseResponse(true) // the answer is read by us, capped
	r.SetDisableWarn(true)
	r.SetPreRequestHook(install)
	return &client{ep: ep, url: ep.url.String(), transport: t, resty: r, processors: deps.Processors}
}

// unfollowed has no redirect followed. A policy of http.Client's would come too
// late: before it is asked, http.Client wants the body once more and the Location
// to be a URL, and where it gets neither the answer's status is lost.
type unfollowed struct{ *http.Transport }

func (t unfollowed) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.Transport.RoundTrip(req)
	if err == nil {
		req.Context().Value(requestKey{}).(*request).location = res.Header["Location"]
		delete(res.Header, "Location")
	}
	return res, err
}

// post makes the POST. A kept connection that broke before an answer says
// nothing about the webhook: then it is posted once more over a new one, with the
// same webhook-id. again leaves that to the caller, who has to render it anew.
func (c *client) post(ctx context.Context, header http.Header, of *Request, timeout time.Duration) (a Answer, again bool) {
	a, stale := c.try(ctx, header, of, timeout)
	if !stale {
		return a, false
	}
	c.transport.CloseIdleConnections()
	if _, whole := of.content(); !whole {
		return a, true
	}
	a, _ = c.try(ctx, header, of, timeout)
	return a, false
}

// try makes one request; stale says that it failed on a kept connection before
// the first octet of an answer.
func (c *client) try(ctx context.Context, header http.Header, of *Request, timeout time.Duration) (a Answer, stale bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &request{header: header, of: of, length: of.body.Length, watch: newWatch(cancel, timeout), processors: c.processors, wrote: make(chan struct{})}
	defer r.finish()
	ctx = httptrace.WithClientTrace(context.WithValue(ctx, requestKey{}, r), r.trace())
	res, err := c.resty.R().SetContext(ctx).Execute(http.MethodPost, c.url)
	if err != nil {
		if res != nil && res.RawResponse != nil && res.RawResponse.Body != nil {
			res.RawResponse.Body.Close()
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if broken := r.broken(); broken != nil {
			err = broken
		}
		return Answer{Err: err}, r.reused.Load() && !r.answered.Load() && isBroken(err)
	}
	raw := res.RawResponse
	if r.location != nil {
		raw.Header["Location"] = r.location
	}
	if raw.StatusCode == http.StatusSwitchingProtocols { // its body is the connection
		raw.Body.Close()
		return Answer{Status: raw.StatusCode, Header: raw.Header}, false
	}
	r.watch.after(answerTimeout)
	early := r.early()
	return Answer{Status: raw.StatusCode, Header: raw.Header, Body: readAnswer(raw.Body), Early: early}, false
}

// isBroken reports whether the peer ended the connection.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, net.ErrClosed) || err != nil && bytes.Contains([]byte(err.Error()), []byte("server closed idle connection"))
}

// readAnswer reads the start of a body and drains a little more, so that the
// connection can be used again.
func readAnswer(body io.ReadCloser) []byte {
	defer body.Close()
	if body == http.NoBody {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err == nil && len(b) == maxAnswer {
		_, _ = io.CopyN(io.Discard, body, maxDrain)
	}
	return b
}

// request is what the pre-request hook, which is the whole client's, needs for
// one request; it travels in the request's context.
type request struct {
	header     http.Header
	of         *Request
	length     int64 // of its body
	watch      *watch
	processors Processors

	location []string // of the answer

	segment  atomic.Pointer[bytes.Reader] // a body of one segment, until it was sent
	upload   atomic.Pointer[upload]
	conn     atomic.Pointer[conn]
	reused   atomic.Bool
	answered atomic.Bool
	hinted   atomic.Bool // a 1xx came first, so answered says nothing of the answer
	partial  atomic.Bool // the answer began before the body was taken to its end
	once     sync.Once
	wrote    chan struct{} // closed when the request was written to its end
}

type requestKey struct{}

// install puts header and body into the request that resty has built. Resty
// itself would read a body of any length into memory twice.
func install(_ *resty.Client, req *http.Request) error {
	r := req.Context().Value(requestKey{}).(*request)
	req.Header = r.header
	if host := r.header.Get("Host"); host != "" {
		req.Host = host
	}
	req.ContentLength = r.length
	req.GetBody = func() (io.ReadCloser, error) { return r.open(req.Context()) }
	body, err := r.open(req.Context())
	req.Body = body
	return err
}

// open is the body from its start. One segment goes as a *bytes.Reader, which
// net/http writes together with the header; the rest is rendered while it is
// sent.
func (r *request) open(ctx context.Context) (io.ReadCloser, error) {
	body, whole := r.of.content()
	switch {
	case !whole:
		return nil, errors.New("the request was sent, and its message let go of")
	case body.Bytes != nil:
		b := bytes.NewReader(body.Bytes)
		r.segment.Store(b)
		return io.NopCloser(b), nil
	case body.Length == 0:
		return http.NoBody, nil
	}
	u := newUpload(ctx, body.Write, r.watch, r.processors)
	if old := r.upload.Swap(u); old != nil {
		old.end()
	}
	return u, nil
}

// broken is the error by which rendering ended the upload, nil if it didn't.
func (r *request) broken() error {
	if u := r.upload.Load(); u != nil {
		return u.broken()
	}
	return nil
}

// finish ends the request's goroutine and timer.
func (r *request) finish() {
	r.watch.stop()
	if u := r.upload.Load(); u != nil {
		u.end()
	}
}

// early reports whether the webhook answered before it had the whole request.
func (r *request) early() bool {
	if c := r.conn.Load(); c != nil && c.closed.Load() {
		return true
	}
	if r.partial.Load() && !r.hinted.Load() {
		return true
	}
	select {
	case <-r.wrote: // as nearly always
		return false
	default:
	}
	t := time.NewTimer(sentGrace)
	defer t.Stop()
	select {
	case <-r.wrote:
		return false
	case <-t.C:
		return true
	}
}

func (r *request) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			r.reused.Store(i.Reused)
			r.conn.Store(ours(i.Conn))
			r.watch.progress()
		},
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				r.once.Do(r.written)
			}
			r.watch.sent()
		},
		GotFirstResponseByte: func() {
			if u := r.upload.Load(); u != nil && u.taken.Load() < r.length {
				r.partial.Store(true)
			}
			r.answered.Store(true)
		},
		Got1xxResponse: func(int, textproto.MIMEHeader) error { r.hinted.Store(true); return nil },
	}
}

// written is called when the last octet is on its way. A body of one segment
// would stay with net/http until the answer came.
func (r *request) written() {
	close(r.wrote)
	if b := r.segment.Load(); r.of.letGo() && b != nil {
		b.Reset(nil)
	}
}

func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
