package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/app"
	"postern/cmd/internal/config"
)

// Each receiver of the README takes a mail that a gateway signed with its
// secret, prints the subject, and takes nothing else.
func TestReadmeReceivers(t *testing.T) {
	n := 0
	for path, text := range readDocuments(t) {
		for _, f := range readFences(text) {
			if f.mark != "receiver" || path == "README.md" {
				continue // the README shows one of webhook/README.md
			}
			n++
			t.Run(f.what, func(t *testing.T) {
				need(t, f.what)
				testReceiver(t, f)
			})
		}
	}
	if n < len(receivers) {
		t.Errorf("%d receivers of %d are in the documents", n, len(receivers))
	}
}

// receivers are the README's, with the program that runs each; ruby's is a rack
// application, and any rack server would do.
type receiver struct{ name, label, lang, program, file, start string }

var receivers = []receiver{
	{"Go", "Go", "go", "go", "receiver.go", "go run $FILE"},
	{"Node", "Node", "js", "node", "receiver.js", "exec node $FILE"},
	{"Python", "Python", "python", "python3", "receiver.py", "exec python3 $FILE"},
	{"Ruby", "Ruby, for any Rack server", "ruby", "ruby", "receiver.ru", "exec ruby ./cmd/postern/testdata/rack.rb $FILE $PORT"},
}

// fence is the receiver as a document shows it.
func (r receiver) fence(t *testing.T) string {
	t.Helper()
	code, err := os.ReadFile(filepath.Join(top, "webhook/testdata/receivers", r.file))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("<!-- receiver: %s -->\n```%s\n%s```\n", r.program, r.lang, code)
}

// guides are the receivers for frameworks, which .ci/guides runs, by their mark.
func guides(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	languages := map[string]string{".js": "js", ".mjs": "js", ".py": "python", ".rb": "ruby", ".php": "php"}
	files, err := filepath.Glob(filepath.Join(top, "webhook/testdata/receivers/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all["guide "+filepath.Base(file)] = fmt.Sprintf("```%s\n%s```\n", languages[filepath.Ext(file)], code)
	}
	return all
}

func testReceiver(t *testing.T, f fence) {
	w := newReaderWorld(t)
	addr, secret := freePort(t), demoSecret()
	_, port, _ := strings.Cut(addr, ":")
	r := receivers[slices.IndexFunc(receivers, func(r receiver) bool { return r.program == f.what })]
	file := filepath.Join(t.TempDir(), r.file)
	if err := os.WriteFile(file, []byte(f.code), 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "SECRET="+secret, "FILE="+file, "PORT="+port)
	said := w.start(t, r.start)
	waitFor(t, func() bool {
		resp, err := http.Post("http://"+addr+"/", "application/json", strings.NewReader(`{"message":{"subject":"forged"}}`))
		if err != nil {
			return false
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("an unsigned request was answered %d", resp.StatusCode)
		}
		return true
	})
	sendThrough(t, "http://"+addr+"/", secret)
	waitFor(t, func() bool {
		out, _ := os.ReadFile(said)
		if bytes.Contains(out, []byte("forged")) {
			t.Fatalf("it took a forged mail:\n%s", out)
		}
		return bytes.Contains(out, []byte(sampleSubject))
	})
}

// sendThrough sends the sample mail through a gateway without a queue: its 250
// is the receiver's.
func sendThrough(t *testing.T, url, secret string) {
	t.Helper()
	cfg, err := config.Load([]string{"POSTERN_DOMAIN=localhost", "POSTERN_SMTP_ADDR=127.0.0.1:0", "POSTERN_HTTP_ADDR=off", "POSTERN_RETRY_STORE=off",
		"POSTERN_AUTHENTICATE=false", "POSTERN_LOG_LEVEL=error", "POSTERN_WEBHOOK_URL=" + url, "POSTERN_WEBHOOK_SECRET=" + secret})
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
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	out, code := send(t, a.Addr("SMTP_ADDR"))
	if code != 0 || !strings.Contains(out, "250 2.0.0") {
		t.Fatalf("the mail was not taken:\n%s", out)
	}
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !what(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it didn't happen in 2 min")
		}
	}
}
