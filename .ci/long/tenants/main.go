// tenants measures what a tenant whose application is gone costs another: two
// gateways side by side, one of them with many mails that wait for an endpoint
// that is down, get the same mail for an endpoint that works, in turn. For
// ACCEPT=webhook and ACCEPT=queue it prints the percentiles of the time to the 250
// and of the time to the webhook, and exits non-zero where the 99th differ by
// more than a fifth.
//
//	tenants [-waiting N] [-mails N] [-accept webhook|queue] [-postgres] POSTERN
//
// Everything stays on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/gateway/archive"
	"postern/gateway/mail"
	"postern/retry"
	"postern/retry/postgres"
	"postern/retry/postgres/pgtest"
	"postern/retry/sqlite"
)

func main() {
	waiting := flag.Int("waiting", 100_000, "deliveries that wait for the endpoint that is down")
	mails := flag.Int("mails", 2000, "mails for each gateway")
	accept := flag.String("accept", "webhook queue", "the modes to compare in")
	usePostgres := flag.Bool("postgres", false, "PostgreSQL instead of SQLite")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, -10) // as root: what else runs here must not count
	if err := run(flag.Arg(0), *waiting, *mails, strings.Fields(*accept), *usePostgres); err != nil {
		fmt.Fprintln(os.Stderr, "tenants:", err)
		os.Exit(1)
	}
}

// hook is the webhook of both tenants: one of them gets 503, the other is timed.
type hook struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string]chan time.Time // by subject
}

func newHook() *hook {
	h := &hook{got: map[string]chan time.Time{}}
	h.Server = httptest.NewServer(h)
	return h
}

// ServeHTTP implements http.Handler.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path == "/down" {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, rest, _ := strings.Cut(string(body), `"subject":"`)
	subject, _, _ := strings.Cut(rest, `"`)
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.got[subject]; c != nil {
		c <- at
		delete(h.got, subject)
	}
}

func (h *hook) expect(subject string) <-chan time.Time {
	c := make(chan time.Time, 1)
	h.mu.Lock()
	h.got[subject] = c
	h.mu.Unlock()
	return c
}

