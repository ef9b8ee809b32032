package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Attacks with sessions rather than with mail.

const sessionsFor = 10 * time.Second

// commands pipelines harmless commands as fast as the gateway takes them.
func commands(addr string, t *tally) {
	var b bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&b, "NOOP\r\nRSET\r\nMAIL FROM:<a%d@client.test>\r\nRCPT TO:<b@in.test>\r\nRCPT TO:<c%d@nowhere.test>\r\n", i, i)
	}
	end := time.Now().Add(sessionsFor)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for time.Now().Before(end) {
				c, err := dial(addr, fmt.Sprintf("127.2.7.%d", i%5+1))
				if err != nil {
					t.note(0, err)
					time.Sleep(50 * time.Millisecond)
					continue
				}
				c.SetDeadline(end)
				go io.Copy(io.Discard, c)
				for err == nil {
					_, err = c.Write(b.Bytes())
				}
				t.note(0, err)
				c.Close()
			}
		})
	}
	wg.Wait()
}

// slow holds connections that say something every second and never come to an end.
func slow(addr string, t *tally) {
	talk := []string{"EHLO client.test\r\n", "MAIL FROM:<a@client.test>\r\n", "RCPT TO:<b@in.test>\r\n", "DATA\r\n", strings.Repeat("x", 1000)}
	end := time.Now().Add(sessionsFor)
	var wg sync.WaitGroup
	for i := range 900 {
		wg.Go(func() {
			c, err := dial(addr, fmt.Sprintf("127.2.8.%d", i%20+1))
			if err != nil {
				t.note(0, err)
				return
			}
			defer c.Close()
			c.SetDeadline(end.Add(time.Second))
			phase := i % len(talk)
			for _, line := range talk[:phase] {
				if _, err := c.cmd(strings.TrimSpace(line)); err != nil {
					t.note(0, err)
					return
				}
			}
			for n := 0; time.Now().Before(end); n++ {
				if _, err := c.Write([]byte{talk[phase][n%len(talk[phase])]}); err != nil {
					t.note(0, err)
					return
				}
				time.Sleep(time.Second)
			}
			t.count("held")
		})
	}
	wg.Wait()
}

// handshakes opens TLS connections and leaves after the greeting.
func handshakes(addr string, t *tally) {
	end := time.Now().Add(sessionsFor)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for time.Now().Before(end) {
				c, err := dialTLS(addr, fmt.Sprintf("127.2.9.%d", i%8+1))
				t.note(220, err)
				if err != nil {
					time.Sleep(20 * time.Millisecond)
					continue
				}
				c.Close()
			}
		})
	}
	wg.Wait()
}
