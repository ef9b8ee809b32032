package smtp_test

import (
	"context"
	"io"
	"testing"
	"time"
)

// TestSleep: a session that fell asleep goes on where it was, is told of the
// shutdown, and is missed by nobody when it ends.
func TestSleep(t *testing.T) {
	t.Parallel()
	const nap = 400 * time.Millisecond // twice as long as a session stays awake
	f := newFixture(t, "tls", "idle=1s")
	plain, inTLS, between, silent, gone := talk(t, f), talk(t, f), talk(t, f), talk(t, f), talk(t, f)
	plain.must("EM")
	inTLS.must("E", "> STARTTLS", "< 220", "!tls", "EMR")
	between.must("EMR", ">> BDAT 3\\r\\nabc", "< 250")
	start := time.Now()
	time.Sleep(nap)
	gone.conn.Close()
	plain.must(">> RCP", ">> T TO:<bob@here.example>\\r\\n", "< 250", "> DATA", "< 354", ">> x\\r\\n.\\r\\n", "< 250")
	inTLS.must("> DATA", "< 354", ">> y\\r\\n.\\r\\n", "< 250")
	silent.must("< 421 4.4.2", "<close")
	if d := time.Since(start); d < 900*time.Millisecond {
		t.Errorf("silence lasted %s", d)
	}
	between.must("< 421 4.4.2", "<close")
	last := talk(t, f)
	last.must("E")
	time.Sleep(nap)
	if err := f.srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	last.must("< 421 4.3.2", "<close")
	if n := len(f.rec.got()); n != 2 || f.rec.aborted != 1 {
		t.Errorf("%d messages, %d aborted; want 2 and 1", n, f.rec.aborted)
	}
}

// TestSleepKeepsTheClock: an octet that wakes a session doesn't wind its clock
// up again.
func TestSleepKeepsTheClock(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "idle=2s")
	woken := talk(t, f)
	start := time.Now()
	time.Sleep(time.Second)
	woken.must(">> N")
	silent := talk(t, f) // whose clock begins now
	first := make(chan *player, 2)
	for _, p := range []*player{woken, silent} {
		go func() {
			_, _ = io.Copy(io.Discard, p.conn)
			first <- p
		}()
	}
	if <-first != woken || time.Since(start) < 1900*time.Millisecond {
		t.Errorf("the first ended after %s, want the one that was woken, after 2s", time.Since(start))
	}
}
