package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// attack is one stranger's doing, and the gateway that meets it.
type attack struct {
	name  string
	what  string
	limit int64         // MiB for the gateway
	delay time.Duration // of the slow webhook
	env   func(*gateway) ([]string, error)
	prime func(*gateway, *hook) error // before the good clients; nil: none
	do    func(addr string, t *tally) // in a process of its own
	after func(*gateway, *hook) string
}

const (
	settle   = 1 * time.Second
	quietFor = 5 * time.Second
)

var attacks = []*attack{
	{name: "texts", what: "50 text mails of 10 MB at once, a webhook that takes 5 s", limit: 512, delay: 5 * time.Second, do: texts},
	{name: "queued", what: "64 of them queued, killed, started anew, a webhook that takes 8 s", limit: 512, delay: 8 * time.Second, prime: queueUp, after: drained},
	{name: "envelopes", what: "980 connections with 1,000 recipients and 250 kB of DATA each, held", limit: 512, do: envelopes},
	{name: "worst", what: "2,000 of the worst mails over 200 connections, a webhook that takes 1 s", limit: 256, delay: time.Second, do: flood},
	{name: "dots", what: "40 mails of 4 MiB of dot-stuffed lines", limit: 256, do: shape(40, 4, func() []byte { return dotted(4 << 20) })},
	{name: "bare", what: "10 mails of 4 MiB of LF lines, normalized", limit: 256, env: normalize, do: shape(10, 4, bareLines)},
	{name: "plain", what: "40 mails of 4 MiB of text, for comparison", limit: 256, do: shape(40, 4, func() []byte { return plainText(4 << 20) })},
	{name: "files", what: "200 mails of 1,000 attachments of 3 octets", limit: 256, do: shape(200, 20, func() []byte { return tinyFiles(1000) })},
	{name: "chunks", what: "64 kB in BDAT chunks of one octet, 40 times", limit: 256, do: chunks},
	{name: "auth", what: "40 connections of one address guess passwords of a bcrypt user", limit: 256, env: withUsers, do: guesses},
	{name: "commands", what: "50 connections pipeline NOOP, RSET, MAIL and RCPT without an end", limit: 256, do: commands},
	{name: "slow", what: "900 connections send an octet a second, in each phase", limit: 256, do: slow},
	{name: "handshakes", what: "40 connections at once do TLS handshakes and leave", limit: 256, env: withUsers, do: handshakes},
	{name: "spool", what: "200 senders announce 50 MB each, room for 40", limit: 512, do: senders},
}

func normalize(*gateway) ([]string, error) { return []string{"POSTERN_SMTP_BARE_LF=normalize"}, nil }

// run starts a gateway, measures its good clients alone, and then beside the
// attacker.
func (a *attack) run(binary string) (*result, error) {
	h, err := newHook()
	if err != nil {
		return nil, err
	}
	defer h.close()
	h.delay.Store(int64(a.delay))
	g, err := newGateway(binary, a.limit<<20, h.env()...)
	if err != nil {
		return nil, err
	}
	defer g.close()
	if a.env != nil {
		more, err := a.env(g)
		if err != nil {
			return nil, err
		}
		g.env = append(g.env, more...)
	}
	if a.prime == nil {
		err = g.start()
	} else {
		err = a.prime(g, h)
	}
	r := &result{attack: a, starts: 1}
	if err != nil && g.running() {
		return nil, err
	}
	time.Sleep(settle)
	if a.prime == nil { // what waits at a start is the attack itself
		r.quiet = goodFor(g.smtp, quietFor)
		g.resetPeak()
	}
	_, before, _ := g.costs()
	began := time.Now()
	stop, stats := make(chan struct{}), make(chan goodStats, 1)
	go func() { stats <- goodTraffic(g.smtp, stop) }()
	if os.Getenv("PRESSURE_TRACE") != "" {
		go g.trace(stop)
	}
	keeper := make(chan struct{})
	go g.keepUp(stop, keeper, r)
	if a.do != nil {
		r.told = a.spawn(g)
	}
	if a.after != nil {
		r.told = a.after(g, h)
	}
	close(stop)
	r.under = <-stats
	<-keeper
	r.took = time.Since(began)
	if a.prime != nil && g.running() {
		time.Sleep(settle)
		r.quiet = goodFor(g.smtp, quietFor)
	}
	r.peak, r.cpu, r.kills = g.costs()
	r.cpu -= before
	if len(r.under.other) > 0 {
		fmt.Fprintf(os.Stderr, "%s: good mails: %v\n", a.name, r.under.other)
	}
	return r, nil
}

