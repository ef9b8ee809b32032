package smtp_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"postern/gateway/smtp"
)

// slowUsers is an Authenticator whose checks wait.
type slowUsers struct {
	users
	entered chan struct{}
	leave   chan struct{}

	mu        sync.Mutex
	now, most int
}

func (a *slowUsers) Plain(ctx context.Context, user, password string) (smtp.Identity, error) {
	a.mu.Lock()
	a.now++
	a.most = max(a.most, a.now)
	a.mu.Unlock()
	a.entered <- struct{}{}
	<-a.leave
	a.mu.Lock()
	a.now--
	a.mu.Unlock()
	return a.users.Plain(ctx, user, password)
}

// TestPasswordChecksAreBounded: a few run at once, a few more wait, and a
// network that sends more is told to come back, while those who don't sign in
// are served.
func TestPasswordChecksAreBounded(t *testing.T) {
	a := &slowUsers{entered: make(chan struct{}, 100), leave: make(chan struct{})}
	f := &fixture{cfg: smtp.DefaultConfig("mx.here.example"), rec: &recorder{}, hello: "EHLO", vars: map[string]string{}}
	f.cfg.ErrorDelay, f.cfg.AuthInsecure = 0, true
	f.opts = []smtp.Option{smtp.WithAuthenticator(a)}
	f.start(t)
	const clients = 40
	codes := make(chan string, clients)
	for range clients {
		p := talk(t, f)
		p.must("E")
		go func() {
			p.write("AUTH PLAIN AGFubgBzZWNyZXQ=\r\n")
			codes <- p.reply()[0][:3]
		}()
	}
	const served = 4 // of one network, in the line or being checked
	for range clients - served {
		if code := <-codes; code != "454" {
			t.Errorf("%s, want 454 for those who find the line full", code)
		}
	}
	talk(t, f).must("EMRD", ">> .\\r\\n", "< 250")
	close(a.leave)
	for range served {
		if code := <-codes; code != "235" {
			t.Errorf("%s, want 235 for those whose turn came", code)
		}
	}
	if slots := max(1, runtime.GOMAXPROCS(0)/2); a.most > slots {
		t.Errorf("%d checks at once, want at most %d", a.most, slots)
	}
}

// TestFailuresAddUp: a network that failed too often isn't asked any more, in
// whatever session; a unix socket is nobody's network.
func TestFailuresAddUp(t *testing.T) {
	for key, last := range map[string]string{"": "454", "unix": "535"} {
		f := newFixture(t, "auth", "clear", "failures=2")
		if key != "" {
			f = newFixture(t, "auth", "clear", "failures=2", key)
		}
		for range 10 {
			talk(t, f).must("E", "> AUTH PLAIN AGFubgB3cm9uZw==", "< 535", "> AUTH PLAIN AGFubgB3cm9uZw==", "< 421")
		}
		p := talk(t, f)
		p.must("E", "> AUTH PLAIN AGFubgB3cm9uZw==", "< "+last)
	}
}
