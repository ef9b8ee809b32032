package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern/gateway/smtp/client"
)

// small and typical are a short mail's octets and those of one with HTML.
const small, typical = 2_600, 27_000

// intake sends until the time is over, or count mails, and counts what was
// answered 250.
func (g *gateway) intake(r row, count int, length time.Duration) (figure, error) {
	ctx, cancel := context.WithTimeout(context.Background(), length+time.Minute)
	defer cancel()
	before, err := g.cpu()
	if err != nil {
		return figure{}, err
	}
	began := time.Now()
	var sent, taken atomic.Int64
	more := func() bool {
		return sent.Add(1) <= int64(count) || count == 0 && time.Since(began) < length
	}
	errs := make(chan error, r.connections)
	var wg sync.WaitGroup
	for range r.connections {
		wg.Go(func() { errs <- g.connection(ctx, r.octets, more, &taken) })
	}
	wg.Wait()
	for range r.connections {
		if err := <-errs; err != nil {
			return figure{}, err
		}
	}
	return g.figure(taken.Load(), began, before)
}

// figure is what so many mails took since then.
func (g *gateway) figure(n int64, began time.Time, before time.Duration) (figure, error) {
	elapsed := time.Since(began)
	after, err := g.cpu()
	if err == nil && n == 0 {
		err = errors.New("no mail was taken")
	}
	if err != nil {
		return figure{}, err
	}
	return figure{float64(n) / elapsed.Seconds(), (after - before).Seconds() * 1000 / float64(n)}, nil
}

// connection sends mail after mail while there is more to send.
func (g *gateway) connection(ctx context.Context, octets int, more func() bool, taken *atomic.Int64) error {
	c, err := client.Dial(ctx, client.Options{Addr: g.addr, Hello: "load.test", Timeout: time.Minute})
	if err != nil {
		return err
	}
	defer c.Close()
	text := strings.Repeat("a line of a mail that is a little longer than others are\r\n", octets/58)
	m := &client.Message{From: "a@client.test", To: []string{"x@app.test"}, Write: func(w io.Writer) error {
		_, err := io.WriteString(w, "From: a@client.test\r\nTo: x@app.test\r\nSubject: waits\r\n\r\n"+text)
		return err
	}}
	for more() {
		if _, err := c.Send(m); err != nil {
			return err
		}
		taken.Add(1)
	}
	return nil
}

// drain has mails wait and lets them go.
func (g *gateway) drain(r row) (figure, error) {
	if _, err := g.intake(r, r.drain, time.Minute); err != nil {
		return figure{}, err
	}
	before, err := g.cpu()
	if err != nil {
		return figure{}, err
	}
	began := time.Now()
	if err := g.post("resume"); err != nil {
		return figure{}, err
	}
	for g.posts.Load() < int64(r.drain) {
		if time.Since(began) > time.Minute {
			return figure{}, fmt.Errorf("%d of %d mails went out in a minute", g.posts.Load(), r.drain)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return g.figure(int64(r.drain), began, before)
}
