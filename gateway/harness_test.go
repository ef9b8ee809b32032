package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/gateway"
	"postern/gateway/budget"
	"postern/gateway/directory"
	"postern/gateway/dispatch"
	"postern/gateway/smtp"
	"postern/gateway/spool"
	"postern/gateway/turn"
	"postern/retry"
	"postern/retry/sqlite"
	"postern/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post is one request that a webhook of the harness got.
type post struct {
	Path    string
	ID      string
	Attempt string
	Body    []byte
}

// harness is a whole gateway on real sockets: SMTP in front, a webhook behind,
// a queue in a temporary folder.
type harness struct {
	t        testing.TB
	hook     *httptest.Server
	gateway  *gateway.Gateway
	policy   retry.Policy
	dispatch *dispatch.Dispatcher
	queue    *sqlite.Queue // nil: off
	server   *smtp.Server
	addr     string
	lmtp     string
	unix     string
	stop     func()

	mu     sync.Mutex
	posts  []post
	answer func(w http.ResponseWriter, p post) // nil: 200
}

type setting struct {
	endpoints []webhook.Config // URL is completed with the hook's
	gateway   gateway.Config
	smtp      func(*smtp.Config)
	auth      smtp.Authenticator
	sender    gateway.Authenticator // nil: nobody is checked
	filter    gateway.Filter
	noQueue   bool
	spool     int64 // the bound on all spools, 0: none
	queue     sqlite.Options
	worker    bool
	directory gateway.Directory // nil: who matches an endpoint
	reporter  gateway.Reporter
	observer  gateway.Observer
	history   gateway.History
	keeper    gateway.Keeper
	tracer    gateway.Tracer
	fault     func(string)
	now       func() time.Time
	wrap      func(gateway.Queue) gateway.Queue // the queue as the gateway sees it
	dedup     retry.Dedup                       // nil: the queue's
	memory    *budget.Budget                    // for mail; nil: no bound
	urls      dispatch.URLs
	log       io.Writer // nil: nowhere
}

func newHarness(t testing.TB, s setting) *harness {
	t.Helper()
	h := &harness{t: t}
	h.hook = httptest.NewServer(http.HandlerFunc(h.serveHook))
	t.Cleanup(h.hook.Close)
	router := h.router(s.endpoints)
	sender, err := webhook.NewSender(webhook.SenderConfig{Hostname: "mx.example"}, webhook.SenderDeps{})
	h.must(err)
	t.Cleanup(sender.Close)
	spooler, err := spool.New(t.TempDir(), spool.DefaultMemory, s.spool, nil)
	h.must(err)
	breakers := retry.NewBreakers(nil, nil)
	deps := gateway.Deps{
		Router: router, Spooler: spooler, Dedup: retry.NewMemoryDedup(100), Reporter: s.reporter, Observer: s.observer, Now: s.now,
		Directory: directory.New(directory.Config{
			Serves:   func(a string) bool { return router.Match(a) != nil },
			Accepted: func(string) bool { return false }, Domain: "mx.example",
		}),
	}
	if s.directory != nil {
		deps.Directory = s.directory
	}
	if !s.noQueue {
		s.queue.MinFree, s.queue.Unsafe = -1, true
		h.queue, err = sqlite.Open(context.Background(), t.TempDir(), s.queue)
		h.must(err)
		t.Cleanup(func() { h.queue.Close() })
		deps.Queue, deps.Dedup = h.queue, h.queue
		deps.Turn = turn.New(h.queue, slog.New(slog.DiscardHandler), time.Now, nil)
	}
	if s.wrap != nil {
		deps.Queue = s.wrap(deps.Queue)
	}
	if s.dedup != nil {
		deps.Dedup = s.dedup
	}
	if s.log != nil {
		deps.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	}
	parts := dispatch.Deps{Router: router, Sender: sender, Breakers: breakers, URLs: s.urls, Gate: dispatch.SenderGate, Memory: s.memory, Now: s.now}
	if h.queue != nil {
		parts.Pauses = h.queue
	}
	h.dispatch, err = dispatch.New(dispatch.Config{}, parts)
	h.must(err)
	deps.Dispatch = h.dispatch
	s.gateway.Domain = "mx.example"
	if s.gateway.Policy == (retry.Policy{}) {
		s.gateway.Policy = retry.DefaultPolicy()
	}
	h.policy = s.gateway.Policy
	deps.Auth, deps.Filter, deps.History, deps.Keeper, deps.Tracer = s.sender, s.filter, s.history, s.keeper, s.tracer
	deps.Fault = s.fault
	h.gateway, err = gateway.New(s.gateway, deps)
	h.must(err)
	h.serve(s, breakers)
	return h
}

func (h *harness) router(configs []webhook.Config) *webhook.Router {
	if len(configs) == 0 {
		configs = []webhook.Config{{Name: "default", Defer: true}}
	}
	var endpoints []*webhook.Endpoint
	for _, c := range configs {
		if c.URL == "" {
			c.URL = h.hook.URL + "/" + c.Name
		}
		ep, err := webhook.NewEndpoint(c)
		h.must(err)
		endpoints = append(endpoints, ep)
	}
	return webhook.NewRouter(endpoints)
}

