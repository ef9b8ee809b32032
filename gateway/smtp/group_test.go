package smtp_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"postern/gateway/smtp"
)

// directory is a Resolver that answers nobody before it was asked about all.
type directory struct {
	all     sync.WaitGroup // of those who will be asked about
	release chan struct{}
	mu      sync.Mutex
	asked   []string
}

func (d *directory) Resolve(_ context.Context, _ *smtp.Transaction, r *smtp.Recipient) {
	d.mu.Lock()
	d.asked = append(d.asked, r.Address.Local)
	d.mu.Unlock()
	if r.Address.Local == "panic" {
		panic("the resolver's own fault")
	}
	d.all.Done()
	<-d.release
	r.Data = r.Address.Local
}

func groupFixture(t *testing.T, n int) (*player, *directory) {
	d := &directory{release: make(chan struct{})}
	d.all.Add(n)
	f := &fixture{cfg: smtp.DefaultConfig("mx.here.example"), rec: &recorder{}, hello: "EHLO", vars: map[string]string{}}
	f.opts = []smtp.Option{smtp.WithResolver(d)}
	f.start(t)
	return talk(t, f), d
}

// TestGroupIsAskedAtOnce: the recipients of a pipelined group wait together,
// and the replies before them don't wait along.
func TestGroupIsAskedAtOnce(t *testing.T) {
	const n = 10
	p, d := groupFixture(t, n)
	p.must("E")
	var b strings.Builder
	b.WriteString("MAIL FROM:<ann@client.test.example>\r\n")
	for i := range n {
		b.WriteString("RCPT TO:<" + string(rune('a'+i)) + "@here.example>\r\n")
	}
	b.WriteString("RCPT TO:<not an address>\r\nDATA\r\n")
	p.write(b.String())
	p.must("< 250 Sender OK")
	d.all.Wait() // hangs where they are asked one after the other
	close(d.release)
	p.must("<n 10 250", "< 553", "< 354", ">> .\\r\\n", "< 250", "!sync")
	for i, r := range p.fix.rec.got()[0].rcpts {
		if want := string(rune('a' + i)); r.Address.Local != want || r.Data != want {
			t.Errorf("recipient %d is %s, resolved as %v", i, r.Address, r.Data)
		}
	}
	if len(d.asked) != n {
		t.Errorf("asked about %q", d.asked)
	}
}

// TestGroupOfOthers: what was asked about ahead of its turn serves its command
// alone, and a resolver's panic is its own fault.
func TestGroupOfOthers(t *testing.T) {
	p, d := groupFixture(t, 5)
	close(d.release)
	p.must("EM", ">> RCPT TO:<a@here.example>\\r\\nRCPT TO:<b@here.example>\\r\\nRSET\\r\\nMAIL FROM:<>\\r\\nRCPT TO:<c@here.example>\\r\\nRCPT TO:<panic@here.example>\\r\\nRC",
		"<n 2 250", "< 250 Flushed", "< 250", "< 250", "< 451", ">> PT TO:<d@here.example>\\r\\nRCPT TO:<d@here.example>\\r\\n", "<n 2 250")
	if got := strings.Join(d.asked, ""); len(got) != len("abcpanicdd") {
		t.Errorf("asked about %q", d.asked)
	}
}

// TestTooManyRecipientsAreJunk: who goes on behind the limit is sent away.
func TestTooManyRecipientsAreJunk(t *testing.T) {
	p := talk(t, newFixture(t, "rcpts=100", "junk=5"))
	p.must("EM")
	p.write(strings.Repeat("RCPT TO:<bob@here.example>\r\n", 110))
	p.must("<n 100 250", "<n 4 452", "< 421", "<close")
}
