package main

import (
	"fmt"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/app"
	"postern/cmd/internal/config"
	"postern/gateway/history"
)

// historyLoss is the most of history that a kill may take.
const historyLoss = time.Second

// TestKilledHistory kills a gateway that takes mail as fast as one client sends
// it: what was answered longer ago than historyLoss has its record, and no mail is
// lost, with delivered mail kept beside.
func TestKilledHistory(t *testing.T) {
	if !*crash {
		t.Skip("needs -crash")
	}
	t.Setenv("POSTERN_KEEP", "1h")
	t.Setenv("POSTERN_RETRY_STORE", "") // the victim has its own
	l := newLedger()
	v := newVictim(t, build(t), l)
	var told []answered
	for round := range 3 {
		v.start("")
		told = append(told, sendFor(t, l, v.addr, fmt.Sprintf("r%d", round), 2*time.Second+time.Duration(round)*170*time.Millisecond)...)
		v.kill()
		killed := time.Now()
		known := recorded(t, v.dir)
		lost, late := 0, 0
		for _, a := range told {
			if !known[a.id] {
				lost++
				if killed.Sub(a.at) > historyLoss {
					late++
				}
			}
		}
		t.Logf("round %d: %d mails answered 250 so far, %d without a record, %d of them answered longer ago than %s", round, len(told), lost, late, historyLoss)
		if late > 0 || len(known) == 0 {
			t.Errorf("%d records are missing", late)
		}
		told = told[:0:0] // what one kill took stays lost
	}
	v.start("") // what waited is delivered
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && missing(l) > 0; time.Sleep(50 * time.Millisecond) {
	}
	v.kill()
	if n := missing(l); n > 0 {
		t.Errorf("%d mails were answered 250 and never reached the webhook", n)
	}
}

// answered is a mail that was answered 250.
type answered struct {
	id string
	at time.Time
}

// missing counts what was answered 250 and isn't delivered.
func missing(l *ledger) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, code := range l.told {
		if code == 250 && len(l.took[id]) == 0 {
			n++
		}
	}
	return n
}

// sendFor sends mails one after the other.
func sendFor(t *testing.T, l *ledger, addr, round string, d time.Duration) (told []answered) {
	t.Helper()
	c, err := smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n, end := 0, time.Now().Add(d); time.Now().Before(end); n++ {
		id := fmt.Sprintf("crash-%s-%d@client.example", round, n)
		if err := c.Mail("s@client.example"); err != nil {
			t.Fatal(err)
		}
		if err := c.Rcpt("a@in.example"); err != nil {
			t.Fatal(err)
		}
		w, err := c.Data()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "Message-ID: <%s>\r\nSubject: x\r\n\r\n%s\r\n", id, strings.Repeat("x", 500))
		if err := w.Close(); err == nil {
			told = append(told, answered{id, time.Now()})
			l.mu.Lock()
			l.told[id] = 250
			l.mu.Unlock()
		}
	}
	return told
}

// recorded are the Message-IDs in the history of a gateway that was killed.
func recorded(t *testing.T, dir string) map[string]bool {
	t.Helper()
	h, err := app.HistoryBeside(t.Context(), config.Delivery{Store: config.Store("sqlite://" + dir)})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	known := map[string]bool{}
	for q := (history.Query{Limit: history.MaxLimit}); ; {
		found, next, err := h.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range found {
			known[found[i].MessageID] = true
		}
		if next == "" {
			return known
		}
		q.After = next
	}
}