// serve starts what waits for mail, and ends it with the test.
func (h *harness) serve(s setting, breakers *retry.Breakers) {
	cfg := smtp.DefaultConfig("mx.example")
	cfg.ErrorDelay, cfg.Legacy, cfg.HardErrors, cfg.MaxRefused, cfg.SoftErrors = 0, true, 10_000, 10_000, 10_000
	if s.smtp != nil {
		s.smtp(&cfg)
	}
	var options []smtp.Option
	if s.auth != nil {
		options = append(options, smtp.WithAuthenticator(s.auth))
	}
	server, err := smtp.NewServer(cfg, h.gateway, options...)
	h.must(err)
	h.server = server
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, door := range []struct {
		addr        *string
		network, at string
		protocol    smtp.Protocol
	}{
		{&h.addr, "tcp", "127.0.0.1:0", smtp.SMTP},
		{&h.lmtp, "tcp", "127.0.0.1:0", smtp.LMTP},
		{&h.unix, "unix", filepath.Join(h.t.TempDir(), "s"), smtp.SMTP},
	} {
		l, err := net.Listen(door.network, door.at)
		h.must(err)
		*door.addr = l.Addr().String()
		wg.Go(func() { _ = server.Serve(ctx, l, door.protocol) })
	}
	wg.Go(func() { h.dispatch.WatchPauses(ctx) })
	if s.worker {
		worker := retry.NewWorker(h.queue, h.gateway, retry.WorkerConfig{Policy: h.policy}, retry.WorkerDeps{Breakers: breakers, Share: h.dispatch.Share, Logger: slog.New(slog.DiscardHandler)})
		wg.Go(func() {
			if err := worker.Run(ctx); err != nil {
				h.t.Error(err)
			}
		})
	}
	var once sync.Once
	h.stop = func() {
		once.Do(func() {
			_ = server.Close()
			cancel()
			wg.Wait()
		})
	}
	h.t.Cleanup(h.stop)
}

func (h *harness) serveHook(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p := post{Path: r.URL.Path, ID: r.Header.Get("webhook-id"), Attempt: r.Header.Get("webhook-attempt"), Body: body}
	h.mu.Lock()
	h.posts = append(h.posts, p)
	answer := h.answer
	h.mu.Unlock()
	if answer != nil {
		answer(w, p)
	}
}

// answers sets what the webhook says from now on and forgets what it got.
func (h *harness) answers(f func(w http.ResponseWriter, p post)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer, h.posts = f, nil
}

func status(code int) func(http.ResponseWriter, post) {
	return func(w http.ResponseWriter, _ post) { w.WriteHeader(code) }
}

func (h *harness) got() []post {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]post(nil), h.posts...)
}

// waitFor waits until the webhook got n posts.
func (h *harness) waitFor(n int) []post {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got := h.got(); len(got) >= n {
			return got
		}
	}
	h.t.Fatalf("the webhook got %d posts, want %d", len(h.got()), n)
	return nil
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// waiting lists what the queue holds.
func (h *harness) waiting() []retry.Info {
	h.t.Helper()
	list, _, err := h.queue.List(context.Background(), retry.Filter{All: true}, retry.Page{})
	h.must(err)
	return list
}

// client is an SMTP client that shows every reply.
type client struct {
	t testing.TB
	c net.Conn
	r *bufio.Reader
}

func (h *harness) dial(addr, hello string) *client {
	h.t.Helper()
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	c, err := net.Dial(network, addr)
	h.must(err)
	h.t.Cleanup(func() { c.Close() })
	k := &client{t: h.t, c: c, r: bufio.NewReader(c)}
	k.want(220)
	k.say(hello+" client.example", 250)
	return k
}

// reply reads one reply and returns its code and text.
func (k *client) reply() (code int, text string) {
	k.t.Helper()
	_ = k.c.SetReadDeadline(time.Now().Add(40 * time.Second))
	for {
		line, err := k.r.ReadString('\n')
		if err != nil {
			k.t.Fatalf("reading a reply: %v (so far %q)", err, text)
		}
		text += line
		if len(line) > 3 && line[3] == ' ' {
			fmt.Sscanf(line, "%d", &code)
			return code, strings.TrimSpace(text)
		}
	}
}

func (k *client) want(code int) string {
	k.t.Helper()
	got, text := k.reply()
	if got != code {
		k.t.Errorf("got %q, want %d", text, code)
	}
	return text
}

func (k *client) say(line string, code int) string {
	k.t.Helper()
	fmt.Fprintf(k.c, "%s\r\n", line)
	return k.want(code)
}

// send gives a message for the recipients and returns the reply to the dot.
func (k *client) send(verb, messageID string, to ...string) string {
	k.t.Helper()
	k.say(verb+" FROM:<sender@client.example>", 250)
	for _, r := range to {
		k.say("RCPT TO:<"+r+">", 250)
	}
	k.say("DATA", 354)
	header := ""
	if messageID != "" {
		header = "Message-ID: <" + messageID + ">\r\n"
	}
	fmt.Fprintf(k.c, "%sFrom: sender@client.example\r\nSubject: hello\r\n\r\nbody\r\n.\r\n", header)
	_, text := k.reply()
	return text
}
