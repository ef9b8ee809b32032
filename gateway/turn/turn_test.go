package turn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"postern/gateway/archive"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/retry/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// store is a real queue.
func store(t *testing.T) *sqlite.Queue {
	t.Helper()
	q, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{MinFree: -1, Unsafe: true})
	must(t, err)
	t.Cleanup(func() { q.Close() })
	return q
}

// put queues a mail with one delivery for the endpoint.
func put(t *testing.T, q *sqlite.Queue, id, endpoint string, env mail.Envelope, data string, to ...string) {
	t.Helper()
	env.ID, env.Key, env.Received, env.Trace = id, id, time.Now(), "Received: by mx.example\r\n"
	record, err := archive.Record(&env, "", time.Hour)
	must(t, err)
	booked, err := q.Reserve(t.Context(), int64(len(data)))
	must(t, err)
	defer booked.Release()
	record.Body, err = q.Stage(t.Context(), booked, mail.Bytes(data))
	must(t, err)
	if len(to) == 0 {
		to = []string{"a@in.example"}
	}
	_, err = q.Enqueue(t.Context(), record, []retry.NewDelivery{{ID: "d-" + id, Endpoint: endpoint, Recipients: to}})
	must(t, err)
}

func collector(q Queue) *Collector { return New(q, slog.New(slog.DiscardHandler), time.Now, nil) }

func collect(t *testing.T, q Queue, endpoints ...string) smtp.Collection {
	t.Helper()
	col, r := collector(q).Collect(t.Context(), &smtp.Client{Auth: "ann", Collect: endpoints})
	if r.Code >= 400 {
		t.Fatalf("%+v", r)
	}
	return col
}

// next is the next mail; nil at the end.
func next(t *testing.T, col smtp.Collection) *smtp.Waiting {
	t.Helper()
	w, err := col.Next(t.Context())
	if errors.Is(err, io.EOF) {
		return nil
	}
	must(t, err)
	return w
}

func state(t *testing.T, q *sqlite.Queue, id string) (retry.Info, []retry.PastAttempt) {
	t.Helper()
	info, past, err := q.Get(t.Context(), id)
	must(t, err)
	return info, past
}

