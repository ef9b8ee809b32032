package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/retry"
	"postern/retry/postgres/pgtest"
	"postern/retry/queuetest"
)

// content is a message's bytes, made from its id alone; every eighth is stored
// in several pieces.
func content(id string) []byte {
	size := 2000
	if id[len(id)-1] == '8' {
		size = 600 << 10
	}
	return bytes.Repeat([]byte(id+"\r\n"), size/(len(id)+2)+1)[:size]
}

type body []byte

func (b body) Open() (io.ReadSeekCloser, error) { return nopCloser{bytes.NewReader(b)}, nil }
func (b body) Size() int64                      { return int64(len(b)) }

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

func enqueue1(ctx context.Context, q *Queue, id string) (retry.Result, error) {
	ref, err := q.Stage(ctx, nil, body(content(id)))
	if err != nil {
		return retry.Result{}, err
	}
	now := time.Now()
	m := retry.Message{ID: id + fmt.Sprint("-", now.UnixNano()), Key: "k" + id, Received: now, Life: time.Hour, Envelope: []byte(`{}`), Body: ref}
	res, err := q.Enqueue(ctx, m, []retry.NewDelivery{{ID: id, Endpoint: "e" + id[len(id)-1:], Recipients: []string{id}}})
	if err != nil {
		_ = q.Discard(ctx, ref)
	}
	return res, err
}

// ownServer is a server that the test may kill.
func ownServer(t *testing.T) *pgtest.Server {
	t.Helper()
	s, err := pgtest.New()
	if err == nil {
		t.Cleanup(func() { s.Remove() })
		err = s.Start()
	}
	pgtest.Need(t, err)
	return s
}

// journal is the client's own account.
type journal struct {
	mu       sync.Mutex
	acked    map[string]bool // Enqueue returned nil
	sent     map[string]int  // a webhook answered 2xx, how often
	unsure   map[string]bool // the acknowledgement's outcome is unknown
	failures int
}

func (j *journal) do(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
}

// TestServerKilled kills the server under load, three times, with two replicas
// at work. What was acked is delivered or queued at the end, and nothing is
// delivered twice but where an outcome was unknown.
func TestServerKilled(t *testing.T) {
	s := ownServer(t)
	j := &journal{acked: map[string]bool{}, sent: map[string]int{}, unsure: map[string]bool{}}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var replicas []*Queue
	for r := range 2 {
		q := open(t, s.URL("postgres"), Options{Conns: 8})
		replicas = append(replicas, q)
		for w := range 3 {
			wg.Go(func() { writeUnderLoad(ctx, q, j, fmt.Sprintf("m%d-%d-", r, w)) })
		}
		wg.Go(func() { deliverUnderLoad(ctx, q, j) })
	}
	for range 3 {
		j.await(t, func() int { return len(j.acked) }, 50)
		s.Kill()
		j.await(t, func() int { return j.failures }, 1)
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
	}
	j.await(t, func() int { return len(j.acked) }, 50)
	stop()
	wg.Wait()
	there := map[string]bool{}
	for page, first := (retry.Page{Size: 5000}), true; first || page.After != ""; first = false {
		list, next, err := replicas[0].List(context.Background(), retry.Filter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list {
			there[i.ID] = true
		}
		page = next
	}
	lost, twice := 0, 0
	for id := range j.acked {
		if !there[id] && j.sent[id] == 0 {
			lost++
		}
	}
	for id, n := range j.sent {
		if n > 1 && !j.unsure[id] {
			twice++
		}
	}
	t.Logf("%d acked, %d sent, %d left, %d refused while the server was away", len(j.acked), len(j.sent), len(there), j.failures)
	if lost != 0 || twice != 0 || len(j.acked) == 0 || j.failures == 0 {
		t.Errorf("%d lost, %d delivered twice though the outcome was known", lost, twice)
	}
}

// await returns once a count of the journal has grown by so many.
func (j *journal) await(t *testing.T, count func() int, by int) {
	t.Helper()
	var from, is int
	j.do(func() { from = count() })
	for deadline := time.Now().Add(time.Minute); is < from+by; time.Sleep(time.Millisecond) {
		if j.do(func() { is = count() }); time.Now().After(deadline) {
			t.Fatalf("%d after a minute, want %d", is, from+by)
		}
	}
}

func writeUnderLoad(ctx context.Context, q *Queue, j *journal, prefix string) {
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprint(prefix, i)
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		_, err := enqueue1(c, q, id)
		cancel()
		j.do(func() {
			if err == nil {
				j.acked[id] = true
			} else {
				j.failures++
			}
		})
		time.Sleep(time.Millisecond)
	}
}

