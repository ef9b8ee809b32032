package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"postern/gateway/archive"
	"postern/gateway/budget"
	"postern/gateway/mail"
	"postern/retry"
	"postern/retry/sqlite"
	"postern/webhook/payload"
)

// store opens a real queue and keeps a message in it, as for content by url.
func store(t *testing.T, id, data string) (q retry.Queue, dir string) {
	t.Helper()
	dir = t.TempDir()
	q, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1, Unsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	keep(t, q, id, data)
	return q, dir
}

const trace = "Received: from client.example by mx.example.com; Tue, 6 Jan 2026 10:00:00 +0000\r\n"

func keep(t *testing.T, q retry.Queue, id, data string) {
	t.Helper()
	env, err := json.Marshal(&mail.Envelope{ID: id, Received: time.Date(2026, 1, 6, 10, 0, 0, 0, time.UTC), Trace: trace})
	if err != nil {
		t.Fatal(err)
	}
	res, err := q.Reserve(t.Context(), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Release()
	ref, err := q.Stage(t.Context(), res, mail.Bytes(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Keep(t.Context(), retry.Message{ID: id, Key: id, Received: time.Now(), Envelope: env, Body: ref}, time.Hour); err != nil {
		t.Fatal(err)
	}
}

func keys(list ...string) func() [][]byte {
	return func() (all [][]byte) {
		for _, k := range list {
			all = append(all, []byte(k))
		}
		return all
	}
}

func newLinks(t *testing.T, base, key string) *Links {
	t.Helper()
	l, err := NewLinks(base, keys(key), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// contentServer serves what the queue keeps, by the real time.
func contentServer(t *testing.T, q archive.Messages) (*httptest.Server, URLs) {
	t.Helper()
	srv, links := serverAt(t, q, time.Now)
	return srv, links.At(time.Now())
}

func serverAt(t *testing.T, q archive.Messages, now func() time.Time) (*httptest.Server, *Links) {
	t.Helper()
	links := newLinks(t, "http://placeholder", "a secret")
	mux := http.NewServeMux()
	mux.Handle(Path, NewHandler(Deps{Links: links, Messages: q, Logger: slog.New(slog.DiscardHandler), Now: now}))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	links.base = srv.URL
	return srv, links
}

// get asks for a path with pairs of header fields.
func get(t *testing.T, srv *httptest.Server, path string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, srv.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// attached is a mail with attachments, each in its own encoding.
func attached(parts ...string) string {
	var b strings.Builder
	b.WriteString("From: a@example.org\r\nSubject: files\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee there\r\n")
	for _, p := range parts {
		b.WriteString("--b\r\n" + p)
	}
	b.WriteString("--b--\r\n")
	return b.String()
}

func base64Part(kind, name string, content []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Content-Type: %s; name=%q\r\nContent-Disposition: attachment; filename=%q\r\nContent-Transfer-Encoding: base64\r\n\r\n", kind, name, name)
	for enc := base64.StdEncoding.EncodeToString(content); len(enc) > 0; {
		n := min(76, len(enc))
		b.WriteString(enc[:n] + "\r\n")
		enc = enc[n:]
	}
	return b.String()
}

// noise is octets that differ everywhere and are the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func path(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.EscapedPath()
}

func TestContent(t *testing.T) {
	pic := noise(200_000)
	data := attached(
		base64Part("image/png", "photo of us.png", pic),
		"Content-Type: text/html; charset=koi8-r\r\nContent-Disposition: attachment; filename=\"x.html\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<script>alert(1)</script>=C1\r\n",
		"Content-Type: application/x-thing\r\nContent-Disposition: attachment; filename*=utf-8''%D0%BE%D1%82%D1%87%D1%91%D1%82.bin\r\n\r\nplain\r\n",
	)
	q, _ := store(t, "m1", data)
	srv, links := contentServer(t, q)
	for _, c := range []struct {
		link, kind, name string
		want             []byte
	}{
		{links.Attachment("m1", 0, "photo of us.png"), "image/png", "photo of us.png", pic},
		{links.Attachment("m1", 1, "x.html"), "text/html; charset=koi8-r", "x.html", []byte("<script>alert(1)</script>\xc1")},
		{links.Attachment("m1", 2, "отчёт.bin"), "application/x-thing", "отчёт.bin", []byte("plain")},
		{links.Raw("m1"), "message/rfc822", "m1.eml", []byte(trace + data)},
	} {
		resp, body := get(t, srv, path(t, c.link))
		h := resp.Header
		_, params, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
		kind, wantParams, _ := mime.ParseMediaType(c.kind)
		gotKind, gotParams, _ := mime.ParseMediaType(h.Get("Content-Type"))
		if resp.StatusCode != 200 || body != string(c.want) || gotKind != kind || gotParams["charset"] != wantParams["charset"] || params["filename"] != c.name || resp.ContentLength != int64(len(c.want)) {
			t.Errorf("%s: %d %v, %d octets", c.link, resp.StatusCode, h, len(body))
		}
		if !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || h.Get("Etag") == "" || h.Get("Accept-Ranges") != "bytes" ||
			h.Get("Cache-Control") != "private, immutable, max-age=3600" {
			t.Errorf("%s: header %v", c.link, h)
		}
		head, err := srv.Client().Head(c.link)
		if err != nil || head.StatusCode != 200 || head.ContentLength != int64(len(c.want)) {
			t.Errorf("HEAD %s: %v %v", c.link, head, err)
		}
		head.Body.Close()
		if again, _ := get(t, srv, path(t, c.link), "If-None-Match", h.Get("Etag")); again.StatusCode != 304 {
			t.Errorf("%s with its ETag: %d", c.link, again.StatusCode)
		}
	}
}

func TestContentRanges(t *testing.T) {
	pic := noise(300_001)
	q, _ := store(t, "m1", attached(base64Part("image/png", "p.png", pic)))
	srv, links := contentServer(t, q)
	p := path(t, links.Attachment("m1", 0, "p.png"))
	for header, want := range map[string][]byte{
		"bytes=0-9":           pic[:10],
		"bytes=100000-200000": pic[100000:200001],
		"bytes=299999-":       pic[299999:],
		"bytes=-5":            pic[len(pic)-5:],
		"bytes=0-":            pic,
	} {
		resp, body := get(t, srv, p, "Range", header)
		if resp.StatusCode != http.StatusPartialContent || body != string(want) {
			t.Errorf("%s: %d, %d octets", header, resp.StatusCode, len(body))
		}
	}
	if resp, _ := get(t, srv, p, "Range", "bytes=300001-"); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: %d", resp.StatusCode)
	}
	resp, body := get(t, srv, p, "Range", "bytes=1000-1009,10-19")
	_, params, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	r := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for _, want := range [][]byte{pic[1000:1010], pic[10:20]} {
		part, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(part); !bytes.Equal(got, want) {
			t.Errorf("two ranges: %x, want %x", got, want)
		}
	}
	many := "bytes=" + strings.Repeat("5-6,", maxRanges) + "1-2"
	if resp, body := get(t, srv, p, "Range", many); resp.StatusCode != 200 || body != string(pic) {
		t.Errorf("too many ranges: %d, %d octets", resp.StatusCode, len(body))
	}
}

// Every way of changing a url, and time, closes it.
func TestContentRefuses(t *testing.T) {
	q, _ := store(t, "m1", attached(base64Part("image/png", "p.png", []byte("octets"))))
	keep(t, q, "m2", attached())
	now := time.Now()
	srv, maker := serverAt(t, q, func() time.Time { return now })
	links := maker.At(now)
	good := strings.Split(strings.TrimPrefix(path(t, links.Attachment("m1", 0, "p.png")), "/content/"), "/")
	forged := newLinks(t, srv.URL, "another secret").At(now)
	url := func(change func(e []string)) string {
		e := append([]string(nil), good...)
		change(e)
		return "/content/" + strings.Join(e, "/")
	}
	for name, c := range map[string]struct {
		path   string
		status int
	}{
		"as made":                 {url(func([]string) {}), 200},
		"another file name":       {url(func(e []string) { e[4] = "invoice.pdf" }), 200},
		"another message":         {url(func(e []string) { e[0] = "m2" }), 403},
		"another part":            {url(func(e []string) { e[1] = "raw" }), 403},
		"later":                   {url(func(e []string) { e[2] = "9999999999" }), 403},
		"plus":                    {url(func(e []string) { e[2] = "+" + e[2] }), 403},
		"no number":               {url(func(e []string) { e[2] = "soon" }), 403},
		"no signature":            {url(func(e []string) { e[3] = "" }), 403},
		"half a signature":        {url(func(e []string) { e[3] = e[3][:20] }), 403},
		"another key":             {path(t, forged.Raw("m1")), 403},
		"more elements":           {url(func(e []string) { e[4] = "a/b" }), 403},
		"no element":              {"/content/", 403},
		"a message that is gone":  {path(t, links.Raw("m0")), 410},
		"a part that isn't there": {path(t, links.Attachment("m1", 1, "x")), 410},
		"of none":                 {path(t, links.Attachment("m2", 0, "x")), 410},
		"a part below the first":  {path(t, links.Attachment("m1", -1, "x")), 410},
		"a part that is none":     {path(t, links.url("m1", "first", "x")), 410},
	} {
		if resp, body := get(t, srv, c.path); resp.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	resp, err := srv.Client().Post(srv.URL+url(func([]string) {}), "text/plain", nil)
	if err != nil || resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %v %v", resp, err)
	}
	resp.Body.Close()
	now = links.Until().Add(-time.Second)
	if resp, _ := get(t, srv, url(func([]string) {})); resp.StatusCode != 200 {
		t.Errorf("just before its end: %d", resp.StatusCode)
	}
	now = now.Add(time.Second)
	if resp, _ := get(t, srv, url(func([]string) {})); resp.StatusCode != 403 {
		t.Errorf("at its end: %d", resp.StatusCode)
	}
}

// Damaged content is never served.
func TestContentDamaged(t *testing.T) {
	q, dir := store(t, "m1", attached(base64Part("image/png", "p.png", noise(200_000))))
	srv, links := contentServer(t, q)
	changed := 0
	filepath.WalkDir(filepath.Join(dir, "bodies"), func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _ := os.ReadFile(name)
			b[len(b)/2] ^= 1
			if err := os.WriteFile(name, b, 0o600); err == nil {
				changed++
			}
		}
		return nil
	})
	if changed != 1 {
		t.Fatalf("%d body files", changed)
	}
	for _, link := range []string{links.Attachment("m1", 0, "p.png"), links.Raw("m1")} {
		if resp, _ := get(t, srv, path(t, link)); resp.StatusCode != 500 {
			t.Errorf("%s: %d", link, resp.StatusCode)
		}
	}
}

// A large attachment passes through a small buffer.
func TestContentMemory(t *testing.T) {
	big := noise(10 << 20)
	q, _ := store(t, "m1", attached(base64Part("application/zip", "big.zip", big)))
	want := sha256.Sum256(big)
	big = nil
	srv, links := contentServer(t, q)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	resp, err := srv.Client().Get(links.Attachment("m1", 0, "big.zip"))
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	n, err := io.Copy(h, resp.Body)
	resp.Body.Close()
	runtime.ReadMemStats(&after)
	if err != nil || n != 10<<20 || !bytes.Equal(h.Sum(nil), want[:]) {
		t.Fatalf("%d octets, %v", n, err)
	}
	if total := after.TotalAlloc - before.TotalAlloc; total > 2<<20 {
		t.Errorf("%d KiB allocated for an attachment of 10 MiB", total>>10)
	}
}

func TestLinks(t *testing.T) {
	now := time.Date(2026, 1, 6, 10, 30, 0, 0, time.UTC)
	secret := keys("old")
	l, err := NewLinks("https://mail.example.com/in/", func() [][]byte { return secret() }, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	first := l.At(now).Attachment("m1", 3, `..\a/b?c#d%.pdf`)
	if !strings.HasPrefix(first, "https://mail.example.com/in/content/m1/3/") {
		t.Error(first)
	}
	u, err := url.Parse(first)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || strings.Count(u.Path, "/") != 7 {
		t.Errorf("%s: %v", first, err)
	}
	now = now.Add(20 * time.Minute)
	if again := l.At(now).Attachment("m1", 3, `..\a/b?c#d%.pdf`); again != first {
		t.Errorf("rendered again: %s, before %s", again, first)
	}
	if until := l.At(now).Until(); until.Before(now.Add(2*time.Hour)) || until.After(now.Add(3*time.Hour)) {
		t.Errorf("good until %s", until)
	}
	e := strings.Split(u.Path, "/")[3:]
	secret = keys("new", "old")
	if !l.valid(now, e[0], e[1], e[2], e[3]) {
		t.Error("the old key is not accepted while it is rotated")
	}
	if l.At(now).Attachment("m1", 3, "x") == strings.Replace(first, e[4], "x", 1) {
		t.Error("the new key does not sign")
	}
	secret = keys("new")
	if l.valid(now, e[0], e[1], e[2], e[3]) {
		t.Error("the old key is accepted after it went")
	}
	for _, bad := range []string{"", "mail.example.com", "ftp://x", "https://x?y=1"} {
		if _, err := NewLinks(bad, keys("s"), time.Hour); err == nil {
			t.Errorf("NewLinks took %q", bad)
		}
	}
	if _, err := NewLinks("https://x", keys(), time.Hour); err == nil {
		t.Error("NewLinks took no secret")
	}
}

func TestTameName(t *testing.T) {
	for name, want := range map[string]string{
		"": "content", ".": "content", "..": "content", "a.pdf": "a.pdf", "../../etc/passwd": ".._.._etc_passwd", "a\\b\x00c\r\nd": "a_b_c__d",
		strings.Repeat("я", 200) + ".pdf": strings.Repeat("я", maxFilename-4) + ".pdf",
	} {
		if got := tameName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestStoredKey(t *testing.T) {
	q, _ := store(t, "m1", "x")
	first, err := StoredKey(t.Context(), q)
	if err != nil || len(first) < 40 {
		t.Fatalf("%d characters, %v", len(first), err)
	}
	if again, err := StoredKey(t.Context(), q); err != nil || !bytes.Equal(again, first) {
		t.Errorf("not the same at the second start: %v", err)
	}
}

// TestExpiryIsANumber: of what we signed one spelling is good, so that nobody makes
// another url of it.
func TestExpiryIsANumber(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLinks(t, "https://mail.example.com", "key")
	for expiry, want := range map[string]bool{"1800000001": true, "+1800000001": false, "01800000001": false, "1800000000": false, "soon": false, "99999999999999999999": false, "": false} {
		if got := l.valid(now, "m1", rawPart, expiry, sign([]byte("key"), "m1", rawPart, expiry)); got != want {
			t.Errorf("%q: %t", expiry, got)
		}
	}
}

// broken is a store that can't be read.
type broken struct{ put int }

func (*broken) Meta(context.Context, string) ([]byte, error) { return nil, errors.New("away") }
func (b *broken) PutMeta(context.Context, string, []byte) ([]byte, error) {
	b.put++
	return []byte("new"), nil
}

// TestStoredKeyUnread: a key that can't be read isn't replaced by a new one, which
// would end every url that was given.
func TestStoredKeyUnread(t *testing.T) {
	var b broken
	if key, err := StoredKey(t.Context(), &b); err == nil || b.put != 0 {
		t.Errorf("%q, %v; %d keys were made", key, err, b.put)
	}
}

// TestFailed: what a client is told, and when it should come again.
func TestFailed(t *testing.T) {
	h := NewHandler(Deps{Logger: slog.New(slog.DiscardHandler)})
	for _, c := range []struct {
		err    error
		status int
		again  string
	}{
		{nil, 200, ""},
		{fmt.Errorf("read: %w", context.Canceled), 200, ""}, // nobody is there any more
		{fmt.Errorf("read: %w", budget.ErrShort), 503, "10"},
		{archive.ErrBusy, 503, "10"},
		{archive.ErrNotFound, 410, ""},
		{errors.New("disk"), 500, ""},
	} {
		w := httptest.NewRecorder()
		if h.failed(w, "m1", c.err); w.Code != c.status || w.Header().Get("Retry-After") != c.again {
			t.Errorf("%v: %d, Retry-After %q", c.err, w.Code, w.Header().Get("Retry-After"))
		}
	}
}

// TestMemoryWhileSent: an attachment is sent with no more memory than looking at its
// message takes at least.
func TestMemoryWhileSent(t *testing.T) {
	raw := mail.Bytes(attached(strings.Repeat("Content-Type: text/html\r\n\r\n<p>words</p>\r\n--b\r\n", 500) + base64Part("image/png", "p.png", []byte("octets"))))
	h := NewHandler(Deps{Memory: budget.New(64 << 20)})
	_, g, err := h.attachment(t.Context(), raw, "0")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Release()
	if g.Octets() != mail.Least(raw) {
		t.Errorf("%d octets are held while it is sent, want %d", g.Octets(), mail.Least(raw))
	}
}

var _ payload.Links = URLs{}