func goodFor(addr string, d time.Duration) goodStats {
	stop := make(chan struct{})
	time.AfterFunc(d, func() { close(stop) })
	return goodTraffic(addr, stop)
}

// maxStarts is how often a gateway that was killed is started anew.
const maxStarts = 6

// keepUp starts the gateway anew when it was killed, as an orchestrator would.
func (g *gateway) keepUp(stop <-chan struct{}, ended chan<- struct{}, r *result) {
	defer close(ended)
	for {
		select {
		case <-stop:
			return
		case <-g.done:
			if r.starts >= maxStarts {
				return
			}
			r.starts++
			g.start()
		}
	}
}

// attackerRole is the argument by which this program becomes the attacker.
const attackerRole = "attacker"

// spawn runs the attacker as a process of its own with a low priority: the CPU
// it takes must not be charged to the gateway's good clients.
func (a *attack) spawn(g *gateway) string {
	self, err := os.Executable()
	if err != nil {
		return err.Error()
	}
	addr := g.smtp
	if a.name == "auth" || a.name == "handshakes" {
		addr = g.smtps
	}
	cmd := exec.Command(self, attackerRole, a.name, addr)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	if err != nil {
		return strings.TrimSpace(string(out)) + " " + err.Error()
	}
	return strings.TrimSpace(string(out))
}

// longEnough is how long an attack goes on at least, again and again: a 99th
// percentile needs some hundred good mails.
const longEnough = 8 * time.Second

// runAttacker is the main function of the attacker's process.
func runAttacker(args []string) int {
	syscall.Setpriority(syscall.PRIO_PROCESS, 0, 5)
	for _, a := range attacks {
		if a.name == args[0] {
			t := &tally{replies: map[string]int{}}
			for began := time.Now(); time.Since(began) < longEnough; {
				a.do(args[1], t)
			}
			fmt.Println(t)
			return 0
		}
	}
	return 2
}

// queueUp has 64 mails of 10 MB queued by a gateway without a limit, whose
// webhook hangs, and kills it; the one that is measured starts anew.
func queueUp(g *gateway, h *hook) error {
	limit, delay := g.limit, h.delay.Load()
	plain := g.env
	g.limit, g.env = 0, append(append([]string{}, plain...), "POSTERN_ACCEPT=queue")
	h.delay.Store(int64(time.Hour))
	if err := g.start(); err != nil {
		return err
	}
	t := &tally{replies: map[string]int{}}
	parallel(4, 64, func(i int) { t.mail(g.smtp, fmt.Sprintf("127.2.0.%d", i%4+1), "b@slow.test", codedText(10_000_000)) })
	g.kill()
	if t.replies["250"] != 64 {
		return fmt.Errorf("only some mails could be queued: %v", t)
	}
	h.slow.Store(0)
	h.delay.Store(delay)
	g.limit, g.env = limit, plain
	g.mu.Lock()
	g.peak, g.cpu, g.now, g.kills = 0, 0, 0, 0
	g.mu.Unlock()
	g.start() // it may be killed at once: keepUp starts it anew
	return nil
}

// drained waits until the queue is empty.
func drained(_ *gateway, h *hook) string {
	began := time.Now()
	for time.Since(began) < 150*time.Second && h.slow.Load() < 64 {
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Sprintf("%d of 64 delivered in %.0f s", h.slow.Load(), time.Since(began).Seconds())
}

// withUsers gives the gateway a certificate and a file with a bcrypt user.
func withUsers(g *gateway) ([]string, error) {
	cert, key, err := selfSigned(g.dir)
	if err != nil {
		return nil, err
	}
	users := filepath.Join(g.dir, "users")
	// "correct horse", cost 12
	record := "ann:$2b$12$" + "C6UzMDM.H6dfI/f/IKcEeO7ycxmBoZZ6CmGT.1S7pS4m3FJ5lCVb6\n"
	if err := os.WriteFile(users, []byte(record), 0o600); err != nil {
		return nil, err
	}
	return []string{"POSTERN_SMTPS_ADDR=" + g.smtps, "POSTERN_TLS_CERT_FILE=" + cert, "POSTERN_TLS_KEY_FILE=" + key, "POSTERN_USERS_FILE=" + users}, nil
}

// String is the attacker's account.
func (t *tally) String() string {
	b, _ := json.Marshal(t.replies)
	s := strings.NewReplacer(`"`, "", ",", ", ", "{", "", "}", "").Replace(string(b))
	if t.octets > 0 {
		s += fmt.Sprintf("; %d MB sent", t.octets/1e6)
	}
	return s
}
