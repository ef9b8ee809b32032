package main

import (
	"context"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	crash       = flag.Bool("crash", false, "kill a whole gateway at every step of a message, and at random moments")
	crashRounds = flag.Int("crash.rounds", 20, "rounds of killing at random moments")
)

// ledger is the independent account of a crash test: what the client was told
// and what the webhook took.
type ledger struct {
	mu    sync.Mutex
	told  map[string]int             // Message-ID -> last reply code; 0 while unknown
	tries map[string]int             // Message-ID -> tries that ended without an answer
	took  map[string]map[string]int  // Message-ID -> webhook-id -> 2xx answers
	moody func(messageID string) int // the webhook's status
	kills int                        // each may have hit a worker between a 2xx and its acknowledgement
}

var messageIDPattern = regexp.MustCompile(`crash-[a-z0-9]+-[0-9]+@client\.example`)

func (l *ledger) hook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	id := messageIDPattern.FindString(string(body))
	l.mu.Lock()
	defer l.mu.Unlock()
	status := l.moody(id)
	if status/100 == 2 {
		if l.took[id] == nil {
			l.took[id] = map[string]int{}
		}
		l.took[id][r.Header.Get("webhook-id")]++
	}
	w.WriteHeader(status)
}

// victim is a gateway in a process of its own.
type victim struct {
	t    *testing.T
	bin  string
	dir  string
	hook string
	addr string
	cmd  *exec.Cmd
	done chan struct{}
}

// build makes the binary that can be killed at a step.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "postern")
	if out, err := exec.Command("go", "build", "-tags", "faults", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

func (v *victim) start(fault string) {
	v.t.Helper()
	v.cmd = exec.Command(v.bin, "serve")
	v.cmd.Env = append(os.Environ(), "POSTERN_WEBHOOK_URL="+v.hook, "POSTERN_SMTP_ADDR="+v.addr, "POSTERN_HTTP_ADDR=off",
		"POSTERN_RETRY_STORE=sqlite://"+v.dir, "POSTERN_RETRY_FIRST=200ms", "POSTERN_RETRY_MAX_DELAY=1s", "POSTERN_LOG_LEVEL=error",
		"POSTERN_SMTP_MAX_CONNECTIONS_PER_CLIENT=0", "FAULT="+fault)
	v.cmd.Stderr = os.Stderr
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.done = make(chan struct{})
	go func() { _ = v.cmd.Wait(); close(v.done) }()
	for range 400 {
		if c, err := net.Dial("tcp", v.addr); err == nil {
			c.Close()
			return
		}
		select {
		case <-v.done:
			return // killed at once, or it can't start: the caller's count tells
		case <-time.After(10 * time.Millisecond):
		}
	}
	v.t.Fatal("the gateway doesn't listen")
}

func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	<-v.done
}

func (v *victim) dead() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

func newVictim(t *testing.T, bin string, l *ledger) *victim {
	t.Helper()
	hook := httptest.NewServer(http.HandlerFunc(l.hook))
	t.Cleanup(hook.Close)
	addr := freePort(t)
	v := &victim{t: t, bin: bin, dir: filepath.Join(t.TempDir(), "q"), hook: hook.URL, addr: addr}
	t.Cleanup(func() {
		if v.cmd != nil && !v.dead() {
			v.kill()
		}
	})
	return v
}

func newLedger() *ledger {
	l := &ledger{told: map[string]int{}, tries: map[string]int{}, took: map[string]map[string]int{}}
	seen := map[string]int{}
	l.moody = func(id string) int {
		// One mail in ten is refused at first; many in a row would open the breaker.
		if seen[id]++; seen[id] == 1 && crc32.ChecksumIEEE([]byte(id))%10 == 0 {
			return 503
		}
		return 200
	}
	return l
}

