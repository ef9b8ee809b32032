package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postern/retry"
)

// The crash tests run this test's own binary as a child that enqueues and
// delivers, and kill it. Its standard output is the independent log: a line
// "ack ID" after Enqueue returned nil, "sent ID" when a webhook would have
// answered 2xx, before the acknowledgement. What was acked and not sent must
// be there after a restart, whole.

var crashRounds = flag.Int("crash.rounds", 20, "rounds of the kill -9 test; 200 is the long version")

const childEnv = "POSTERN_QUEUE_CHILD"

// childOptions say how the child misbehaves; they travel as one variable.
type childOptions struct {
	dir     string
	point   string // kill -9 at this fault point …
	hit     int64  // … when it is reached for the hit-th time
	unsafe  bool
	prefix  string
	minFree int64
	grown   int64 // how large the log is taken to be at first
}

func (o childOptions) env() string {
	return fmt.Sprintf("%s=%s|%s|%d|%v|%s|%d|%d", childEnv, o.dir, o.point, o.hit, o.unsafe, o.prefix, o.minFree, o.grown)
}

func parseChild(s string) (o childOptions) {
	f := strings.Split(s, "|")
	o.dir, o.point, o.prefix = f[0], f[1], f[4]
	_, _ = fmt.Sscan(f[2], &o.hit)
	_, _ = fmt.Sscan(f[3], &o.unsafe)
	_, _ = fmt.Sscan(f[5], &o.minFree)
	_, _ = fmt.Sscan(f[6], &o.grown)
	return o
}

// childMain is the child's whole life.
func childMain(o childOptions) int {
	var hits atomic.Int64
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	fatal := make(chan error, 1)
	q, err := Open(context.Background(), o.dir, Options{MinFree: o.minFree, Unsafe: o.unsafe, OnFatal: func(err error) { fatal <- err },
		Fault: func(point string) error {
			if point == o.point && hits.Add(1) == o.hit {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		}})
	if err != nil {
		say("open %v", err)
		return 2
	}
	q.w.grown = o.grown // the writer looks at it with its next commit
	say("ready")
	for w := range 8 {
		go childWriter(q, fmt.Sprintf("%s-%d", o.prefix, w), w, say)
	}
	go childWorker(q, say)
	err = <-fatal
	say("fatal %v", errors.Is(err, retry.ErrUnhealthy))
	return 3
}

func childWriter(q *Queue, prefix string, w int, say func(string, ...any)) {
	for i := 0; ; i++ {
		id := fmt.Sprintf("%s-%d", prefix, i)
		size := 2000
		if w%4 == 0 {
			size = 100 << 10
		}
		b, err := newCrashBody(id, size, w == 0 && i%2 == 0, q.dir)
		if err == nil {
			err = enqueueOne(q, id, b)
		}
		switch {
		case err == nil:
			say("ack %s", id)
		case errors.Is(err, retry.ErrFull):
			say("full %s", id)
			time.Sleep(20 * time.Millisecond)
		case errors.Is(err, retry.ErrUnhealthy):
			return
		default:
			say("error %s %v", id, err)
		}
		b.remove()
		time.Sleep(2 * time.Millisecond)
	}
}

func enqueueOne(q *Queue, id string, b retry.Body) error {
	ctx := context.Background()
	res, err := q.Reserve(ctx, b.Size())
	if err != nil {
		return err
	}
	defer res.Release()
	ref, err := q.Stage(ctx, res, b)
	if err != nil {
		return err
	}
	now := time.Now()
	m := retry.Message{ID: id, Key: "k" + id, Received: now, Life: time.Hour, Envelope: []byte(`{"v":1}`), Body: ref}
	_, err = q.Enqueue(ctx, m, []retry.NewDelivery{{ID: id, Endpoint: "e", Recipients: []string{id + "@in.example"}}})
	return err
}

// childWorker delivers some of what waits.
func childWorker(q *Queue, say func(string, ...any)) {
	ctx := context.Background()
	for i := 0; ; i++ {
		ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 2, TTL: time.Minute})
		if err != nil {
			return
		}
		for _, l := range ls {
			switch i % 3 {
			case 0:
				err = q.Retry(ctx, l, time.Hour, retry.Attempt{At: time.Now(), Status: 503})
			case 1:
				err = q.Dead(ctx, l, "rejected", retry.Attempt{At: time.Now(), Status: 406})
			default:
				say("sent %s", l.ID)
				err = q.Ack(ctx, l, retry.Attempt{})
			}
			if errors.Is(err, retry.ErrUnhealthy) {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// crashContent is a message's bytes, made from its id alone.
func crashContent(id string, size int) []byte {
	return bytes.Repeat([]byte(id+"\r\n"), size/(len(id)+2)+1)[:size]
}

// crashBody is a message in memory, or as a spool file that can be linked.
type crashBody struct {
	data []byte
	path string
}

func newCrashBody(id string, size int, file bool, dir string) (crashBody, error) {
	b := crashBody{data: crashContent(id, size)}
	if !file {
		return b, nil
	}
	b.path = filepath.Join(filepath.Dir(dir), "spool-"+id)
	return b, os.WriteFile(b.path, b.data, 0o600)
}

func (b crashBody) Open() (io.ReadSeekCloser, error) { return nopCloser{bytes.NewReader(b.data)}, nil }
func (b crashBody) Size() int64                      { return int64(len(b.data)) }
func (b crashBody) Path() string                     { return b.path }

func (b crashBody) remove() {
	if b.path != "" {
		_ = os.Remove(b.path)
	}
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// journal is the client's log of a child.
type journal struct {
	mu    sync.Mutex
	acked map[string]bool
	sent  map[string]bool
	full  int
	fatal bool
	other []string
	// damage is what the store was taken for at the last account.
	damage string
	ready  chan struct{}
	once   sync.Once
	done   chan struct{}
}

func newJournal() *journal {
	return &journal{acked: map[string]bool{}, sent: map[string]bool{}, ready: make(chan struct{})}
}

func (j *journal) read(r io.Reader) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		verb, rest, _ := strings.Cut(s.Text(), " ")
		j.mu.Lock()
		switch verb {
		case "ack":
			j.acked[rest] = true
		case "sent":
			j.sent[rest] = true
		case "full":
			j.full++
		case "fatal":
			j.fatal = rest == "true"
		case "ready":
			j.once.Do(func() { close(j.ready) })
		default:
			j.other = append(j.other, s.Text())
		}
		j.mu.Unlock()
	}
	close(j.done)
}

func (j *journal) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.acked)
}