func run(binary string, waiting, mails int, accept []string, usePostgres bool) error {
	dir, err := os.MkdirTemp("", "tenants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h := newHook()
	defer h.Close()
	stores := []string{"sqlite://" + filepath.Join(dir, "empty"), "sqlite://" + filepath.Join(dir, "full")}
	if usePostgres {
		for i := range stores {
			db, err := pgtest.New()
			if err == nil {
				defer db.Remove()
				err = db.Start()
			}
			if err != nil {
				return err
			}
			stores[i] = db.URL("postgres")
		}
	}
	began := time.Now()
	if err := fill(stores[1], waiting); err != nil {
		return err
	}
	size, err := sizeOf(stores[1])
	if err != nil {
		return err
	}
	fmt.Printf("%d deliveries wait after %s, in %d MiB\n", waiting, time.Since(began).Round(time.Second), size>>20)
	var wrong error
	for _, mode := range accept {
		wrong = errors.Join(wrong, compare(binary, h, stores, mode, mails))
	}
	return wrong
}

// fill stores mail for the endpoint that is down.
func fill(store string, n int) error {
	var q retry.Queue
	var err error
	ctx := context.Background()
	if folder, ok := strings.CutPrefix(store, "sqlite://"); ok {
		q, err = sqlite.Open(ctx, folder, sqlite.Options{Unsafe: true})
	} else {
		q, err = postgres.Open(ctx, store, postgres.Options{})
	}
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	next := make(chan int)
	errs := make(chan error, 64)
	for range cap(errs) {
		wg.Go(func() {
			for i := range next {
				if err := put(ctx, q, i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
		case err := <-errs:
			close(next)
			return err
		}
	}
	close(next)
	wg.Wait()
	return q.Close()
}

// sizeOf is what a store takes of the disk.
func sizeOf(store string) (size int64, err error) {
	if folder, ok := strings.CutPrefix(store, "sqlite://"); ok {
		info, err := os.Stat(filepath.Join(folder, "queue.db"))
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, store)
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	return size, c.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&size)
}

type octets string

func (o octets) Open() (io.ReadSeekCloser, error) {
	return nopCloser{strings.NewReader(string(o))}, nil
}
func (o octets) Size() int64 { return int64(len(o)) }

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }

func put(ctx context.Context, q retry.Queue, i int) error {
	id := fmt.Sprintf("waits%d", i)
	env := &mail.Envelope{ID: id, Key: id, Received: time.Now(), From: "a@client.test", To: []mail.Recipient{{Address: "x@down.test"}}}
	m, err := archive.Record(env, "waits", 72*time.Hour)
	if err != nil {
		return err
	}
	if m.Body, err = q.Stage(ctx, nil, octets("Subject: waits\r\n\r\n"+strings.Repeat("a line of mail that waits\r\n", 80))); err != nil {
		return err
	}
	_, err = q.Enqueue(ctx, m, []retry.NewDelivery{{ID: id, Endpoint: "down", Recipients: []string{"x@down.test"}}})
	return err
}

// compare sends mail to both gateways in turn.
func compare(binary string, h *hook, stores []string, accept string, mails int) error {
	var clients []*smtp.Client
	for _, store := range stores {
		addr, stop, err := start(binary, store, h.URL, accept)
		if err != nil {
			return err
		}
		defer stop()
		c, err := smtp.Dial(addr)
		if err != nil {
			return err
		}
		defer c.Close()
		clients = append(clients, c)
	}
	time.Sleep(5 * time.Second) // until the endpoint's breaker is open
	var answered, delivered [2][]time.Duration
	for i := range mails + 50 {
		for k := range 2 {
			g := (i + k) % 2
			subject := fmt.Sprintf("%s-%d-%d", accept, g, i)
			got := h.expect(subject)
			began := time.Now()
			if err := send(clients[g], subject); err != nil {
				return err
			}
			took := time.Since(began)
			select {
			case at := <-got:
				if i >= 50 { // the first ones warm everything up
					answered[g], delivered[g] = append(answered[g], took), append(delivered[g], at.Sub(began))
				}
			case <-time.After(20 * time.Second):
				return fmt.Errorf("%s was not delivered", subject)
			}
		}
	}
	return errors.Join(tell("ACCEPT="+accept+", to the 250", answered), tell("ACCEPT="+accept+", to the webhook", delivered))
}

func tell(what string, t [2][]time.Duration) error {
	p := func(g int, share float64) time.Duration {
		return t[g][min(int(share*float64(len(t[g]))), len(t[g])-1)]
	}
	for g := range t {
		slices.Sort(t[g])
	}
	change := float64(p(1, 0.99))/float64(p(0, 0.99)) - 1
	round := time.Microsecond * 10
	fmt.Printf("%-32s alone p50 %s p90 %s p99 %s, beside them p50 %s p90 %s p99 %s: p99 %+.0f %%\n", what,
		p(0, .5).Round(round), p(0, .9).Round(round), p(0, .99).Round(round), p(1, .5).Round(round), p(1, .9).Round(round), p(1, .99).Round(round), change*100)
	if change > 0.2 {
		return fmt.Errorf("%s: the 99th percentile is %.0f %% higher", what, change*100)
	}
	return nil
}

func send(c *smtp.Client, subject string) error {
	if err := errors.Join(c.Mail("a@client.test"), c.Rcpt("x@up.test")); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "Subject: "+subject+"\r\nMessage-ID: <"+subject+"@client.test>\r\n\r\n"+strings.Repeat("a line of a mail\r\n", 120))
	return errors.Join(err, w.Close())
}

// start runs a gateway on a store.
func start(binary, store, hook, accept string) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = l.Addr().String()
	l.Close()
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(os.Environ(), "POSTERN_SMTP_ADDR="+addr, "POSTERN_HTTP_ADDR=off", "POSTERN_LOG_LEVEL=error", "POSTERN_AUTHENTICATE=false", "POSTERN_DOMAIN=mx.test",
		"POSTERN_RETRY_STORE="+store, "POSTERN_ACCEPT="+accept, "POSTERN_WEBHOOK_0_URL="+hook+"/down", "POSTERN_WEBHOOK_0_NAME=down", "POSTERN_WEBHOOK_0_MATCH=*@down.test",
		"POSTERN_WEBHOOK_URL="+hook+"/up", "POSTERN_WEBHOOK_MATCH=*@up.test")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }
	for range 600 {
		if c, err := net.Dial("tcp", addr); err == nil {
			return addr, stop, c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	return "", nil, errors.New("the gateway doesn't listen")
}