func deliverUnderLoad(ctx context.Context, q *Queue, j *journal) {
	for ctx.Err() == nil {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		ls, err := q.Lease(c, retry.LeaseRequest{Max: 4, TTL: 5 * time.Second})
		if err != nil {
			time.Sleep(20 * time.Millisecond)
		}
		for _, l := range ls {
			j.do(func() { j.sent[l.ID]++ })
			if q.Ack(c, l, retry.Attempt{}) != nil {
				j.do(func() { j.unsure[l.ID] = true })
			}
		}
		cancel()
	}
}

// TestCutAtCommit cuts the connection around the commit of an Enqueue: it finds
// out what became of it, and the message is stored once.
func TestCutAtCommit(t *testing.T) {
	dsn := shared.Database(t)
	direct := open(t, dsn, Options{})
	p := newProxy(t, dsn)
	through := open(t, p.dsn, Options{Conns: 2})
	for _, c := range []struct {
		name, id, commit string
		cut              int32
	}{
		{"small, after the server's answer", "cut-1", "cut-1", cutAnswer},
		{"small, before the server heard", "cut-2", "cut-2", cutRequest},
		{"large, after the server's answer", "cut-18", "commit\x00", cutAnswer},
		{"large, before the server heard", "cut-28", "commit\x00", cutRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.arm(c.commit, c.cut)
			if _, err := enqueue1(t.Context(), through, c.id); err != nil || p.cut.Load() != cutNothing {
				t.Fatalf("Enqueue = %v, cut %v", err, p.cut.Load() == cutNothing)
			}
			if list, _, err := direct.List(t.Context(), retry.Filter{IDs: []string{c.id}}, retry.Page{}); err != nil || len(list) != 1 {
				t.Errorf("%d deliveries, %v", len(list), err)
			}
			if res, err := enqueue1(t.Context(), direct, c.id); err != nil || res.Duplicates != 1 {
				t.Errorf("the next try = %+v, %v", res, err)
			}
		})
	}
	t.Run("nobody to ask", func(t *testing.T) {
		p.arm("cut-3", cutAnswer)
		p.deaf.Store(true)
		if _, err := enqueue1(t.Context(), through, "cut-3"); !errors.Is(err, errInDoubt) {
			t.Fatalf("Enqueue with an unknown outcome = %v", err)
		}
		if res, err := enqueue1(t.Context(), direct, "cut-3"); err != nil || res.Duplicates != 1 {
			t.Errorf("the next try = %+v, %v", res, err)
		}
	})
}

// When the proxy cuts a connection on which a commit goes by.
const (
	cutNothing int32 = iota
	cutRequest
	cutAnswer
)

// proxy is a TCP proxy before the server.
type proxy struct {
	dsn, to string
	l       net.Listener
	cut     atomic.Int32
	commit  atomic.Pointer[string] // what a request that commits has in it
	deaf    atomic.Bool            // no connection comes through any more once one was cut
	wg      sync.WaitGroup
	mu      sync.Mutex
	conns   []net.Conn
}

func newProxy(t *testing.T, dsn string) *proxy {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{to: u.Host}
	if p.l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = p.l.Addr().String()
	p.dsn = u.String()
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		_ = p.l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// arm has the proxy cut the next commit.
func (p *proxy) arm(commit string, cut int32) {
	p.commit.Store(&commit)
	p.cut.Store(cut)
}

// others cuts the other connections too where none is to come through.
func (p *proxy) others() {
	if !p.deaf.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) serve() {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return
		}
		if p.deaf.Load() && p.cut.Load() == cutNothing {
			_ = client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		var committing atomic.Bool
		p.wg.Go(func() { p.pump(client, server, &committing, true) })
		p.wg.Go(func() { p.pump(server, client, &committing, false) })
	}
}