// await returns once so many are acked: a kill then comes at any point of what
// the child does next.
func (j *journal) await(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); j.count() < n; time.Sleep(time.Millisecond) {
		if j.ended() || time.Now().After(deadline) {
			t.Fatalf("%d acked, want %d; %v", j.count(), n, j.other)
		}
	}
}

// ended says that the child is gone and its log read to the end.
func (j *journal) ended() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// startChild runs the child; wrap is a command to run it under.
func startChild(t *testing.T, j *journal, o childOptions, wrap ...string) *exec.Cmd {
	t.Helper()
	if o.minFree == 0 {
		o.minFree = -1
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(wrap, self)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), o.env())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	j.done = make(chan struct{})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go j.read(r)
	return cmd
}

// end waits for the child's end and for the last line of its log.
func (j *journal) end(cmd *exec.Cmd) {
	<-j.done
	_ = cmd.Wait()
}

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// account opens the queue as a restart does and holds it against the journal:
// what was acked and isn't there must have been sent; what is there is whole.
// It returns how many are missing and how many are damaged.
func account(t *testing.T, dir string, j *journal) (lost, damaged int) {
	t.Helper()
	q, err := Open(context.Background(), dir, Options{MinFree: -1})
	if err != nil {
		t.Errorf("the queue doesn't open again: %v", err)
		return len(j.acked), 0
	}
	defer q.Close()
	j.damage = q.damage.what
	if n := q.aside(); n > 0 {
		j.damage += fmt.Sprintf("; %d files set aside", n)
	}
	there := map[string]bool{}
	page := retry.Page{Size: 1000}
	for {
		list, next, err := q.List(context.Background(), retry.Filter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list {
			there[i.ID] = true
			if !whole(q, i) {
				damaged++
			}
		}
		if next.After == "" {
			break
		}
		page = next
	}
	for id := range j.acked {
		if !there[id] && !j.sent[id] {
			lost++
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "bodies", "*", "*"))
	var rows int
	if err := q.read.QueryRow("SELECT count(*) FROM message WHERE file IS NOT NULL").Scan(&rows); err != nil || rows != len(files) {
		t.Errorf("%d files for %d rows, %v", len(files), rows, err)
	}
	return lost, damaged
}

func whole(q *Queue, i retry.Info) bool {
	_, b, err := q.OpenMessage(context.Background(), i.MessageID)
	if err != nil {
		return false
	}
	defer b.Close()
	data, err := io.ReadAll(b)
	return err == nil && bytes.Equal(data, crashContent(i.ID, int(i.Size)))
}

func TestKilledAtEveryFaultPoint(t *testing.T) {
	for _, point := range []string{"link", "write", "fsync", "fsync folder", "rename", "commit", "committed"} {
		for _, hit := range []int64{1, 15} {
			t.Run(fmt.Sprintf("%s/%d", point, hit), func(t *testing.T) {
				killAt(t, childOptions{point: point, hit: hit, prefix: "m"})
			})
		}
	}
}

// killAt runs a child that is killed at its fault point, and accounts for its mail.
func killAt(t *testing.T, o childOptions) {
	t.Helper()
	o.dir = filepath.Join(t.TempDir(), "queue")
	j := newJournal()
	cmd := startChild(t, j, o)
	stop := time.AfterFunc(30*time.Second, func() { killGroup(cmd) })
	j.end(cmd)
	if !stop.Stop() {
		t.Fatalf("the point was never reached; acked %d, %v", len(j.acked), j.other)
	}
	if lost, damaged := account(t, o.dir, j); lost != 0 || damaged != 0 || j.damage != "" {
		t.Errorf("of %d acked %d are lost; %d damaged; taken for damage: %s", len(j.acked), lost, damaged, j.damage)
	}
}

// A log that grows to where the writer itself copies it is killed before and after.
func TestKilledAtRelief(t *testing.T) {
	for _, point := range []string{"checkpoint", "relieve", "relieved"} {
		t.Run(point, func(t *testing.T) {
			killAt(t, childOptions{point: point, hit: 1, prefix: "m", grown: checkpointNow - 1<<20})
		})
	}
}

func TestKill9(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queue")
	j := newJournal()
	for round := range *crashRounds {
		cmd := startChild(t, j, childOptions{dir: dir, prefix: fmt.Sprint("r", round)})
		j.await(t, j.count()+1+rand.IntN(60))
		killGroup(cmd)
		j.end(cmd)
		if round%10 == 9 || round == *crashRounds-1 {
			if lost, damaged := account(t, dir, j); lost != 0 || damaged != 0 || j.damage != "" {
				t.Fatalf("after round %d: of %d acked %d are lost; %d damaged; taken for damage: %s", round, len(j.acked), lost, damaged, j.damage)
			}
		}
	}
	t.Logf("%d rounds, %d acked, %d delivered, 0 lost", *crashRounds, len(j.acked), len(j.sent))
}
