package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"postern/cmd/internal/app"
	"postern/cmd/internal/config"
)

// corpusDir holds mails of others that are no part of the project.
const corpusDir = "../../../shared/corpus"

// corpusMarks are the least shares of wholly right mails, in percent, that the
// corpus' scorer must find in what a webhook received.
var corpusMarks = map[string]float64{"synth-dev": 97, "mime4j": 97, "crisp-reply": 90, "talon-reply": 80}

// TestCorpusBySMTP sends every mail of the corpus through a whole gateway, by
// SMTP to a webhook, and scores the payloads. It is skipped without the corpus.
func TestCorpusBySMTP(t *testing.T) {
	paths := corpusPaths(t)
	sink := &corpusSink{got: map[int]json.RawMessage{}}
	hook := httptest.NewServer(sink)
	defer hook.Close()
	addr := corpusGateway(t, hook.URL)
	var wg sync.WaitGroup
	jobs := make(chan int)
	for range 4 {
		wg.Go(func() {
			for i := range jobs {
				if err := sendCorpusMail(addr, filepath.Join(corpusDir, paths[i]), i); err != nil {
					t.Errorf("%s: %v", paths[i], err)
				}
			}
		})
	}
	for i := range paths {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	out := filepath.Join(t.TempDir(), "payloads.jsonl")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		body, ok := sink.got[i]
		switch {
		case !ok:
			t.Errorf("%s never reached the webhook", path)
			continue
		case !utf8.Valid(body):
			t.Errorf("%s: the payload is no UTF-8", path)
		}
		fmt.Fprintf(f, "{\"file\":%q,\"payload\":%s}\n", path, body)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	scoreCorpus(t, out)
}

func corpusPaths(t *testing.T) []string {
	b, err := os.ReadFile(filepath.Join(corpusDir, "MANIFEST.json"))
	if err != nil {
		t.Skip("no corpus here")
	}
	var m struct {
		Files []struct {
			Path string
			Mail bool
		}
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range m.Files {
		if f.Mail {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// corpusSink keeps payloads by the number in their recipient's tag.
type corpusSink struct {
	mu  sync.Mutex
	got map[int]json.RawMessage
}

func (s *corpusSink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var p struct {
		Envelope struct{ To []string }
	}
	if err != nil || json.Unmarshal(body, &p) != nil || len(p.Envelope.To) != 1 {
		http.Error(w, "no payload", http.StatusBadRequest)
		return
	}
	_, tag, _ := strings.Cut(p.Envelope.To[0], "+")
	tag, _, _ = strings.Cut(tag, "@")
	n, err := strconv.Atoi(tag)
	if err != nil {
		http.Error(w, "no number", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.got[n] = body
	s.mu.Unlock()
}

func corpusGateway(t *testing.T, url string) string {
	cfg, err := config.Load([]string{"POSTERN_DOMAIN=localhost", "POSTERN_SMTP_ADDR=127.0.0.1:0", "POSTERN_HTTP_ADDR=off", "POSTERN_RETRY_STORE=off",
		"POSTERN_AUTHENTICATE=false", "POSTERN_LOG_LEVEL=error", "POSTERN_WEBHOOK_URL=" + url, "POSTERN_SPOOL_DIR=" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	log, flush := cfg.Process.Logger(t.Output())
	t.Cleanup(flush)
	a, err := app.New(ctx, cfg, app.Deps{Logger: log, Version: versionString()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a.Addr("SMTP_ADDR")
}

// sendCorpusMail sends one mail by BDAT, so that its octets arrive as they are
// but for bare line feeds, which no mail system sends.
func sendCorpusMail(addr, path string, n int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data = bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	for _, step := range []string{"", "EHLO localhost\r\n", "MAIL FROM:<sender@example.net> BODY=8BITMIME\r\n", fmt.Sprintf("RCPT TO:<inbox+%d@example.org>\r\n", n),
		fmt.Sprintf("BDAT %d LAST\r\n%s", len(data), data), "QUIT\r\n"} {
		if _, err := io.WriteString(conn, step); err != nil {
			return err
		}
		if err := readReply(r); err != nil {
			return fmt.Errorf("after %.60q: %w", step, err)
		}
	}
	return nil
}

func readReply(r *bufio.Reader) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if len(line) < 4 || line[0] != '2' {
			return fmt.Errorf("reply %q", line)
		}
		if line[3] != '-' {
			return nil
		}
	}
}

// corpusMapping tells the scorer where the native payload has what it compares.
const corpusMapping = `{"subject":"payload.message.subject","from":"payload.message.from","to":"payload.message.to","cc":"payload.message.cc",
"text":"payload.message.text","html":"payload.message.html","reply":"payload.message.reply.text","attachments":"payload.message.attachments"}`

func scoreCorpus(t *testing.T, payloads string) {
	need(t, "python3")
	mapping := filepath.Join(t.TempDir(), "mapping.json")
	if err := os.WriteFile(mapping, []byte(corpusMapping), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := exec.Command("python3", filepath.Join(corpusDir, "score"), "--payloads", payloads, "--goldens", corpusDir, "--mapping", mapping, "--show", "20").CombinedOutput()
	if err != nil {
		t.Fatalf("score: %v\n%s", err, b)
	}
	t.Logf("\n%s", b)
	seen := 0
	for _, r := range regexp.MustCompile(`(?m)^(\S+) +(\d+) +(\d+) `).FindAllStringSubmatch(string(b), -1) {
		files, _ := strconv.Atoi(r[2])
		right, _ := strconv.Atoi(r[3])
		if mark, ok := corpusMarks[r[1]]; ok {
			seen++
			if 100*float64(right) < mark*float64(files) {
				t.Errorf("%s: %d of %d mails wholly right, want %.0f %%", r[1], right, files, mark)
			}
		}
	}
	if seen != len(corpusMarks) {
		t.Errorf("the scorer's table has %d of the %d corpora", seen, len(corpusMarks))
	}
}
