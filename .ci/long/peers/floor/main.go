// floor is what a gateway can cost at least: our own engine, parser and
// renderer, and resty, with nothing between them. No queue, no history, no
// metrics, no log, no limits: each mail lies in memory, is parsed, rendered and
// posted. It is a yardstick and loses mail.
//
//	floor ADDR URL METRICS-ADDR
package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
	"postern/webhook/payload"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "floor ADDR URL METRICS-ADDR")
		os.Exit(2)
	}
	go http.ListenAndServe(os.Args[3], promhttp.Handler())
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func serve(addr, url string) error {
	const connections = 2000
	t := &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections, DisableCompression: true, WriteBufferSize: 16 << 10}
	cfg := smtp.DefaultConfig("floor.test")
	cfg.MaxConnections, cfg.MaxConnectionsPerClient = connections, 0
	srv, err := smtp.NewServer(cfg, &handler{http: resty.NewWithClient(&http.Client{Transport: t}), url: url})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return srv.Serve(context.Background(), l, smtp.SMTP)
}

// sink holds a mail.
type sink struct{ bytes.Buffer }

func (*sink) Abort() {}

// handler takes every mail and posts it.
type handler struct {
	http *resty.Client
	url  string
}

func (h *handler) Data(_ context.Context, t *smtp.Transaction) (smtp.Sink, reply.Reply) {
	s := &sink{}
	s.Grow(int(min(t.Size, 64<<20)) + 1024)
	return s, reply.Reply{}
}

func (h *handler) Message(ctx context.Context, t *smtp.Transaction, s smtp.Sink) []reply.Reply {
	if err := h.post(ctx, t, s.(*sink).Bytes()); err != nil {
		return []reply.Reply{reply.New(451, reply.Enhanced{4, 3, 0}, err.Error())}
	}
	return []reply.Reply{reply.New(250, reply.Enhanced{2, 0, 0}, "OK")}
}

func (h *handler) post(ctx context.Context, t *smtp.Transaction, octets []byte) error {
	raw := mail.Bytes(octets)
	m, err := mail.Parse(raw, mail.Limits{})
	if err != nil {
		return err
	}
	to := make([]mail.Recipient, len(t.Recipients))
	for i, r := range t.Recipients {
		to[i].Address = r.Address.String()
	}
	env := &mail.Envelope{ID: "1", Received: time.Now(), Client: t.Client.Addr, Hello: t.Client.Hello, Verb: mail.VerbMail, From: t.From.String(), To: to, Size: raw.Size()}
	d := payload.Delivery{ID: "1", Attempt: 1, Endpoint: "default", Envelope: env, Recipients: to, Message: m, Raw: raw}
	body, err := payload.Native{}.Render(d, payload.Options{})
	if err != nil {
		return err
	}
	whole := body.Bytes
	if whole == nil {
		b := bytes.NewBuffer(make([]byte, 0, body.Length))
		if err := body.Write(b); err != nil {
			return err
		}
		whole = b.Bytes()
	}
	res, err := h.http.R().SetContext(ctx).SetHeader("Content-Type", body.ContentType).SetBody(bytes.NewReader(whole)).Post(h.url)
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		return fmt.Errorf("the webhook answered %d", res.StatusCode())
	}
	return nil
}

func (h *handler) Connect(context.Context, *smtp.Client) reply.Reply   { return reply.Reply{} }
func (h *handler) Mail(context.Context, *smtp.Transaction) reply.Reply { return reply.Reply{} }
func (h *handler) Rcpt(context.Context, *smtp.Transaction, *smtp.Recipient) reply.Reply {
	return reply.Reply{}
}
func (h *handler) Ended(*smtp.Transaction, []reply.Reply, bool)             {}
func (h *handler) Refused(*smtp.Client, string, string, reply.Reply)        {}
func (h *handler) Verify(context.Context, *smtp.Client, string) reply.Reply { return reply.Reply{} }
func (h *handler) Expand(context.Context, *smtp.Client, string) reply.Reply { return reply.Reply{} }
func (h *handler) Status(context.Context, *smtp.Client) reply.Reply         { return reply.Reply{} }
