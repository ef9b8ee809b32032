package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

// sendAll sends mails at a rate until ctx ends, and returns when each has its 250.
func sendAll(ctx context.Context, c *cluster, book *account, rate int, seed uint64) {
	var wg sync.WaitGroup
	defer wg.Wait()
	r := rand.New(rand.NewPCG(seed, 3))
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		size, first := 200+r.IntN(3000), r.IntN(replicas)
		if r.IntN(4) == 0 {
			size = 100_000 + r.IntN(400_000)
		}
		book.change(n, func(l *letter) { l.size = size })
		wg.Go(func() { insist(c, book, n, size, first) })
	}
}

// insist sends a mail to one replica after the other until it is answered 250.
func insist(c *cluster, book *account, n, size, first int) {
	for try := 0; ; try++ {
		ok, unknown := send(c.replicas[(first+try)%replicas].smtp, n, size)
		book.change(n, func(l *letter) {
			l.tries++
			l.unknown = l.unknown || unknown
			if ok {
				l.accepted = time.Now()
			}
		})
		if ok {
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// sendLimit is for one try.
const sendLimit = 70 * time.Second

// send sends a mail. Its fate is unknown when the connection breaks after the
// final dot began to be sent.
func send(addr string, n, size int) (ok, unknown bool) {
	conn, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return false, false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(sendLimit))
	in := bufio.NewReader(conn)
	say := func(line string, code string) bool {
		if line != "" {
			if _, err := io.WriteString(conn, line+"\r\n"); err != nil {
				return false
			}
		}
		for {
			got, err := in.ReadString('\n')
			if err != nil {
				return false
			}
			if len(got) > 3 && got[3] == ' ' {
				return strings.HasPrefix(got, code)
			}
		}
	}
	if !say("", "220") || !say("EHLO drill.test", "250") || !say("MAIL FROM:<a@drill.test>", "250") || !say("RCPT TO:<b@in.test>", "250") || !say("DATA", "354") {
		return false, false
	}
	_, err = fmt.Fprintf(conn, "Message-ID: <%d@drill.test>\r\nFrom: a@drill.test\r\nSubject: drill %d\r\n\r\n%s.\r\n", n, n, text(n, size))
	if err != nil {
		return false, true
	}
	reply, err := in.ReadString('\n')
	if err != nil {
		return false, true
	}
	_, _ = io.WriteString(conn, "QUIT\r\n")
	return strings.HasPrefix(reply, "250"), false
}
