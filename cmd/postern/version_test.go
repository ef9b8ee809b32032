package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

func TestVersionOf(t *testing.T) {
	built := func(main string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: main}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	for _, c := range []struct {
		linked string
		info   *debug.BuildInfo
		want   string
	}{
		{"1.2.3", built("v9.9.9", revision), "1.2.3"},
		{"v1.2.3", nil, "1.2.3"},
		{"", nil, "unknown"},
		{"", built("v1.4.0"), "1.4.0"},
		{"", built("(devel)"), "devel"},
		{"", built("(devel)", revision), "0123456789ab"},
		{"", built("v0.0.0-20260102030405-0123456789ab", revision), "0123456789ab"},
		{"", built("v1.4.1-0.20260102030405-0123456789ab+dirty", revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"}), "0123456789ab-dirty"},
	} {
		if got := versionOf(c.linked, c.info); got != c.want {
			t.Errorf("%q, %+v: %s, want %s", c.linked, c.info, got, c.want)
		}
	}
}

// Whoever asks for the version is told the same one.
func TestOneVersion(t *testing.T) {
	const want = "7.8.9-test"
	defer func(before string) { version = before }(version)
	version = want
	agent := make(chan string, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { agent <- r.UserAgent() }))
	defer hook.Close()
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	socket := filepath.Join(folder, "lmtp")
	ctx, stop := context.WithCancel(t.Context())
	var out bytes.Buffer
	ended := make(chan int)
	go func() {
		ended <- run(ctx, &stdio{Out: io.Discard, Err: &out, Environ: []string{"POSTERN_WEBHOOK_URL=" + hook.URL, "POSTERN_SMTP_ADDR=off", "POSTERN_LMTP_ADDR=unix:" + socket,
			"POSTERN_HTTP_ADDR=" + addr, "POSTERN_HTTP_TOKEN=t0ken-of-the-test", "POSTERN_RETRY_STORE=sqlite://" + folder, "POSTERN_AUTHENTICATE=false"}}, []string{"serve"})
	}()
	defer func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("exit %d:\n%s", code, &out)
		}
	}()
	help := lmtp(t, socket)
	told := map[string]string{
		"HELP STATUS": help,
		"User-Agent":  <-agent,
		"metrics":     fetch(t, "http://"+addr+"/metrics", ""),
		"API":         fetch(t, "http://"+addr+"/api/v1/status", "t0ken-of-the-test"),
		"page":        fetch(t, "http://"+addr+"/signin", ""),
	}
	for _, command := range []string{"version", "--version"} {
		var line bytes.Buffer
		if code := run(t.Context(), &stdio{Out: &line, Err: &line}, []string{command}); code != 0 {
			t.Errorf("%s ends with %d", command, code)
		}
		told[command] = line.String()
	}
	for who, says := range told {
		if !strings.Contains(says, want) {
			t.Errorf("%s tells another version:\n%.500s", who, says)
		}
	}
}

// lmtp sends a mail over the socket, once there is one, and returns what the
// server says of itself.
func lmtp(t *testing.T, socket string) string {
	t.Helper()
	var conn net.Conn
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if conn, err = net.Dial("unix", socket); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := textproto.NewReader(bufio.NewReader(conn))
	ask := func(want int, line string) string {
		if line != "" {
			fmt.Fprint(conn, line+"\r\n")
		}
		_, says, err := r.ReadResponse(want)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return says
	}
	ask(220, "")
	ask(250, "LHLO client.example")
	status := ask(211, "HELP STATUS")
	ask(250, "MAIL FROM:<a@client.example>")
	ask(250, "RCPT TO:<b@in.example.com>")
	ask(354, "DATA")
	ask(250, "Subject: hello\r\n\r\nhello\r\n.")
	ask(221, "QUIT")
	return status
}

func fetch(t *testing.T, url, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", url, res.Status, err, body)
	}
	return string(body)
}
