package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tally counts what the attacker was answered.
type tally struct {
	mu      sync.Mutex
	replies map[string]int
	octets  int64
}

func (t *tally) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.replies[what]++
}

func (t *tally) note(code int, err error) {
	var r *replied
	switch {
	case errors.As(err, &r):
		t.count(fmt.Sprint(r.code))
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.count("timeout")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		t.count("cut")
	case errors.Is(err, syscall.ECONNREFUSED):
		t.count("refused")
	case err != nil:
		t.count(err.Error())
	default:
		t.count(fmt.Sprint(code))
	}
}

// mail sends one mail over a connection of its own.
func (t *tally) mail(addr, from, to string, body []byte) int {
	c, err := dial(addr, from)
	code := 0
	if err == nil {
		defer c.Close()
		code, err = c.send(to, len(body), body)
	}
	t.note(code, err)
	return code
}

// parallel calls f(0) to f(count-1), n at once.
func parallel(n, count int, f func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range count {
		next <- i
	}
	close(next)
	wg.Wait()
}

func texts(addr string, t *tally) {
	body := codedText(10_000_000)
	parallel(50, 50, func(i int) { t.mail(addr, "127.2.0.1", "b@slow.test", body) })
}

// envelopes fills 980 transactions and holds them.
func envelopes(addr string, t *tally) {
	data := append([]byte(head("text/plain")+"\r\n"), lines("word word word word word word\r\n", 250_000)...)
	var b bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&b, "RCPT TO:<%s%d@in.test>\r\n", strings.Repeat("r", 55), i)
	}
	rcpts := b.Bytes()
	var mu sync.Mutex
	var held []*client
	parallel(98, 980, func(i int) {
		c, err := dial(addr, fmt.Sprintf("127.2.1.%d", i%20+1))
		if err != nil {
			t.note(0, err)
			return
		}
		mu.Lock()
		held = append(held, c)
		mu.Unlock()
		t.note(c.hold(rcpts, data))
	})
	time.Sleep(10 * time.Second)
	for _, c := range held {
		c.Close()
	}
}

// hold opens a transaction and stops in the middle of DATA.
func (c *client) hold(rcpts, data []byte) (int, error) {
	if code, err := c.cmd("MAIL FROM:<a@client.test>"); err != nil || code != 250 {
		return code, err
	}
	go c.Write(rcpts)
	refused := 0
	for range 1000 {
		code, err := c.reply()
		if err != nil {
			return 0, err
		}
		if code != 250 {
			refused = code
		}
	}
	if refused != 0 {
		return refused, nil
	}
	if code, err := c.cmd("DATA"); err != nil || code != 354 {
		return code, err
	}
	if _, err := c.Write(data); err != nil {
		return 0, err
	}
	return 354, nil
}

// flood sends the worst mails from 200 connections for two minutes at most.
func flood(addr string, t *tally) {
	mails := worst()
	end := time.Now().Add(140 * time.Second)
	parallel(200, 2000, func(i int) {
		if time.Now().After(end) {
			t.count("not sent")
			return
		}
		t.mail(addr, fmt.Sprintf("127.2.2.%d", i%8+1), "b@slow.test", mails[i%len(mails)])
	})
}

// shape sends a mail count times, n at once.
func shape(count, n int, make func() []byte) func(string, *tally) {
	return func(addr string, t *tally) {
		body := make()
		parallel(n, count, func(i int) { t.mail(addr, "127.2.3.1", "b@in.test", body) })
	}
}

func bareLines() []byte {
	b := bytes.ReplaceAll(plainText(64), []byte("\r\n"), []byte("\n"))
	return append(append(b, bytes.Repeat([]byte("x\n"), 2<<20)...), "\r\n"...)
}

// chunks sends mails an octet a chunk.
func chunks(addr string, t *tally) {
	body := plainText(64 << 10)
	var b bytes.Buffer
	for _, c := range body {
		b.WriteString("BDAT 1\r\n")
		b.WriteByte(c)
	}
	b.WriteString("BDAT 0 LAST\r\n")
	parallel(10, 40, func(i int) {
		c, err := dial(addr, "127.2.4.1")
		if err != nil {
			t.note(0, err)
			return
		}
		defer c.Close()
		if err := c.envelope("b@in.test", 0, ""); err != nil {
			t.note(0, err)
			return
		}
		go c.Write(b.Bytes())
		code := 0
		for range len(body) + 1 {
			if code, err = c.reply(); err != nil {
				break
			}
		}
		t.note(code, err)
	})
}

// guesses tries passwords from 40 connections of one address for 20 s.
func guesses(addr string, t *tally) {
	end := time.Now().Add(20 * time.Second)
	word := base64.StdEncoding.EncodeToString([]byte("\x00ann\x00wrong password"))
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			for time.Now().Before(end) {
				c, err := dialTLS(addr, "127.2.5.1")
				if err != nil {
					t.note(0, err)
					time.Sleep(50 * time.Millisecond)
					continue
				}
				for time.Now().Before(end) {
					code, err := c.cmd("AUTH PLAIN " + word)
					t.note(code, err)
					if err != nil || code == 421 {
						break
					}
				}
				c.Close()
			}
		})
	}
	wg.Wait()
}

// senders announces 50 MB from 200 connections and sends it where it may.
func senders(addr string, t *tally) {
	const size = 50_000_000
	var b bytes.Buffer
	b.WriteString(head("application/octet-stream") + "Content-Transfer-Encoding: base64\r\n\r\n")
	b.Write(wrapped(bytes.Repeat([]byte("octets "), 5_400_000)))
	body := b.Bytes()[:size]
	parallel(200, 200, func(i int) {
		c, err := dial(addr, fmt.Sprintf("127.2.6.%d", i%10+1))
		if err != nil {
			t.note(0, err)
			return
		}
		defer c.Close()
		if err := c.envelope("b@in.test", size, ""); err != nil {
			t.note(0, err)
			return
		}
		if code, err := c.cmd("DATA"); err != nil || code != 354 {
			if err == nil {
				t.count(fmt.Sprintf("%d before 354", code))
			} else {
				t.note(code, err)
			}
			return
		}
		n, err := c.Write(body)
		t.mu.Lock()
		t.octets += int64(n)
		t.mu.Unlock()
		if err != nil {
			t.note(0, err)
			return
		}
		t.note(c.cmd("\r\n."))
	})
}
