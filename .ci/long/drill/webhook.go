package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How the webhook answers: parts of all requests.
const (
	refused = 0.25 // 503
	dropped = 0.02 // taken, and the connection broken off without an answer
)

// webhook takes mail as an application does that isn't always well.
type webhook struct {
	book  *account
	spoil *control
	srv   *http.Server
	url   string

	mu     sync.Mutex
	r      *rand.Rand
	calmed bool
}

func startWebhook(book *account, spoil *control, r *rand.Rand) *webhook {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	w := &webhook{book: book, spoil: spoil, r: r, url: "http://" + l.Addr().String()}
	w.srv = &http.Server{Handler: w}
	go func() { _ = w.srv.Serve(l) }()
	return w
}

func (w *webhook) close() { _ = w.srv.Close() }

// calm has it answer 200 from here on.
func (w *webhook) calm() {
	w.mu.Lock()
	w.calmed = true
	w.mu.Unlock()
}

func (w *webhook) roll() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calmed {
		return 1
	}
	return w.r.Float64()
}

// ServeHTTP implements http.Handler; the path is the replica's number.
func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	replica, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
	var p struct {
		Message struct{ Subject, Text string }
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the replica was killed while it sent
	}
	if err := json.Unmarshal(body, &p); err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	dice := w.roll()
	if dice < refused {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	n, err := strconv.Atoi(strings.TrimPrefix(p.Message.Subject, "drill "))
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	if w.spoil.once("damaged") {
		p.Message.Text += "."
	}
	w.book.change(n, func(l *letter) {
		d := delivery{at: time.Now(), replica: replica, id: r.Header.Get("webhook-id")}
		l.taken = append(l.taken, d)
		if w.spoil.once("twice") {
			l.taken = append(l.taken, d)
		}
		if w.spoil.once("other-id") {
			l.taken, l.unknown = append(l.taken, delivery{at: d.at, replica: replica, id: d.id + " spoiled"}), true
		}
		l.damaged = l.damaged || strings.TrimSpace(p.Message.Text) != strings.TrimSpace(strings.ReplaceAll(text(n, l.size), "\r\n", "\n"))
		l.unknown = l.unknown || dice < refused+dropped
	})
	if dice < refused+dropped {
		panic(http.ErrAbortHandler)
	}
}

// text is a mail's, so many octets of lines that no other mail has.
func text(n, size int) string {
	line := fmt.Sprintf("mail %d, a line that only this mail has, and that is as long as lines are\r\n", n)
	return strings.Repeat(line, size/len(line)+1)
}