// send gives one mail and writes down what it was told; 0 is no answer.
func (l *ledger) send(addr, id string, size int) {
	code := 0
	body := fmt.Appendf(nil, "Message-ID: <%s>\r\nSubject: crash\r\n\r\n%s\r\n", id, strings.Repeat("0123456789abcde\r\n", size/17))
	c, err := smtp.Dial(addr)
	if err == nil {
		code = converse(c, body)
		c.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if code == 0 {
		l.tries[id]++
	}
	if l.told[id] != 250 {
		l.told[id] = code
	}
}

func converse(c *smtp.Client, body []byte) int {
	if c.Hello("client.example") != nil || c.Mail("sender@client.example") != nil || c.Rcpt("box@in.example") != nil {
		return 0
	}
	w, err := c.Data()
	if err != nil {
		return 0
	}
	if _, err = w.Write(body); err == nil {
		err = w.Close()
	}
	switch {
	case err == nil:
		return 250
	case len(err.Error()) > 3 && err.Error()[0] == '4':
		return 451
	}
	return 0
}

// resend does what senders do with mail that wasn't answered 250.
func (l *ledger) resend(addr string, size func(string) int) {
	for range 20 {
		open := l.open()
		if len(open) == 0 {
			return
		}
		for _, id := range open {
			l.send(addr, id, size(id))
		}
	}
}

func (l *ledger) open() (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, code := range l.told {
		if code != 250 {
			ids = append(ids, id)
		}
	}
	return ids
}

// settle waits until the webhook took everything, and holds the account.
func (l *ledger) settle(t *testing.T, what string) {
	t.Helper()
	missing := func() (n int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for id := range l.told {
			if len(l.took[id]) == 0 {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(30 * time.Second); missing() > 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	}
	if n := missing(); n > 0 {
		t.Errorf("%s: %d of %d mails that were answered 250 never reached the webhook", what, n, len(l.told))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, ids := range l.took {
		times := 0
		for _, n := range ids {
			times += n
		}
		switch {
		case len(ids) > 1:
			t.Errorf("%s: %s came under %d webhook-ids", what, id, len(ids))
		case times > 1+l.tries[id]+l.kills:
			t.Errorf("%s: %s was taken %d times, with %d tries of unknown outcome and %d kills", what, id, times, l.tries[id], l.kills)
		}
	}
}

// TestKilledAtEveryStep ends the process at each step between the last octet
// and the reply, with small and with spooled mails, and starts it again.
func TestKilledAtEveryStep(t *testing.T) {
	if !*crash {
		t.Skip("-crash runs it")
	}
	bin := build(t)
	for _, point := range []string{"spooled", "parsed", "answered", "staged", "enqueued", "decided", "link", "fsync", "fsync folder", "commit", "committed"} {
		t.Run(strings.ReplaceAll(point, " ", "-"), func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			v := newVictim(t, bin, l)
			size := func(id string) int {
				switch crc32.ChecksumIEEE([]byte(id)) % 4 {
				case 0:
					return 1000
				case 1:
					return 300 << 10 // held in memory where there is enough
				}
				return 1300 << 10 // spooled to a file
			}
			v.start(point + ":3")
			for i := range 200 {
				id := fmt.Sprintf("crash-%s-%d@client.example", strings.ReplaceAll(point, " ", ""), i)
				l.send(v.addr, id, size(id))
				if v.dead() {
					break
				}
			}
			select {
			case <-v.done:
			case <-time.After(time.Minute):
				t.Fatal("the step was never reached")
			}
			l.kills++
			v.start("")
			l.resend(v.addr, size)
			l.settle(t, point)
			v.kill()
		})
	}
}

// TestKilledAtRandom ends the process at random moments under load.
func TestKilledAtRandom(t *testing.T) {
	if !*crash {
		t.Skip("-crash runs it")
	}
	l := newLedger()
	v := newVictim(t, build(t), l)
	size := func(id string) int { return 500 + len(id)*int(id[len("crash-r")]-'0')*400 }
	for round := range *crashRounds {
		v.start("")
		ctx, stop := context.WithTimeout(context.Background(), time.Duration(100+rand.IntN(900))*time.Millisecond)
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					id := fmt.Sprintf("crash-r%dw%d-%d@client.example", round, worker, i)
					l.send(v.addr, id, size(id))
				}
			})
		}
		<-ctx.Done()
		v.kill()
		l.kills++
		stop()
		wg.Wait()
	}
	v.start("")
	l.resend(v.addr, size)
	l.settle(t, "random")
	t.Logf("%d rounds, %d mails, %d tries of unknown outcome", *crashRounds, len(l.told), sum(l.tries))
	v.kill()
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}
