package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// load sends mails for a while and returns a figure for each of the row's columns.
// Each mail must have been answered 250, and reach the webhook once.
func (g *gateway) load(l load, mails [][]byte, length time.Duration) ([]float64, error) {
	if l.mails == "big" || l.delay > 0 {
		length *= 2
	}
	g.delay.Store(int64(l.delay))
	before, err := g.cost()
	if err != nil {
		return nil, err
	}
	taken, began := g.taken.Load(), time.Now()
	took, err := g.send(l, mails, began.Add(length))
	if err != nil {
		return nil, err
	}
	elapsed := time.Since(began)
	after, err := g.cost()
	if err != nil {
		return nil, err
	}
	if got := g.taken.Load() - taken; got != int64(len(took)) {
		return nil, fmt.Errorf("%d mails were answered 250, the webhook saw %d", len(took), got)
	}
	slices.Sort(took)
	each := func(spent float64) float64 { return spent / float64(len(took)) }
	figures := map[column]float64{
		columnCPU:     each((after.cpu - before.cpu).Seconds() * 1000),
		columnRate:    float64(len(took)) / elapsed.Seconds(),
		columnMedian:  took[len(took)/2].Seconds() * 1000,
		columnObjects: each(after.objects - before.objects),
		columnOctets:  each(after.octets-before.octets) / 1024,
		columnCalls:   each(after.calls - before.calls),
	}
	var row []float64
	for _, c := range l.columns {
		row = append(row, figures[c])
	}
	return row, nil
}

// send has all connections send until the end, and says how long each mail took.
func (g *gateway) send(l load, mails [][]byte, end time.Time) (took []time.Duration, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range l.connections {
		wg.Go(func() {
			own, failed := connection(g.addr, l.recipients, mails, i, end)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
			if failed != nil {
				err = failed
			}
		})
	}
	wg.Wait()
	if err == nil && len(took) == 0 {
		err = fmt.Errorf("no mail was sent")
	}
	return took, err
}

// connection sends one mail after the other over a connection, as MTAs do: with
// MAIL, RCPT and DATA in one piece.
func connection(addr string, recipients int, mails [][]byte, first int, end time.Time) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(end.Add(time.Minute)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	var envelope bytes.Buffer
	envelope.WriteString("MAIL FROM:<sender@example.net>\r\n")
	for i := range recipients {
		fmt.Fprintf(&envelope, "RCPT TO:<inbox%d@example.org>\r\n", i)
	}
	envelope.WriteString("DATA\r\n")
	dialogue := func(octets []byte, codes ...string) error {
		if _, err := conn.Write(octets); err != nil {
			return err
		}
		for _, code := range codes {
			if err := expect(in, code); err != nil {
				return err
			}
		}
		return nil
	}
	if err := dialogue(nil, "220"); err != nil {
		return nil, err
	}
	if err := dialogue([]byte("EHLO load.example.net\r\n"), "250"); err != nil {
		return nil, err
	}
	replies := append(slices.Repeat([]string{"250"}, recipients+1), "354")
	for i := first; time.Now().Before(end); i++ {
		began := time.Now()
		if err := dialogue(envelope.Bytes(), replies...); err != nil {
			return took, err
		}
		if err := dialogue(mails[i%len(mails)], "250"); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// expect reads a reply of all its lines.
func expect(in *bufio.Reader, code string) error {
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case len(line) < 4 || string(line[:3]) != code:
			return fmt.Errorf("the gateway said %q, not %s", line, code)
		case line[3] == ' ':
			return nil
		}
	}
}