// What waits for the client's endpoints is handed over, deferred and dead; what
// is others' never is. What became of it decides.
func TestHandOver(t *testing.T) {
	q := store(t)
	for _, id := range []string{"taken", "refused", "broken", "skipped"} {
		put(t, q, id, "theirs", mail.Envelope{From: "s@client.example"}, "Subject: "+id+"\r\n\r\nx\r\n")
	}
	put(t, q, "dead", "also", mail.Envelope{From: "s@client.example"}, "Subject: dead\r\n\r\nx\r\n")
	l, err := q.LeaseID(t.Context(), "d-dead", time.Minute)
	must(t, err)
	must(t, q.Dead(t.Context(), l, "rejected", retry.Attempt{At: time.Now(), Reason: "rejected", Status: 406}))
	put(t, q, "others", "others", mail.Envelope{}, "Subject: others\r\n\r\nx\r\n")

	col := collect(t, q, "theirs", "also")
	seen := 0
	for w := next(t, col); w != nil; w = next(t, col) {
		seen++
		r, err := w.Open(t.Context())
		must(t, err)
		b, err := io.ReadAll(r)
		must(t, err)
		must(t, r.Close())
		text := string(b)
		if !strings.HasPrefix(text, "Received: by mx.example\r\n") || int64(len(text)) != w.Size || w.From.String() != "s@client.example" || len(w.Recipients) != 1 {
			t.Errorf("handed over %q, %+v", text, w)
		}
		switch {
		case strings.Contains(text, "Subject: taken"), strings.Contains(text, "Subject: dead"):
			w.Settle(t.Context(), 250, "mine", nil)
		case strings.Contains(text, "Subject: refused"):
			w.Settle(t.Context(), 451, "not yet", nil)
		case strings.Contains(text, "Subject: broken"):
			w.Settle(t.Context(), 0, "", io.ErrUnexpectedEOF)
		case strings.Contains(text, "Subject: skipped"):
			w.Skip(t.Context(), "it can't take it")
		}
	}
	must(t, col.Close())
	if seen != 5 {
		t.Errorf("%d mails were handed over, want 5", seen)
	}
	for _, id := range []string{"d-taken", "d-dead"} {
		if _, _, err := q.Get(t.Context(), id); !errors.Is(err, retry.ErrNotFound) {
			t.Errorf("%s is still there: %v", id, err)
		}
	}
	for id, want := range map[string]string{"d-refused": "due 1 451 not yet", "d-broken": "due 1 0 unexpected EOF", "d-skipped": "due 0", "d-others": "due 0"} {
		info, past := state(t, q, id)
		got := fmt.Sprint(info.State, " ", info.Attempts)
		for _, a := range past {
			got += fmt.Sprint(" ", a.Status, " ", a.Error)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

// A dead letter that the client refuses stays one.
func TestDeadStaysDead(t *testing.T) {
	q := store(t)
	put(t, q, "m", "theirs", mail.Envelope{}, "x")
	l, err := q.LeaseID(t.Context(), "d-m", time.Minute)
	must(t, err)
	must(t, q.Dead(t.Context(), l, "rejected", retry.Attempt{At: time.Now(), Reason: "rejected"}))
	w := next(t, collect(t, q, "theirs"))
	w.Settle(t.Context(), 550, "no", nil)
	if info, _ := state(t, q, "d-m"); info.State != retry.Dead {
		t.Errorf("%+v", info)
	}
}

// What the peer must be able to take is read in the mail itself.
func TestWhatAPeerMustTake(t *testing.T) {
	for _, c := range []struct {
		name string
		env  mail.Envelope
		data string
		to   string
		want string
	}{
		{"plain", mail.Envelope{}, "a: b\r\n\r\nx\r\n", "a@in.example", ""},
		{"8bit", mail.Envelope{}, "a: b\r\n\r\n\xe9\r\n", "a@in.example", "8bit"},
		{"NUL", mail.Envelope{}, "a: b\r\n\r\n\x00\r\n", "a@in.example", "8bit"},
		{"bare LF", mail.Envelope{}, "a: b\r\n\r\nx\ny\r\n", "a@in.example", "bare"},
		{"bare CR", mail.Envelope{}, "a: b\r\n\r\nx\ry\r\n", "a@in.example", "bare"},
		{"CR at the end", mail.Envelope{}, "a: b\r\n\r\nx\r", "a@in.example", "bare"},
		{"binary", mail.Envelope{Body: "BINARYMIME"}, "a: b\r\n\r\nx\r\n", "a@in.example", "binary"},
		{"REQUIRETLS", mail.Envelope{RequireTLS: true}, "a: b\r\n\r\nx\r\n", "a@in.example", "tls"},
		{"SMTPUTF8", mail.Envelope{UTF8: true}, "a: b\r\n\r\nx\r\n", "a@in.example", "utf8"},
		{"a recipient in UTF-8", mail.Envelope{}, "a: b\r\n\r\nx\r\n", "я@in.example", "utf8"},
		{"a sender in UTF-8", mail.Envelope{From: "я@client.example"}, "a: b\r\n\r\nx\r\n", "a@in.example", "utf8"},
		{"large, a line end between two reads", mail.Envelope{}, "a: b\r\n\r\n" + strings.Repeat(strings.Repeat("x", 62)+"\r\n", 20_000), "a@in.example", ""},
		{"large, bare at its end", mail.Envelope{}, "a: b\r\n\r\n" + strings.Repeat(strings.Repeat("x", 62)+"\r\n", 20_000) + "\n", "a@in.example", "bare"},
	} {
		q := store(t)
		put(t, q, "m", "theirs", c.env, c.data, c.to)
		w := next(t, collect(t, q, "theirs"))
		var got []string
		for name, is := range map[string]bool{"8bit": w.EightBit, "bare": w.BareLF, "binary": w.Binary, "tls": w.RequireTLS, "utf8": w.UTF8} {
			if is {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
		w.Skip(t.Context(), "seen")
	}
}

// Who may collect nothing, and a queue that can't say what waits.
func TestNothing(t *testing.T) {
	if _, r := collector(store(t)).Collect(t.Context(), &smtp.Client{Auth: "ann"}); r.Code != 502 {
		t.Errorf("%+v", r)
	}
	if _, r := collector(&failing{Queue: store(t), list: true}).Collect(t.Context(), &smtp.Client{Collect: []string{"x"}}); r.Code != 451 {
		t.Errorf("%+v", r)
	}
}

// failing is a queue in which some steps fail.
type failing struct {
	Queue
	list, lease, extend, settle bool
	extended                    int
}

var errBroken = errors.New("input/output error")

func (f *failing) List(ctx context.Context, filter retry.Filter, p retry.Page) ([]retry.Info, retry.Page, error) {
	if f.list {
		return nil, p, errBroken
	}
	return f.Queue.List(ctx, filter, p)
}

func (f *failing) LeaseID(ctx context.Context, id string, ttl time.Duration) (retry.Lease, error) {
	if f.lease {
		return retry.Lease{}, errBroken
	}
	return f.Queue.LeaseID(ctx, id, ttl)
}

func (f *failing) Extend(ctx context.Context, l retry.Lease, ttl time.Duration) error {
	f.extended++
	if f.extend {
		return errBroken
	}
	return nil
}

func (f *failing) Ack(ctx context.Context, l retry.Lease, a retry.Attempt) error {
	if f.settle {
		return errBroken
	}
	return f.Queue.Ack(ctx, l, a)
}

func (f *failing) Release(ctx context.Context, l retry.Lease, a retry.Attempt) error {
	if f.settle {
		return errBroken
	}
	return f.Queue.Release(ctx, l, a)
}

// What is gone or somebody else's is passed over, so is what can't be read; a
// queue that fails ends the collection.
func TestPassedOver(t *testing.T) {
	q := store(t)
	for _, id := range []string{"gone", "leased", "sender", "recipient", "good"} {
		env, to := mail.Envelope{From: "s@client.example"}, "a@in.example"
		switch id {
		case "sender":
			env.From = "not an address"
		case "recipient":
			to = "not an address"
		}
		put(t, q, id, "theirs", env, "x", to)
	}
	col := collect(t, q, "theirs")
	_, err := q.Delete(t.Context(), retry.Filter{IDs: []string{"d-gone"}})
	must(t, err)
	_, err = q.LeaseID(t.Context(), "d-leased", time.Minute)
	must(t, err)
	w := next(t, col)
	if w == nil || w.Size == 0 {
		t.Fatal("nothing was handed over")
	}
	w.Settle(t.Context(), 250, "", nil)
	if w = next(t, col); w != nil {
		t.Errorf("one more: %+v", w)
	}
	for _, id := range []string{"d-sender", "d-recipient"} {
		if info, _ := state(t, q, id); info.State != retry.Due || info.Attempts != 0 {
			t.Errorf("%s: %+v", id, info)
		}
	}
	put(t, q, "more", "theirs", mail.Envelope{}, "x")
	bad := &failing{Queue: q}
	col = collect(t, bad, "theirs")
	bad.lease = true
	if _, err := col.Next(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("a queue that fails: %v", err)
	}
}

// A queue that can't settle leaves the lease to run out, and the log says so.
func TestCantSettle(t *testing.T) {
	for _, c := range []struct {
		code  int
		fails bool
		tells string
	}{{250, true, "level=ERROR msg=\"a mail was handed over, but the queue keeps it"}, {451, true, "level=WARN msg=\"a lease could not be given back"}, {250, false, "level=INFO"}, {451, false, ""}} {
		q := store(t)
		put(t, q, "m", "theirs", mail.Envelope{}, "x")
		var log strings.Builder
		col, _ := logging(&failing{Queue: q, settle: c.fails}, &log).Collect(t.Context(), &smtp.Client{Auth: "ann", Collect: []string{"theirs"}})
		w := next(t, col)
		w.Settle(t.Context(), c.code, "", nil)
		if c.fails {
			if info, _ := state(t, q, "d-m"); info.State != retry.Leased {
				t.Errorf("%d: %+v", c.code, info)
			}
		}
		if got := log.String(); !strings.Contains(got, c.tells) || (got == "") != (c.tells == "") {
			t.Errorf("%d, the queue fails: %v: logged %q", c.code, c.fails, got)
		}
	}
}

// What became of an offered mail is told once: that it was taken only where the
// queue let go of it.
func TestTold(t *testing.T) {
	for _, c := range []struct {
		code  int
		err   error
		fails bool
		want  string
	}{{250, nil, false, "d-m taken 250 "}, {250, nil, true, ""}, {451, nil, false, "d-m left 451 "}, {0, io.ErrUnexpectedEOF, false, "d-m left 0 "}} {
		q := store(t)
		put(t, q, "m", "theirs", mail.Envelope{}, "x")
		said := ""
		told := func(l retry.Lease, a retry.Attempt, taken bool) {
			said += fmt.Sprintf("%s %s %d ", l.ID, map[bool]string{true: "taken", false: "left"}[taken], a.Status)
		}
		col, _ := New(&failing{Queue: q, settle: c.fails}, slog.New(slog.DiscardHandler), time.Now, told).Collect(t.Context(), &smtp.Client{Auth: "ann", Collect: []string{"theirs"}})
		next(t, col).Settle(t.Context(), c.code, "", c.err)
		if said != c.want {
			t.Errorf("%d, %v, the queue fails: %v: told %q, want %q", c.code, c.err, c.fails, said, c.want)
		}
	}
}

// logging is a collector that writes its log to w.
func logging(q Queue, w io.Writer) *Collector {
	return New(q, slog.New(slog.NewTextHandler(w, nil)), time.Now, nil)
}

// pages is a queue that lists so many deliveries a page at a time, and whose last
// page, an empty one, doesn't say that it is the last.
type pages struct {
	Queue
	ids  []string
	size int
}

func (p pages) List(_ context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error) {
	if f.State != retry.Due {
		return nil, retry.Page{}, nil
	}
	at, _ := strconv.Atoi(page.After)
	var list []retry.Info
	for _, id := range p.ids[at:min(at+p.size, len(p.ids))] {
		list = append(list, retry.Info{ID: id})
	}
	return list, retry.Page{After: strconv.Itoa(at + len(list)), Size: page.Size}, nil
}

// All pages of what waits are collected, and the listing ends.
func TestManyPages(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5} {
		p := pages{ids: []string{"a", "b", "c", "d", "e"}[:n], size: 2}
		c := &collection{Collector: collector(p)}
		must(t, c.list(t.Context(), "theirs"))
		if !slices.Equal(c.ids, p.ids) {
			t.Errorf("listed %q, want %q", c.ids, p.ids)
		}
	}
}

// opening counts the bodies that are open.
type opening struct {
	Queue
	opened *int
}

func (o opening) Open(ctx context.Context, ref retry.BodyRef) (retry.StoredBody, error) {
	b, err := o.Queue.Open(ctx, ref)
	if err == nil {
		*o.opened++
	}
	return closing{b, o.opened}, err
}

type closing struct {
	retry.StoredBody
	opened *int
}

func (c closing) Close() error { *c.opened--; return c.StoredBody.Close() }

// However a mail's turn ends, its octets are let go, large ones too.
func TestOctetsAreLetGo(t *testing.T) {
	for name, end := range map[string]func(w *smtp.Waiting){
		"taken":   func(w *smtp.Waiting) { w.Settle(t.Context(), 250, "", nil) },
		"refused": func(w *smtp.Waiting) { w.Settle(t.Context(), 550, "", nil) },
		"skipped": func(w *smtp.Waiting) { w.Skip(t.Context(), "too large") },
	} {
		q, opened := store(t), 0
		put(t, q, "m", "theirs", mail.Envelope{}, strings.Repeat("x", 1<<20))
		w := next(t, collect(t, opening{q, &opened}, "theirs"))
		if opened != 1 {
			t.Errorf("%s: %d bodies are open while the client takes the mail", name, opened)
		}
		if end(w); opened != 0 {
			t.Errorf("%s: %d bodies stay open", name, opened)
		}
	}
	q, opened := store(t), 0
	put(t, q, "m", "theirs", mail.Envelope{}, strings.Repeat("x", 1<<20), "no address")
	if w, err := collect(t, opening{q, &opened}, "theirs").Next(t.Context()); !errors.Is(err, io.EOF) || opened != 0 {
		t.Errorf("one that can't be handed over: %v, %v; %d bodies stay open", w, err, opened)
	}
}

// slowExtend is a queue that takes its time to extend a lease.
type slowExtend struct {
	Queue
	entered, leave chan struct{}
}

func (s slowExtend) Extend(context.Context, retry.Lease, time.Duration) error {
	s.entered <- struct{}{}
	<-s.leave
	return nil
}

// A lease's end waits for the extension that is under way.
func TestEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := slowExtend{entered: make(chan struct{}), leave: make(chan struct{})}
		h := (&collection{Collector: collector(q)}).hold(t.Context(), retry.Lease{}, &archive.Mail{})
		<-q.entered
		over := false
		go func() { h.end(); over = true }()
		synctest.Wait()
		if over {
			t.Error("the end didn't wait")
		}
		close(q.leave)
		synctest.Wait()
		if !over {
			t.Error("the end waits on")
		}
	})
}

// A mail stays leased for as long as the client takes over it.
func TestLeaseIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, fails := range []bool{false, true} {
			q := &failing{extend: fails}
			var log strings.Builder
			c := &collection{Collector: logging(q, &log)}
			h := c.hold(t.Context(), retry.Lease{}, &archive.Mail{})
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			h.end()
			if q.extended < 10*60/40-1 {
				t.Errorf("extended %d times in ten minutes", q.extended)
			}
			if tells := strings.Contains(log.String(), "a lease could not be extended"); tells != fails {
				t.Errorf("extending fails: %v, the log: %q", fails, log.String())
			}
			before := q.extended
			time.Sleep(10 * time.Minute)
			if q.extended != before {
				t.Error("extended after its end")
			}
		}
	})
}