func (p *proxy) pump(from, to net.Conn, committing *atomic.Bool, request bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if request && p.cut.Load() != cutNothing && bytes.Contains(bytes.ToLower(buf[:n]), []byte(*p.commit.Load())) {
			if p.cut.CompareAndSwap(cutRequest, cutNothing) {
				p.others()
				return
			}
			committing.Store(true)
		}
		if !request && committing.Swap(false) && p.cut.CompareAndSwap(cutAnswer, cutNothing) {
			p.others()
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestReplicaDies has one of two replicas die with leases in hand: the other
// takes them over once they run out, and nothing that the dead one still says
// counts.
func TestReplicaDies(t *testing.T) {
	dsn := shared.Database(t)
	ctx, clock := t.Context(), queuetest.NewClock()
	dying, living := open(t, dsn, Options{Now: clock.Now}), open(t, dsn, Options{Now: clock.Now})
	for i := range 10 {
		if _, err := enqueue1(ctx, dying, fmt.Sprint("m", i)); err != nil {
			t.Fatal(err)
		}
	}
	held, err := dying.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: 3 * time.Second})
	if err != nil || len(held) != 10 {
		t.Fatalf("leased %d, %v", len(held), err)
	}
	if err := dying.Close(); err != nil {
		t.Fatal(err)
	}
	if err := living.readUsage(ctx); err != nil { // within a second by itself
		t.Fatal(err)
	}
	if ls, err := living.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: time.Minute}); err != nil || len(ls) != 0 {
		t.Fatalf("leases were shared: %d, %v", len(ls), err)
	}
	clock.Advance(3 * time.Second)
	taken, err := living.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: time.Minute})
	if err != nil || len(taken) != 10 {
		t.Fatalf("took over %d, %v", len(taken), err)
	}
	for _, l := range held {
		if err := living.Ack(ctx, l, retry.Attempt{}); !errors.Is(err, retry.ErrLeaseLost) {
			t.Errorf("the dead replica's token still counts: %v", err)
		}
	}
	for _, l := range taken {
		if err := living.Ack(ctx, l, retry.Attempt{}); err != nil {
			t.Error(err)
		}
	}
}

// TestTwoWorkers has two replicas drain one queue: each delivery once.
func TestTwoWorkers(t *testing.T) {
	dsn := shared.Database(t)
	const n = 300
	var mu sync.Mutex
	sent, by := map[string]int{}, [2]int{}
	all := make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for r := range 2 {
		q := open(t, dsn, Options{})
		w := retry.NewWorker(q, deliver(func(l retry.Lease) {
			mu.Lock()
			defer mu.Unlock()
			sent[l.ID]++
			by[r]++
			if len(sent) == n {
				close(all)
			}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Share: func(string) int { return 4 }})
		wg.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			for i := range n / 2 {
				if _, err := enqueue1(context.Background(), q, fmt.Sprintf("m%d-%d", r, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	select {
	case <-all:
	case <-time.After(30 * time.Second):
		t.Error("not drained in 30 s")
	}
	stop()
	wg.Wait()
	for id, k := range sent {
		if k != 1 {
			t.Errorf("%s delivered %d times", id, k)
		}
	}
	t.Logf("%d and %d deliveries", by[0], by[1])
}

type deliver func(retry.Lease)

func (d deliver) Deliver(_ context.Context, l retry.Lease) retry.Outcome {
	d(l)
	return retry.Outcome{Kind: retry.Done}
}

func TestRefusesUnsafeServerAndNewerSchema(t *testing.T) {
	s := ownServer(t)
	dsn := s.URL("postgres")
	if err := open(t, dsn, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, dsn, "INSERT INTO postern.version VALUES (99)")
	if _, err := Open(t.Context(), dsn, Options{}); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("a newer schema: %v", err)
	}
	execute(t, dsn, "DELETE FROM postern.version WHERE v = 99")
	execute(t, dsn, "ALTER SYSTEM SET fsync = off")
	execute(t, dsn, "SELECT pg_reload_conf()")
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // until the server has read it
		q, err := Open(t.Context(), dsn, Options{})
		if errors.Is(err, ErrUnsafe) {
			return
		}
		if err == nil {
			_ = q.Close()
		}
		if time.Now().After(end) {
			t.Fatalf("a server without fsync: %v", err)
		}
	}
}

func TestAddressErrorHidesPassword(t *testing.T) {
	_, err := Open(t.Context(), "postgres://u:hunter2@host:notaport/db", Options{})
	if err == nil || bytes.Contains([]byte(err.Error()), []byte("hunter2")) {
		t.Errorf("Open = %v", err)
	}
}

// TestOddText stores what PostgreSQL's text can't hold.
func TestOddText(t *testing.T) {
	q := open(t, shared.Database(t), Options{})
	ref, err := q.Stage(t.Context(), nil, body("x"))
	if err != nil {
		t.Fatal(err)
	}
	m := retry.Message{ID: "odd", Received: time.Now(), Life: time.Hour, From: "a\xff\x00@b", Subject: "\xd0", Body: ref}
	first := retry.Attempt{At: time.Now(), Error: "answer: \x00\xfe"}
	if _, err := q.Enqueue(t.Context(), m, []retry.NewDelivery{{ID: "odd", Endpoint: "e", First: &first}}); err != nil {
		t.Fatal(err)
	}
}
