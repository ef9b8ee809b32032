package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is an SMTP server that answers by the first word of a command and
// keeps what it heard.
type script struct {
	mu      sync.Mutex
	heard   []string
	answers map[string][]string // verb -> replies, the last one repeats
}

func (s *script) answer(verb string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.answers[verb]
	if len(list) == 0 {
		return map[string]string{"DATA": "354 go on", "QUIT": "221 bye"}[verb]
	}
	if len(list) > 1 {
		s.answers[verb] = list[1:]
	}
	return list[0]
}

func (s *script) hear(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, line)
}

func (s *script) start(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go s.session(conn)
		}
	}()
	return ln.Addr().String()
}

func (s *script) session(conn net.Conn) {
	defer conn.Close()
	fmt.Fprint(conn, "220 ready\r\n")
	r := bufio.NewReader(conn)
	inData := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		s.hear(line)
		verb, _, _ := strings.Cut(line, " ")
		if inData {
			if verb = "."; line != "." {
				continue
			}
			inData = false
		}
		reply := s.answer(verb)
		if reply == "" {
			reply = "250 2.0.0 fine"
		}
		inData = strings.HasPrefix(reply, "354")
		fmt.Fprint(conn, strings.ReplaceAll(reply, "\n", "\r\n")+"\r\n")
		if verb == "QUIT" {
			return
		}
	}
}

func send(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code := run(t.Context(), &stdio{Out: &out, Err: &out}, append([]string{"send", "--helo", "me.example"}, args...))
	return out.String(), code
}

const pipelining = "250-host\n250-PIPELINING\n250-8BITMIME\n250-SIZE 1000000\n250 SMTPUTF8"

func TestSendDialogue(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.eml")
	if err := os.WriteFile(file, []byte("From: a@example.com\nTo: b@example.com, c@example.com\nSubject: dots\n\n.\n..two\nп\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		answers map[string][]string
		args    []string
		want    []string // of what the server heard
		out     string
		code    int
	}{
		"plain": {
			want: []string{"EHLO me.example", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "RCPT TO:<c@example.com>", "DATA", "Subject: dots", "..", "...two", ".", "QUIT"},
			out:  "250 2.0.0 fine",
		},
		"pipelining": {
			answers: map[string][]string{"EHLO": {pipelining}},
			want:    []string{"MAIL FROM:<a@example.com> SIZE=86 BODY=8BITMIME", "RCPT TO:<b@example.com>", "DATA", "."},
		},
		"envelope from flags": {
			args: []string{"--from", "<>", "--to", "x@example.com,y@example.com"},
			want: []string{"MAIL FROM:<>", "RCPT TO:<x@example.com>", "RCPT TO:<y@example.com>"},
		},
		"needs SMTPUTF8": {
			args: []string{"--to", "имя@example.com"}, code: 1, out: "doesn't offer",
		},
		"SMTPUTF8": {
			answers: map[string][]string{"EHLO": {pipelining}}, args: []string{"--to", "имя@example.com"},
			want: []string{"MAIL FROM:<a@example.com> SIZE=86 BODY=8BITMIME SMTPUTF8", "RCPT TO:<имя@example.com>"},
		},
		"HELO": {
			answers: map[string][]string{"EHLO": {"502 what"}}, want: []string{"EHLO me.example", "HELO me.example", "DATA"},
		},
		"one recipient refused": {
			answers: map[string][]string{"RCPT": {"550 5.1.1 who", "250 ok"}}, code: 1, out: "RCPT TO:<b@example.com> was answered 550", want: []string{"DATA", "."},
		},
		"all refused": {
			answers: map[string][]string{"RCPT": {"550 5.1.1 who"}}, code: 1, out: "550 5.1.1 who", want: []string{"RSET", "QUIT"},
		},
		"all refused, but 354": {
			answers: map[string][]string{"EHLO": {pipelining}, "RCPT": {"550 who"}, ".": {"554 nobody"}}, code: 1, out: "550 who", want: []string{"DATA", ".", "QUIT"},
		},
		"mail refused": {
			answers: map[string][]string{"MAIL": {"451 later"}}, code: 1, out: "451 later", want: []string{"QUIT"},
		},
		"retried": {
			answers: map[string][]string{".": {"451 later", "250 now"}}, args: []string{"--retries", "2", "--retry-delay", "1ms"},
			want: []string{"DATA", ".", "DATA", "."}, out: "250 now",
		},
		"no retry of 5xx": {
			answers: map[string][]string{".": {"554 never", "250 now"}}, args: []string{"--retries", "2", "--retry-delay", "1ms"}, code: 1, out: "554 never",
		},
		"speaks to the terminal": {
			answers: map[string][]string{".": {"250 \x1b]0;x\x07"}}, args: []string{"-v"}, out: "250 .]0;x.",
		},
		"refuses to the terminal": {answers: map[string][]string{"MAIL": {"550 \x1b]0;x\x07"}}, code: 1, out: "550 .]0;x."},
		"no STARTTLS":             {args: []string{"--starttls"}, code: 1, out: "doesn't offer STARTTLS"},
		"AUTH LOGIN": {
			answers: map[string][]string{"EHLO": {"250-host\n250 AUTH LOGIN"}, "AUTH": {"334 dXNlcg=="}, "dQ==": {"334 cGFzcw=="}, "": {"235 in"}},
			args:    []string{"--user", "u"}, want: []string{"AUTH LOGIN", "dQ==", "", "DATA"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{answers: tc.answers}
			out, code := send(t, append(tc.args, s.start(t), file)...)
			if code != tc.code || !strings.Contains(out, tc.out) || strings.Contains(out, "\x1b") {
				t.Errorf("exit %d, want %d, and %q in:\n%s", code, tc.code, tc.out, out)
			}
			heard := s.heard
			for _, w := range tc.want {
				at := 0
				for at < len(heard) && heard[at] != w {
					at++
				}
				if at == len(heard) {
					t.Fatalf("the server didn't hear %q in order in:\n%s", w, strings.Join(s.heard, "\n"))
				}
				heard = heard[at+1:]
			}
		})
	}
}

func TestSendFolder(t *testing.T) {
	dir := t.TempDir()
	content, err := sampleMail(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.eml", i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &script{answers: map[string][]string{"EHLO": {pipelining}}}
	out, code := send(t, "--connections", "4", s.start(t), dir)
	if code != 0 || !strings.Contains(out, "50 of 50 sent") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// An interrupt ends the wait for a server that says nothing.
func TestSendStops(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	var out bytes.Buffer
	code := run(ctx, &stdio{Out: &out, Err: &out}, []string{"send", "--retries", "5", ln.Addr().String()})
	if took := time.Since(began); code == 0 || took > 20*time.Second {
		t.Errorf("exit %d after %s:\n%s", code, took, &out)
	}
}
